"""A report in its formats: Markdown, CSV, LaTeX, one HTML page; as one text, or as files."""

from collections.abc import Collection, Iterator
from pathlib import Path

from lt_core.value import InputError, unknown
from tuning.reports.document import Document
from tuning.reports.page import page

FORMATS = ("md", "csv", "latex", "html")


def check(name: str | None) -> None:
    """InputError where a format is none of those that there are."""
    if name is not None and name not in FORMATS:
        raise unknown("format", name, FORMATS)


def text(document: Document, kind: str) -> str:
    """A report in one text: without pictures, but for `html`, which holds them."""
    match kind:
        case "html":
            return page(document)
        case "csv":
            return "\n".join(f"# {grid.title}\n{grid.csv()}" for grid in document.tables.values())
        case "latex":
            return "\n\n".join(grid.latex() for grid in document.tables.values()) + "\n"
        case _:
            return markdown(document)


def markdown(document: Document, figures: str = "") -> str:
    """As Markdown, with pictures out of a folder where one is given."""
    parts = [f"# {document.title}", document.about, f"`{document.command}`" if document.command else ""]
    for section in document.sections:
        parts += [f"## {section.title}", *section.sentences]
        for grid in section.tables.values():
            parts += [f"**{grid.title}**", grid.markdown()]
        if figures:
            parts += [f"![{picture.caption}]({figures}/{stem}.png)" for stem, picture in section.pictures.items()]
    return "\n\n".join(part for part in parts if part) + "\n"


def files(document: Document, kinds: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Paths and contents of a report's files in some formats; `table` is MLflow's form of tables."""
    if "html" in kinds:
        yield "report.html", page(document).encode()
    if "md" in kinds:
        yield "report.md", markdown(document, "figures").encode()
        yield from ((f"figures/{stem}.png", picture.png) for stem, picture in document.pictures.items())
    for stem, grid in document.tables.items():
        if "csv" in kinds:
            yield f"{stem}.csv", grid.csv().encode()
        if "table" in kinds:
            yield f"{stem}.json", grid.table().encode()
        if "latex" in kinds:
            yield f"{stem}.tex", (grid.latex() + "\n").encode()
    if "latex" in kinds:
        yield from ((f"figures/{stem}.pdf", picture.pdf) for stem, picture in document.pictures.items() if picture.pdf)


def write(document: Document, kinds: Collection[str], out: Path) -> list[Path]:
    """Write a report's files in some formats into a folder; InputError where that cannot be."""
    written = []
    try:
        for name, content in files(document, kinds):
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            written.append(path)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}") from None
    return written
