"""An ablation: which cells of a table are trained, in which edition, on how many seeds. `table.yaml` is one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from lt_core.config import TrainConfig
from lt_core.value import InputError, Value
from search_spaces.short import StandIn
from search_spaces.table import Cell, Edition, Table

SEARCH_SEED = 0  # of the configs that compete for a cell; the winner is trained again on the seeds after it


class Ablation(Value):
    """What is asked for of a table: its edition, some rows and columns (none: all), seeds, resources per training.

    seeds: how many; null is as many as the table says. scale: of all that is measured in epochs, after `short`.
    concurrent: trainings at a time; null is as many as the cluster holds. gpus: null is one if there is any, else none.
    system_metrics: whether CPU, memory and GPU are recorded, too, a sample an epoch.
    """

    table: str
    recipe: Literal["equal", "reported"] = "equal"
    short: bool = False
    scale: Annotated[float, Field(gt=0)] = 1.0
    on: StandIn | None = None
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    seeds: Annotated[int, Field(ge=1)] | None = None
    concurrent: Annotated[int, Field(ge=1)] | None = None
    cpus: Annotated[float, Field(gt=0)] = 1.0
    gpus: Annotated[float, Field(ge=0)] | None = None
    system_metrics: bool = False

    @property
    def edition(self) -> Edition:
        """The table's edition."""
        return Edition(self.recipe, self.short, self.scale, self.on)

    @property
    def name(self) -> str:
        """A name for a folder and in the record: ib2021-table2-short-digits."""
        return f"{self.table.replace('/', '-')}-{self.edition.name}"


@dataclass(frozen=True)
class Training:
    """One training of a table: its config, seed included, the cells that it serves, by labels of row and column.

    candidate: of several configs that compete for a cell, its name; '' for one whose values stand in the table.
    """

    config: TrainConfig
    cells: tuple[tuple[str, str], ...]
    candidate: str = ""


def chosen(ablation: Ablation, table: Table) -> list[Cell]:
    """The cells that are asked for and need a training.

    InputError for an unknown label, a row without a config, or where no cell is left.
    """
    for label in ablation.rows:
        if table.row(label).method is None:
            raise InputError(f"row {label} of {table.name} has nothing to train: {table.row(label).reason}")
    for label in ablation.columns:
        table.column(label)
    found = [
        cell
        for cell in table.cells(ablation.edition)
        if cell.trains
        and (not ablation.rows or cell.row.label in ablation.rows)
        and (not ablation.columns or cell.column.label in ablation.columns)
    ]
    if not found:
        raise InputError(f"{table.name} has nothing to train in these rows and columns")
    return found


def trainings(ablation: Ablation, table: Table) -> list[Training]:
    """What is trained, seed by seed; cells of equal configs share one. Of cells with several configs, these compete."""
    cells, seeds = chosen(ablation, table), ablation.seeds or table.seeds
    first = [_candidates(table, cell) for cell in cells if cell.best_of]
    plain = [(cell.key, cell.configs[""]) for cell in cells if not cell.best_of]
    return [*merged(t for found in first for t in found), *_on_seeds(plain, table, range(seeds))]


@dataclass(frozen=True)
class Won:
    """Which of several configs won a cell, of how many, and the score by which it did. unscored: that came to none."""

    name: str
    of: int
    score: float
    unscored: int = 0


Scores = Mapping[str, float | None]
"""By config id, of configs that have competed; None of those that failed or diverged. What is pending has no entry."""


def is_open(ids: Mapping[str, str], scores: Scores) -> bool:
    """Whether a config that competes for a cell, given by name with its id on the search seed, is pending."""
    return any(config_id not in scores for config_id in ids.values())


def won(ids: Mapping[str, str], scores: Scores) -> Won | None:
    """Which of the configs that compete for a cell has won it; None before all have competed, or where all failed."""
    if is_open(ids, scores):
        return None
    known = {name: score for name, config_id in ids.items() if (score := scores[config_id]) is not None}
    best = max(known, key=lambda name: known[name], default=None)
    return None if best is None else Won(best, len(ids), known[best], len(ids) - len(known))


@dataclass(frozen=True)
class Competition:
    """A cell for which configs compete: these, and their ids on the search seed, by name."""

    cell: Cell
    ids: Mapping[str, str]


def competitions(cells: Iterable[Cell], table: Table) -> list[Competition]:
    """Those of some cells of a table."""
    several = [cell for cell in cells if cell.best_of]
    return [
        Competition(cell, {name: table.with_seed(config, SEARCH_SEED).id for name, config in cell.configs.items()})
        for cell in several
    ]


def winners(found: Iterable[Competition], table: Table, seeds: int, scores: Scores) -> tuple[list[Training], bool]:
    """What is trained once configs have competed, on so many fresh seeds; and whether any competition is still open.

    A cell all of whose configs failed gets nothing.
    """
    wanted, waiting = [], False
    for one in found:
        waiting |= is_open(one.ids, scores)
        if winner := won(one.ids, scores):
            wanted.append((one.cell.key, one.cell.configs[winner.name]))
    return _on_seeds(wanted, table, range(SEARCH_SEED + 1, SEARCH_SEED + 1 + seeds)), waiting


def merged(found: Iterable[Training]) -> list[Training]:
    """Trainings of equal configs as one that serves the cells of all."""
    by_id: dict[str, Training] = {}
    for training in found:
        known = by_id.get(training.config.id)
        cells = (*known.cells, *training.cells) if known else training.cells
        by_id[training.config.id] = Training(training.config, cells, training.candidate)
    return list(by_id.values())


def _candidates(table: Table, cell: Cell) -> Iterator[Training]:
    for name, config in cell.configs.items():
        yield Training(table.with_seed(config, SEARCH_SEED), (cell.key,), name)


def _on_seeds(wanted: list[tuple[tuple[str, str], TrainConfig]], table: Table, seeds: range) -> list[Training]:
    unique: dict[str, tuple[TrainConfig, list[tuple[str, str]]]] = {}
    for key, config in wanted:
        unique.setdefault(config.id, (config, []))[1].append(key)
    return [Training(table.with_seed(config, seed), tuple(keys)) for seed in seeds for config, keys in unique.values()]
