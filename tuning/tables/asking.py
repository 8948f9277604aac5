"""Which table is asked for, and what of it: the command line's words as an `Ablation`."""

from lt_core.value import InputError, unknown
from search_spaces import TABLES
from search_spaces.ablation import Ablation
from search_spaces.table import Table
from tuning.shell.arguments import labels


def asked(name: str, rows: str | None = None, columns: str | None = None, **fields: object) -> Ablation:
    """What the command line asks for. InputError for an unknown table, or what a table cannot be."""
    table = named_table(name)
    some = {
        "rows": labels(rows, [row.label for row in table.rows]),
        "columns": labels(columns, [column.label for column in table.columns]),
    }
    return Ablation.parse({"table": name, **some, **fields})


def named_table(name: str) -> Table:
    """A table that trainings fill; InputError for an unknown name, or a figure that follows from a formula."""
    if name not in TABLES:
        raise unknown("table", name, TABLES)
    table = TABLES[name]
    if not isinstance(table, Table):
        raise InputError(f"{name} follows from a formula: there is nothing to train; `lt-tune report {name}` draws it")
    return table
