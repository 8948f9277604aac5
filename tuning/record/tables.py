"""What the record has of a paper's table, as plain data."""

from mlflow.entities import Run

from tuning.record.queries import Queries, recorded
from tuning.record.runs import RecordedTable
from tuning.record.tracking import check_answers

MOST_EDITIONS = 1000


def recorded_tables(uri: str, name: str) -> list[RecordedTable]:
    """The editions of a table, the newest first, each with its trainings. InputError where nothing answers."""
    check_answers(uri)
    record = Queries(uri)
    return [_recorded(record, run) for run in record.studies(f" and tags.`lt.table` = '{name}'", MOST_EDITIONS)]


def _recorded(record: Queries, own: Run) -> RecordedTable:
    runs = tuple(map(recorded, record.children(own)))
    return RecordedTable(own.info.run_name or "", record.text(own.info.run_id, "table.yaml"), runs)
