"""A table with what was measured in its cells: runs, whoever tells of them, put where they belong.

A run belongs to every cell whose config, on the run's seed, it trained: what it was asked for does not matter.
Not here: reading runs (reading.py), verdicts (claims.py), what is printed.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lt_core.config import TrainConfig, prefix_id
from lt_core.data import load_parts
from lt_core.value import InputError
from search_spaces.ablation import SEARCH_SEED, Ablation, Won, won
from search_spaces.claims import Contrast, Side
from search_spaces.table import Cell, Edition, Table
from tuning.engine.measures import Selection, is_series, metric_name, parsed
from tuning.log.events import History, TrialRecord
from tuning.tables.claims import Cells, Measured, Spread

FAILED = "failed"


@dataclass(frozen=True)
class CellRun:
    """One training of a table. values: its end by the record's names, in [0, 1]; series: what a figure draws.

    losses: the training loss by epoch, where a figure draws it. numerics: device, threads, precision, torch.
    """

    config_id: str
    seed: int
    stop_reason: str
    epochs: int
    score: float | None
    values: Mapping[str, float]
    seconds: float
    numerics: str
    series: Mapping[str, list[float]] = field(default_factory=dict)
    losses: Mapping[int, float] = field(default_factory=dict)
    run_id: str = ""


def of_history(history: History) -> list[CellRun]:
    """The trainings that a table's log tells of, as far as they ended, and none that is tried again."""
    trials = history.of_kind("cell")
    return without_retried(
        [_run(t) for t in trials if t.told], {t.config.id for t in trials if t.stop_reason != FAILED}
    )


def without_retried(runs: Iterable[CellRun], others: Collection[str]) -> list[CellRun]:
    """Runs without those that failed and whose config has another, by its id, that did not."""
    return [run for run in runs if run.stop_reason != FAILED or run.config_id not in others]


def _run(trial: TrialRecord) -> CellRun:
    assert trial.told is not None
    return CellRun(
        config_id=trial.config.id,
        seed=trial.config.seed,
        stop_reason=trial.stop_reason,
        epochs=len(trial.epochs),
        score=trial.score,
        values=trial.told.test,
        seconds=sum(epoch.result["seconds"] for epoch in trial.epochs),
        numerics=trial.epochs[-1].numerics if trial.epochs else "none",
        series=trial.told.series,
        losses={epoch.result["epoch"]: epoch.result["train_loss"] for epoch in trial.epochs},
    )


class Filled:
    """One edition of a table and its runs. Values are in the cells' units: accuracies and errors in %."""

    def __init__(self, table: Table, ablation: Ablation, runs: Iterable[CellRun], data: Path | None = None) -> None:
        """data: the folder of the datasets, from which facts are read that no config tells."""
        self.table, self.ablation, self._data = table, ablation, data
        known = list(runs)
        self.runs = [run for run in known if run.stop_reason in ("finished", "diverged")]
        self._scores = {run.config_id: run.score if run.stop_reason == "finished" else None for run in known}
        self._by_config = {run.config_id: run for run in self.runs}
        self._seeds = sorted({run.seed for run in self.runs})
        self._spreads: dict[tuple[str, Hashable, Selection], Spread | None] = {}
        self._ids: dict[int, tuple[TrainConfig, dict[int, str]]] = {}  # by a config's place in memory, which it keeps

    @property
    def edition(self) -> Edition:
        """Which edition it is."""
        return self.ablation.edition

    @property
    def full(self) -> bool:
        """Whether it is of the paper's own length and data: only then are claims confirmed or contradicted."""
        return not self.edition.short and self.edition.scale == 1 and self.edition.on is None

    @cached_property
    def where(self) -> str:
        """Its data and length in words, as the title of every number says them."""
        lengths = _span(self.cells)
        parts = [f"other data: {self.edition.on}"] if self.edition.on else []
        if lengths:
            full = "" if self.full else f" in place of {_span(self.table.cells())}"
            parts.append(f"{lengths} epochs{full}")
        parts += ["each row by its source's recipe"] if self.edition.recipe == "reported" else []
        return ", ".join(parts) or "facts of the data"

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells that have a config."""
        return self.table.cells(self.edition)

    @cached_property
    def used(self) -> list[CellRun]:
        """The runs that stand in a cell."""
        found = (run for cell in self.cells if cell.trains for run in self.runs_of(cell).values())
        return list({run.config_id: run for run in found}.values())

    def runs_of(self, cell: Cell) -> dict[int, CellRun]:
        """The runs of a cell by seed; of the best of several configs, those of the winner on fresh seeds."""
        if not cell.best_of:
            return self._runs(cell.configs[""], self._seeds)
        won = self.won(cell)
        fresh = [seed for seed in self._seeds if seed != SEARCH_SEED]
        return self._runs(cell.configs[won.name], fresh) if won else {}

    def won(self, cell: Cell) -> Won | None:
        """Which config won a cell; None before all have competed, or where none came to a score."""
        if not cell.best_of:
            return None
        return won({name: self._id(config, SEARCH_SEED) for name, config in cell.configs.items()}, self._scores)

    def values(self, cell: Cell, selection: Selection) -> dict[int, float]:
        """A cell by seed at an epoch; nothing where its runs have no such epoch, or diverged.

        At its last epoch a network that diverged puts all into one class: that is no accuracy of the method's.
        """
        if not cell.trains:
            fact = self.fact(cell)
            return {} if fact is None else {0: fact}
        return self._read(cell, selection, self.finished(cell))

    def before_divergence(self, cell: Cell, selection: Selection) -> dict[int, float]:
        """The best epoch of the runs of a cell that diverged, by seed; nothing of the last, nor of a first and only."""
        if not cell.trains or (parsed(cell.read).selection or selection) == "last":
            return {}
        lost = set(self.diverged(cell))
        begun = {seed: run for seed, run in self.runs_of(cell).items() if seed in lost and run.epochs > 1}
        return self._read(cell, selection, begun)

    def _read(self, cell: Cell, selection: Selection, runs: Mapping[int, CellRun]) -> dict[int, float]:
        part, _, _, own = parsed(cell.read)
        if selection == "best_val" and part == "test" and not _has_val(cell):
            return {}
        name = metric_name(cell.read, _recorded(cell, own or selection))
        unit = _converted(self.table.unit(cell.row, cell.column))
        return {seed: unit(run.values[name]) for seed, run in runs.items() if name in run.values}

    def finished(self, cell: Cell) -> dict[int, CellRun]:
        """The runs of a cell that did not diverge, by seed."""
        return {seed: run for seed, run in self.runs_of(cell).items() if run.stop_reason == "finished"}

    def diverged(self, cell: Cell) -> list[int]:
        """The seeds on which a cell diverged."""
        if not cell.trains:
            return []
        return [seed for seed, run in self.runs_of(cell).items() if run.stop_reason == "diverged"]

    def selection_of(self, cell: Cell) -> Selection:
        """The epoch that a cell is read at: the table's, or the last where its runs have no val."""
        own = _recorded(cell, parsed(cell.read).selection or self.table.selection)
        return "last" if own in ("best_val", "best_val_micro") and not _has_val(cell) else own

    def selection_of_paper(self, cell: Cell) -> Selection:
        """The epoch that the paper's number is of; the table's where it does not say."""
        chosen = cell.row.selection
        known = not parsed(cell.read).selection and chosen != "unknown"
        return _recorded(cell, chosen) if known else self.selection_of(cell)

    def spread_of(self, cell: Cell, selection: Selection) -> Spread | None:
        """The spread within the cells of a cell's column that are of its data and length, all at one epoch."""
        alike = _data_and_length(cell)
        key = (cell.column.label, alike, selection)
        if key not in self._spreads:
            inside = [other for other in self.cells if other.column is cell.column and other.trains]
            beside = [other for other in inside if _data_and_length(other) == alike]
            found = {other.key: self.values(other, selection) for other in beside}
            common = {other.key: _beginning(other) for other in beside}
            self._spreads[key] = Measured(self.table, found, common=common).spread_of(cell.column.label)
        return self._spreads[key]

    @cached_property
    def measured(self) -> Measured:
        """The cells at the table's own selection, for verdicts on claims."""
        trained = [cell for cell in self.cells if cell.trains]
        found: Cells = {
            cell.key: self.values(cell, self.selection_of(cell)) for cell in trained if not is_series(cell.read)
        }
        diverged = [cell.key for cell in trained if self.diverged(cell)]
        common = {cell.key: _beginning(cell) for cell in trained}
        kinds = {cell.key: (_data_and_length(cell), self.selection_of(cell)) for cell in trained}
        return Measured(self.table, found, diverged, common, kinds)

    def distinct(self, contrasts: Iterable[Contrast]) -> tuple[Contrast, ...]:
        """Contrasts without those that compare what another does: on other data, columns become one training.

        Of these stays the first in the columns that were asked for, if any is.
        """
        given = tuple(contrasts)
        first: dict[Hashable, Contrast] = {}
        for one in sorted(given, key=lambda one: not self._asked(one)):
            first.setdefault((self._compared(one.better), self._compared(one.worse), one.margin), one)
        kept = set(first.values())
        return tuple(one for one in given if one in kept)

    def _asked(self, contrast: Contrast) -> bool:
        return {*contrast.better.columns, *contrast.worse.columns} <= set(self.ablation.columns)

    def _compared(self, side: Side) -> Hashable:
        """What a side is read of: trainings, whatever their cells are called."""
        return tuple(self._trained.get((row, column), (row, column)) for row in side.rows for column in side.columns)

    @cached_property
    def _trained(self) -> dict[tuple[str, str], Hashable]:
        """By cell, what it trains and reads."""
        return {
            cell.key: (*(self._id(config, SEARCH_SEED) for config in cell.configs.values()), cell.read)
            for cell in self.cells
        }

    def fact(self, cell: Cell) -> float | None:
        """A fact of a cell's data; None where only files tell it that are not at hand."""
        data = cell.configs[""].data
        counts, classes = data.counts, data.classes
        if counts is None:
            try:
                parts = load_parts(data, self._data)
            except InputError:
                return float(classes) if cell.read == "data.classes" and classes else None
            counts, classes = parts.class_counts, parts.classes
        if cell.read == "data.classes":
            return float(classes or len(counts))
        if cell.read == "data.imbalance":
            return max(counts) / min(counts)
        index = int(parsed(cell.read).of)
        return float(counts[index]) if index < len(counts) else None

    def _runs(self, config: TrainConfig, seeds: Iterable[int]) -> dict[int, CellRun]:
        ids = {seed: self._id(config, seed) for seed in seeds}
        return {seed: self._by_config[found] for seed, found in ids.items() if found in self._by_config}

    def _id(self, config: TrainConfig, seed: int) -> str:
        _, ids = self._ids.setdefault(id(config), (config, {}))
        if seed not in ids:
            ids[seed] = self.table.with_seed(config, seed).id
        return ids[seed]


def _span(cells: Iterable[Cell]) -> str:
    """The lengths of cells' trainings, '' where none is trained."""
    lengths = sorted({config.epochs for cell in cells if cell.trains for config in cell.configs.values()})
    return f"{lengths[0]} to {lengths[-1]}" if len(lengths) > 1 else str(lengths[0]) if lengths else ""


def _beginning(cell: Cell) -> str:
    """What names the first epoch of a cell's runs, of whatever seed; of several configs that compete, that of all."""
    return " ".join(prefix_id(config, 1) for config in cell.configs.values())


def _data_and_length(cell: Cell) -> Hashable:
    """What cells must have alike for one spread to be theirs: the data, whichever images a seed draws, and the epochs.

    Of several configs that compete, those of all.
    """
    return frozenset((config.data.replaced(subset_seed=0), config.epochs) for config in cell.configs.values())


def _recorded(cell: Cell, chosen: str) -> Selection:
    """What the record calls an epoch: the best by val's macro accuracy is the best by val, which is also the best by
    the micro one where all classes have as many images there."""
    of_val = chosen == "best_val_macro" or (chosen == "best_val_micro" and _val_is_balanced(cell))
    return "best_val" if of_val else chosen  # type: ignore[return-value]


def _has_val(cell: Cell) -> bool:
    return next(iter(cell.configs.values())).data.has_val is not False


def _val_is_balanced(cell: Cell) -> bool:
    data = next(iter(cell.configs.values())).data
    return data.val_per_class > 0 or data.name == "imagenet-lt"  # whose own val part has 20 images of each class


def _converted(unit: str) -> Callable[[float], float]:
    """A value in [0, 1] -> its unit."""
    if unit == "error":
        return lambda value: 100 * (1 - value)
    return (lambda value: 100 * value) if unit == "accuracy" else (lambda value: value)
