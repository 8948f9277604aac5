"""Tables back from the record, whose runs nobody trained."""

from dataclasses import replace
from pathlib import Path

import pytest
from recording import database, deliver, epochs
from test_events import asked

from search_spaces import TABLES, Table
from search_spaces.ablation import Ablation, trainings
from tuning.log.events import Event, Started, Told
from tuning.record.identity import Identity, params
from tuning.record.tables import recorded_tables
from tuning.tables.reading import read_table

ASKED = Ablation(table="ib2021/table2", short=True, on="digits", seeds=1)


def events(*ends: Told) -> list[Event]:
    """A table whose first trainings ended so."""
    table = TABLES[ASKED.table]
    assert isinstance(table, Table)
    tags = {"lt.table": table.name, "lt.edition": ASKED.edition.name}
    found: list[Event] = [
        Started(ASKED.name, "c", tags, experiment=table.name, artifacts={"table.yaml": ASKED.dump()}),
    ]
    for training, end in zip(trainings(ASKED, table), ends, strict=False):
        config = training.config
        event = asked(end.trial, config, "cell")
        event = replace(event, params=params(config), tags={**Identity(Path()).tags(config), "lt.role": "none"})
        found += [event, *epochs(end.trial, *[0.5] * config.epochs), end]
    return found


@pytest.fixture
def read(tmp_path):
    def runs(*ends: Told):
        uri = database(tmp_path)
        deliver(uri, events(*ends))
        table = TABLES[ASKED.table]
        assert isinstance(table, Table)
        ((ablation, found),) = read_table(uri, table, recorded_tables(uri, table.name))
        assert ablation == ASKED
        return [(run.stop_reason, run.epochs) for run in found]

    return runs


def test_a_run_that_diverged_in_its_last_epoch_is_no_finished_one(read):
    test = {"test_acc_last": 0.1}
    ends = [
        Told(0, "finished", test),
        Told(1, "diverged", test),
        Told(2, "diverged", test, reused_from="other/3"),
        Told(3, "finished", test, reused_from="other/4"),
    ]
    assert sorted(read(*ends)) == [("diverged", 10), ("diverged", 10), ("finished", 10), ("finished", 10)]
