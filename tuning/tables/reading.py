"""Tables back from the record: each edition that was run, with its trainings."""

import json
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from lt_core.value import InputError
from search_spaces.ablation import Ablation
from search_spaces.table import Table
from tuning.engine.measures import parsed
from tuning.record.runs import RecordedRun, RecordedTable
from tuning.tables.filled import FAILED, CellRun, without_retried

AT_ONCE = 8  # requests
DONE = ("finished", "diverged", "reused", FAILED)


def read_table(uri: str, table: Table, recorded: Sequence[RecordedTable]) -> list[tuple[Ablation, list[CellRun]]]:
    """The editions of a table in the record, the newest of each name, and their trainings that ended."""
    found: dict[str, tuple[Ablation, list[CellRun]]] = {}
    for edition in recorded:
        ablation = _ablation(edition)
        if ablation.name not in found:
            found[ablation.name] = ablation, list(_runs(uri, edition, table))
    return list(found.values())


def _ablation(edition: RecordedTable) -> Ablation:
    if edition.text is None:
        raise InputError(f"the record lacks the table.yaml of {edition.name}: it cannot be reported")
    return Ablation.load(edition.text)


def _runs(uri: str, edition: RecordedTable, table: Table) -> Iterator[CellRun]:
    others = {run.tags["lt.config_id"] for run in edition.runs if run.tags["lt.stop_reason"] != FAILED}
    runs = without_retried([_run(run) for run in edition.runs if run.tags["lt.stop_reason"] in DONE], others)
    yield from _with_series(uri, runs, {parsed(column.read).part for column in table.columns})


def _with_series(uri: str, runs: list[CellRun], parts: Collection[str]) -> list[CellRun]:
    """Runs with what figures draw of them, which few tables read."""
    if not {"influence", "train_loss"} & set(parts):
        return runs
    from tuning.record.queries import Queries  # imports MLflow, which the others need not wait for

    record = Queries(uri)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        if "influence" in parts:
            texts = pool.map(lambda run: record.text(run.run_id, "series.json"), runs)
            runs = [replace(run, series=json.loads(text or "{}")) for run, text in zip(runs, texts, strict=True)]
        if "train_loss" in parts:
            losses = pool.map(lambda run: record.course(run.run_id, "train_loss"), runs)
            runs = [replace(run, losses=course) for run, course in zip(runs, losses, strict=True)]
    return runs


def _run(run: RecordedRun) -> CellRun:
    tags, metrics = run.tags, run.metrics
    return CellRun(
        config_id=tags["lt.config_id"],
        seed=int(tags["lt.seed"]),
        stop_reason="diverged" if run.stop_reason == "reused" else run.stop_reason,  # nothing else ends it earlier
        epochs=int(metrics.get("epochs_trained", 0) + metrics.get("epochs_reused", 0)),
        score=metrics.get("score"),
        values={name: value for name, value in metrics.items() if name.startswith(("test_", "influence_"))},
        seconds=metrics.get("device_seconds", 0.0),
        numerics=tags["lt.numerics"],
        run_id=run.run_id,
    )
