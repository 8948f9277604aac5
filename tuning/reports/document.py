"""A report as a value: sentences, tables and pictures under headings.

Not here: what a report says (report.py makes one of a study), and its formats (formats.py, page.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tuning.reports.grid import Grid


@dataclass(frozen=True)
class Picture:
    """A PNG and what it shows, in words; where it is meant for print, as a PDF, too."""

    png: bytes
    caption: str
    pdf: bytes = b""


@dataclass(frozen=True)
class Section:
    """What stands under one heading; tables and pictures by the stem of their files."""

    title: str
    sentences: tuple[str, ...] = ()
    tables: Mapping[str, Grid] = field(default_factory=dict)
    pictures: Mapping[str, Picture] = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """A report. `command` is the one whose results it tells of."""

    title: str
    about: str
    command: str
    sections: tuple[Section, ...]

    @property
    def tables(self) -> dict[str, Grid]:
        """All tables by the stem of their files."""
        return {stem: grid for section in self.sections for stem, grid in section.tables.items()}

    @property
    def pictures(self) -> dict[str, Picture]:
        """All pictures by the stem of their files."""
        return {stem: picture for section in self.sections for stem, picture in section.pictures.items()}
