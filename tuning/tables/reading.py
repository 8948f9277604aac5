"""Tables back from the record: each edition that was run, with its trainings."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from lt_core.value import InputError
from search_spaces.ablation import Ablation
from search_spaces.table import Table
from tuning.engine.measures import parsed
from tuning.record.runs import RecordedRun, RecordedTable
from tuning.tables.filled import FAILED, CellRun, without_retried

DONE = ("finished", "diverged", "reused", FAILED)


def read_table(uri: str, table: Table, recorded: Sequence[RecordedTable]) -> list[tuple[Ablation, list[CellRun]]]:
    """The editions of a table and their trainings that ended. uri: of the record, for what figures draw."""
    parts = {parsed(column.read).part for column in table.columns}
    return [(_ablation(edition), _with_series(uri, _runs(edition), parts)) for edition in recorded]


def _ablation(edition: RecordedTable) -> Ablation:
    if edition.text is None:
        raise InputError(f"the record lacks the table.yaml of {edition.name}: it cannot be reported")
    return Ablation.load(edition.text)


def _runs(edition: RecordedTable) -> list[CellRun]:
    others = {run.tags["lt.config_id"] for run in edition.runs if run.tags["lt.stop_reason"] != FAILED}
    return without_retried([_run(run) for run in edition.runs if run.tags["lt.stop_reason"] in DONE], others)


def _with_series(uri: str, runs: list[CellRun], parts: Collection[str]) -> list[CellRun]:
    """Runs with what figures draw of them, which few tables read."""
    if not {"influence", "train_loss"} & set(parts):
        return runs
    from tuning.record.tables import losses_of, series_of  # import MLflow, which other tables do not wait for here

    run_ids = [run.run_id for run in runs]
    if "influence" in parts:
        runs = [replace(run, series=found) for run, found in zip(runs, series_of(uri, run_ids), strict=True)]
    if "train_loss" in parts:
        runs = [replace(run, losses=found) for run, found in zip(runs, losses_of(uri, run_ids), strict=True)]
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
