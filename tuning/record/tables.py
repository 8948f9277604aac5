"""What the record has of a paper's table, as plain data."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from mlflow.entities import Run

from tuning.record.queries import AT_ONCE, Queries, recorded
from tuning.record.runs import RecordedTable
from tuning.record.tracking import check_answers
from tuning.shell.uris import database_file

MOST_EDITIONS = 1000


def recorded_tables(uri: str, name: str) -> list[RecordedTable]:
    """The editions of a table, of each the newest, with its trainings. InputError where nothing answers."""
    check_answers(uri)
    file = database_file(uri)
    if file is not None and not file.exists():  # which reading must not make
        return []
    record, newest = Queries(uri), dict[str, Run]()
    for run in record.studies(f" and tags.`lt.table` = '{name}'", MOST_EDITIONS):
        newest.setdefault(run.data.tags["lt.study"], run)
    return [_recorded(record, run) for run in newest.values()]


def _recorded(record: Queries, own: Run) -> RecordedTable:
    runs = tuple(map(recorded, record.children(own)))
    return RecordedTable(own.info.run_name or "", record.text(own.info.run_id, "table.yaml"), runs)


def series_of(uri: str, run_ids: Sequence[str]) -> list[dict[str, list[float]]]:
    """What figures draw of some runs, by read."""
    record = Queries(uri)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [json.loads(text or "{}") for text in pool.map(lambda run: record.text(run, "series.json"), run_ids)]


def losses_of(uri: str, run_ids: Sequence[str]) -> list[dict[int, float]]:
    """The training loss of some runs, by epoch."""
    record = Queries(uri)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda run: record.course(run, "train_loss"), run_ids))
