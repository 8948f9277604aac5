"""The verb `report` on a table: out of the record, on the terminal, as one text, as files, or as a JSON document."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lt_core.value import unknown
from search_spaces import TABLES, Curves
from search_spaces.table import Table
from tuning.record.runs import RecordedTable
from tuning.reports import formats
from tuning.reports.document import Document
from tuning.shell.home import Home
from tuning.tables.claims import Judged
from tuning.tables.filled import Filled
from tuning.tables.grids import cell_grid
from tuning.tables.lengths import Lengths, lengths
from tuning.tables.reading import read_table
from tuning.tables.report import about, curves_overview, curves_report, filled_editions, of_paper, table_report
from tuning.tables.terminal import Terminal
from tuning.tables.verdicts import verdicts


def report(
    home: Home,
    name: str,
    kind: str | None,
    out: Path | None,
    as_json: bool,
    recorded: Callable[[], Sequence[RecordedTable]],
) -> int:
    """Print a table's report, or write it; of one that was never run, what the paper prints.

    recorded: what the record has of it.
    """
    formats.check(kind)
    if name not in TABLES:
        raise unknown("table", name, TABLES)
    table = TABLES[name]
    editions: Sequence[Filled] = ()
    if isinstance(table, Table):
        editions = filled_editions(table, read_table(home.tracking_uri, table, recorded()), home.data)
    if isinstance(table, Table) and as_json and out is None:
        print(json.dumps(_plain(table, editions), indent=2))
    elif isinstance(table, Table) and editions and kind is None and out is None:
        _show(table, editions)
    elif isinstance(table, Curves) and kind is None and out is None and not as_json:
        terminal = Terminal()
        terminal.say(f"{table.name}: {table.title}\n{about(table.name)}")
        terminal.grid(curves_overview(table))
    else:
        document = _document(table, editions, home.data, pictured=out is not None or kind == "html")
        return _given(document, kind, out, as_json)
    return 0


def _given(document: Document, kind: str | None, out: Path | None, as_json: bool) -> int:
    """Write a report's files, or print it in a format, or on the terminal where none is given."""
    if out is not None:
        files = formats.write(document, [kind] if kind else formats.FORMATS, out)
        print(json.dumps({"files": [str(path) for path in files]}, indent=2) if as_json else "\n".join(map(str, files)))
    elif as_json:
        print(json.dumps({stem: {"heads": g.heads, "rows": g.rows} for stem, g in document.tables.items()}, indent=2))
    elif kind is not None:
        print(formats.text(document, kind), end="")
    else:
        Terminal().document(document)
    return 0


def _document(table: Table | Curves, editions: Sequence[Filled], data: Path, *, pictured: bool) -> Document:
    if not pictured:
        return table_report(table, editions, data) if isinstance(table, Table) else curves_report(table)
    from tuning.tables.figures import curves_picture, table_picture  # imports matplotlib, which text does not wait for

    if isinstance(table, Table):
        return table_report(table, editions, data, table_picture)
    return curves_report(table, curves_picture(table))


def _show(table: Table, editions: Sequence[Filled]) -> None:
    terminal = Terminal()
    terminal.say(f"{table.name}: {table.title}\n{about(table.name)}")
    for filled in editions:
        terminal.edition(filled)
    for found in lengths(editions):
        terminal.section(found.section)
    terminal.section(of_paper(table, editions))


def _plain(table: Table, editions: Sequence[Filled]) -> dict[str, Any]:
    """All of it, as plain data."""
    return {
        "title": f"{table.name}: {table.title}",
        "about": about(table.name),
        "editions": [_edition(filled) for filled in editions],
        "lengths": [_lengths(found) for found in lengths(editions)],
        "paper": list(of_paper(table, editions).sentences),
    }


def _lengths(found: Lengths) -> dict[str, Any]:
    return {
        "shorter": found.shorter.edition.name,
        "longer": found.longer.edition.name,
        "said": found.sentence,
        "changed": [
            {
                "column": pair.column,
                "ahead in the longer": pair.rows[0],
                "of": pair.rows[1],
                "shorter": _bounded(pair.shorter),
                "longer": _bounded(pair.longer),
                "told": pair.told,
            }
            for pair in found.changed
        ],
    }


def _bounded(one: Judged) -> dict[str, float | None]:
    """By how many points it is ahead, with one-sided bounds where seeds give any."""
    low, high = (one.low, one.high) if one.spread else (None, None)
    return {"points": one.difference, "low": low, "high": high}


def _edition(filled: Filled) -> dict[str, Any]:
    where = filled.where
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
