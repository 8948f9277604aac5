"""The verb `report` on a table: out of the record, on the terminal, as one text, as files, or as a JSON document."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from search_spaces import TABLES, Curves
from search_spaces.table import Table
from tuning import formats
from tuning.document import Document
from tuning.filled import Filled
from tuning.home import Home
from tuning.table_grids import cell_grid
from tuning.table_record import read_table
from tuning.table_report import curves_report, described, filled_editions, table_report
from tuning.table_terminal import Terminal
from tuning.tracking import check_answers
from tuning.verdicts import verdicts


def report(home: Home, name: str, kind: str | None, out: Path | None, as_json: bool) -> int:
    """Print a table's report, or write it; of one that was never run, what the paper prints."""
    table = TABLES[name]
    editions: Sequence[Filled] = ()
    if isinstance(table, Table):
        check_answers(home.tracking_uri)
        editions = filled_editions(table, read_table(home.tracking_uri, table), home.data)
    document = _document(table, editions, home.data, pictured=out is not None or kind == "html")
    if out is not None:
        return _written(formats.write(document, [kind] if kind else formats.FORMATS, out), as_json)
    if as_json:
        print(json.dumps(_plain(document, editions), indent=2))
    elif kind is not None:
        print(formats.text(document, kind), end="")
    elif isinstance(table, Table):
        _show(document, editions)
    else:
        print(formats.text(document, "md"), end="")
    return 0


def _document(table: Table | Curves, editions: Sequence[Filled], data: Path, *, pictured: bool) -> Document:
    if not pictured:
        return table_report(table, editions, data) if isinstance(table, Table) else curves_report(table)
    from tuning.table_figures import curves_picture, table_picture  # imports matplotlib, which text does not wait for

    if isinstance(table, Table):
        return table_report(table, editions, data, table_picture)
    return curves_report(table, curves_picture(table))


def _written(files: list[Path], as_json: bool) -> int:
    print(json.dumps({"files": [str(path) for path in files]}, indent=2) if as_json else "\n".join(map(str, files)))
    return 0


def _show(document: Document, editions: Sequence[Filled]) -> None:
    terminal = Terminal()
    terminal.say(f"{document.title}\n{document.about}")
    for filled in editions:
        terminal.edition(filled)
    for section in document.sections[len(editions) :]:
        for grid in section.tables.values():
            terminal.grid(grid)
        for sentence in section.sentences:
            terminal.say(sentence)


def _plain(document: Document, editions: Sequence[Filled]) -> dict[str, Any]:
    """All of it, as plain data."""
    return {
        "title": document.title,
        "about": document.about,
        "editions": [_edition(filled) for filled in editions],
        "paper": list(document.sections[-1].sentences),
    }


def _edition(filled: Filled) -> dict[str, Any]:
    where = described(filled)
    grid = cell_grid(filled, where)
    return {
        "edition": filled.edition.name,
        "data and length": where,
        "cells": [dict(zip(grid.heads, row, strict=True)) for row in grid.rows],
        "claims": [
            {
                "claim": v.claim.text,
                "where": v.claim.where,
                "measured": v.word,
                "why": v.why,
                "by the paper's own numbers": v.own or "no numbers",
                "own why": v.own_why,
            }
            for v in verdicts(filled)
        ],
    }
