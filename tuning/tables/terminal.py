"""A table on the terminal: its blocks, the paper's numbers above the measured ones, and what is said of it."""

import sys
from dataclasses import replace

from rich.console import Console

from tuning.reports.document import Document, Section
from tuning.reports.grid import Grid
from tuning.tables.filled import Filled
from tuning.tables.grids import blocks
from tuning.tables.report import summary
from tuning.tables.verdicts import verdicts

WIDTH = 80  # where there is no terminal


class Terminal:
    """Prints, in a width of 80 columns where that of a terminal is not known."""

    def __init__(self) -> None:
        self._console = Console(width=None if sys.stdout.isatty() else WIDTH)

    def say(self, text: str) -> None:
        """A sentence, which a file has in one line."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=not self._console.is_terminal)

    def grid(self, grid: Grid) -> None:
        """A table under its title, which may be the wider of the two."""
        self.say(f"\n{grid.title}")
        self._console.print(replace(grid, title="").rich())

    def document(self, document: Document) -> None:
        """A whole report, without its pictures."""
        self.say(f"{document.title}\n{document.about}")
        for section in document.sections:
            self.section(section)

    def section(self, section: Section) -> None:
        """A part of a report."""
        for grid in section.tables.values():
            self.grid(grid)
        for sentence in section.sentences:
            self.say(sentence)

    def edition(self, filled: Filled) -> None:
        """What was measured of a table, and the verdicts."""
        for grid in blocks(filled, filled.where, narrow=True).values():
            self.grid(grid)
        found = verdicts(filled)
        for sentence in summary(filled, found):
            self.say(sentence)
        for verdict in found:
            self.say(f"- {verdict.sentence}")
