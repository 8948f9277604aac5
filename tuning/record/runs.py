"""Runs as the record has them, as plain data. Imports neither MLflow nor torch: processes hand them to each other."""

from collections.abc import Sequence
from dataclasses import dataclass

TWIN = "lt.twin_stop_reason"  # of a run that was taken over: why the training ended whose epochs it has


@dataclass(frozen=True)
class RecordedRun:
    """What the record says of one training. stop_reason: of one taken over, why that ended whose epochs it has."""

    run_id: str
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]
    stop_reason: str


@dataclass(frozen=True)
class RecordedTable:
    """One edition of a paper's table: the name of its own run, its table.yaml (None where the record lacks it), its
    trainings."""

    name: str
    text: str | None
    runs: Sequence[RecordedRun]
