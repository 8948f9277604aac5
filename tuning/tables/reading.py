"""Tables back from the record: each edition that was run, with its trainings."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from mlflow.entities import Run

from lt_core.value import InputError
from search_spaces.ablation import Ablation
from search_spaces.table import Table
from tuning.engine.measures import parsed
from tuning.record.reading import AT_ONCE, Record, ended_by
from tuning.tables.filled import FAILED, CellRun, without_retried

MOST_EDITIONS = 1000
DONE = ("finished", "diverged", "reused", FAILED)


def read_table(uri: str, table: Table) -> list[tuple[Ablation, list[CellRun]]]:
    """The editions of a table in the record, the newest of each name, and their trainings that ended."""
    record = Record(uri)
    found: dict[str, tuple[Ablation, list[CellRun]]] = {}
    for parent in record.studies(f" and tags.`lt.table` = '{table.name}'", MOST_EDITIONS):
        ablation = _ablation(record, parent)
        if ablation.name not in found:
            found[ablation.name] = ablation, list(_runs(record, parent, table))
    return list(found.values())


def _ablation(record: Record, parent: Run) -> Ablation:
    text = record.text(parent.info.run_id, "table.yaml")
    if text is None:
        raise InputError(f"the record lacks the table.yaml of {parent.info.run_name}: it cannot be reported")
    return Ablation.load(text)


def _runs(record: Record, parent: Run, table: Table) -> Iterator[CellRun]:
    known = [(run, run.data.tags["lt.stop_reason"]) for run in record.children(parent)]
    others = {run.data.tags["lt.config_id"] for run, reason in known if reason != FAILED}
    runs = without_retried([_run(run) for run, reason in known if reason in DONE], others)
    parts = {parsed(column.read).part for column in table.columns}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        if "influence" in parts:
            texts = pool.map(lambda run: record.text(run.run_id, "series.json"), runs)
            runs = [replace(run, series=json.loads(text or "{}")) for run, text in zip(runs, texts, strict=True)]
        if "train_loss" in parts:
            losses = pool.map(lambda run: record.course(run.run_id, "train_loss"), runs)
            runs = [replace(run, losses=course) for run, course in zip(runs, losses, strict=True)]
    yield from runs


def _run(run: Run) -> CellRun:
    tags, metrics, reason = run.data.tags, run.data.metrics, ended_by(run)
    epochs = int(metrics.get("epochs_trained", 0) + metrics.get("epochs_reused", 0))
    return CellRun(
        config_id=tags["lt.config_id"],
        seed=int(tags["lt.seed"]),
        stop_reason="diverged" if reason == "reused" else reason,  # of a table, nothing else ends before its time
        epochs=epochs,
        score=metrics.get("score"),
        values={name: value for name, value in metrics.items() if name.startswith(("test_", "influence_"))},
        seconds=metrics.get("device_seconds", 0.0),
        numerics=tags["lt.numerics"],
        run_id=run.info.run_id,
    )
