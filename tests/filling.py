"""Tables filled with runs that nobody trained: the numbers are what a test says, by cell and seed."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from search_spaces import TABLES, Table
from search_spaces.ablation import SEARCH_SEED, Ablation
from search_spaces.table import Cell
from tuning.engine.measures import SUFFIXES, metric_name, parsed
from tuning.tables.filled import CellRun, Filled


def table(name: str) -> Table:
    found = TABLES[name]
    assert isinstance(found, Table)
    return found


Value = Callable[[Cell, int], float]
"""What a run has at every epoch that there is, in [0, 1], of a cell and a seed."""


def runs(ablation: Ablation, value: Value, seeds: int) -> list[CellRun]:
    """One run for each config and seed; of cells that share one, it has the values of all."""
    by_config: dict[str, dict[str, Any]] = {}
    its = table(ablation.table)
    for cell in its.cells(ablation.edition):
        for config in cell.configs.values() if cell.trains else ():
            for seed in range(SEARCH_SEED, seeds + cell.best_of):
                config_id = its.with_seed(config, seed).id
                run = by_config.setdefault(config_id, {"seed": seed, "values": {}})
                names = [metric_name(cell.read, selection) for selection in SUFFIXES]
                run["values"] |= dict.fromkeys(names, value(cell, seed))
                run["epochs"] = config.epochs
    return [
        CellRun(config_id, r["seed"], "finished", r["epochs"], 0.5, r["values"], 60.0, "cpu threads=1 fp32")
        for config_id, r in by_config.items()
    ]


def filled(name: str, value: Value, seeds: int = 3, data: Path | None = None, **asked: Any) -> Filled:
    """A table filled with runs, of an edition and the seeds that are asked for."""
    ablation = Ablation(table=name, **asked)
    return Filled(table(name), ablation, runs(ablation, value, seeds), data)


def diverging(found: Filled, *places: tuple[str, str, int]) -> Filled:
    """The same, but for the runs of some rows, columns and seeds, which diverged: all their values are 10 %."""
    keys = {cell.key: cell for cell in found.cells}
    ids = {found.runs_of(keys[row, column])[seed].config_id for row, column, seed in places}
    changed = [
        replace(run, stop_reason="diverged", epochs=7, values=dict.fromkeys(run.values, 0.1))
        if run.config_id in ids
        else run
        for run in found.runs
    ]
    return Filled(found.table, found.ablation, changed)


def jittered(value: Value, points: float) -> Value:
    """Values with noise of a size that each row, column and seed has its own of."""

    def noisy(cell: Cell, seed: int) -> float:
        draw = np.random.default_rng(zlib.crc32(repr((cell.key, seed)).encode()))
        return value(cell, seed) + points / 100 * float(draw.uniform(-1, 1))

    return noisy


def as_printed(name: str, noise: Mapping[int, float]) -> Value:
    """The paper's own numbers, plus noise in points by seed, and 50 % where it has none."""
    its = table(name)

    def value(cell: Cell, seed: int) -> float:
        number = its.reported.get(cell.key)
        percent = 50.0 if number is None or parsed(cell.read).part != "test" else number.value
        if its.unit(cell.row, cell.column) == "error":
            percent = 100 - percent
        return (percent + noise.get(seed, 0.0)) / 100

    return value
