"""A paper's table or figure resolved: its rows, columns, claims, and the config of every cell. Trains nothing."""

from typing import Any

from search_spaces import Curves, Edition, Table
from search_spaces.short import levels
from search_spaces.table import Cell, Reported


def resolved(table: Table | Curves) -> dict[str, Any]:
    """All there is to know of a table; of an analytic figure its points."""
    if isinstance(table, Curves):
        points = {name: [list(point) for point in points] for name, points in table.points().items()}
        return {"title": table.title, "trainings": 0, "x": table.x, "y": table.y, "curves": points}
    cells = table.cells()
    configs = {config.id: config for cell in cells if cell.trains for config in cell.configs.values()}
    return {
        "title": table.title,
        "notes": list(table.notes),
        "trainings of a seed": len(configs),
        "epochs of a seed": sum(config.epochs for config in configs.values()),
        "seeds": table.seeds,
        "a seed changes": "initialisation, order and split" if table.varies == "split" else "initialisation and order",
        "selection": table.selection,
        "short recipe": _short(table),
        "claims": {claim.text: claim.where for claim in table.claims},
        "columns": {column.label: f"{column.read}, {column.unit}" for column in table.columns},
        "rows": {row.label: _row(table, row.label, cells) for row in table.rows},
        "configs": {config_id: config.plain() for config_id, config in configs.items()},
    }


def _row(table: Table, label: str, cells: tuple[Cell, ...]) -> dict[str, Any]:
    row = table.row(label)
    own = [cell for cell in cells if cell.row is row]
    reported = {column: _number(number) for (name, column), number in table.reported.items() if name == label}
    told = {"origin": row.origin, "selection": row.selection} if reported else {}
    ids = {cell.column.label: _ids(cell) for cell in own if cell.trains}
    facts = {"note": row.note, "reason": row.reason, "reported": reported, **told, "config ids": ids}
    return {name: fact for name, fact in facts.items() if fact}


def _ids(cell: Cell) -> str | dict[str, str]:
    ids = {name: config.id for name, config in cell.configs.items()}
    return ids if cell.best_of else ids[""]


def _number(number: Reported) -> str:
    spread = f" ± {number.std:.2f} (n = {number.n})" if number.std is not None else ""
    meant = f", meant {number.meant:g}" if number.meant is not None else ""
    return f"{number.value:g}{spread}" + (f"; {number.mistake}{meant}" if number.mistake else "")


def _short(table: Table) -> list[str]:
    """The kinds of short training, by their levels: epochs and learning rate of each."""
    cells = [cell for cell in table.cells(Edition(short=True)) if cell.trains]
    kinds = [levels(config) for cell in cells for config in cell.configs.values()]
    texts = ("; ".join(f"{level.epochs} epochs of {level.phase} at {level.rate:g}" for level in kind) for kind in kinds)
    return list(dict.fromkeys(texts))
