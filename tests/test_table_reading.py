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


def events(*ends: Told, ablation: Ablation = ASKED) -> list[Event]:
    """A table whose first trainings ended so."""
    table = table_of(ablation)
    tags = {"lt.table": table.name, "lt.edition": ablation.edition.name}
    found: list[Event] = [
        Started(ablation.name, "c", tags, experiment=table.name, artifacts={"table.yaml": ablation.dump()}),
    ]
    for training, end in zip(trainings(ablation, table), ends, strict=False):
        config = training.config
        event = asked(end.trial, config, "cell")
        event = replace(event, params=params(config), tags={**Identity(Path()).tags(config), "lt.role": "none"})
        found += [event, *epochs(end.trial, *[0.5] * config.epochs), end]
    return found


def table_of(ablation: Ablation) -> Table:
    found = TABLES[ablation.table]
    assert isinstance(found, Table)
    return found


def from_record(uri: str, ablation: Ablation):
    return read_table(uri, table_of(ablation), recorded_tables(uri, ablation.table))


@pytest.fixture
def read(tmp_path):
    def runs(*ends: Told):
        uri = database(tmp_path)
        deliver(uri, events(*ends))
        ((ablation, found),) = from_record(uri, ASKED)
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


def test_what_a_figure_draws_is_read_with_its_runs(tmp_path):
    """The influences of a training's end, and the course of its loss."""
    uri = database(tmp_path)
    series = {"influence.top[0]": [1.0, 0.5]}
    influences = Ablation(table="ib2021/figure2", short=True, on="digits", seeds=1)
    losses = Ablation(table="ib2021/figure3", short=True, on="digits", seeds=1)
    deliver(uri, events(Told(0, "finished", {"influence_top.0": 0.75}, series=series), ablation=influences))
    deliver(uri, events(Told(0, "finished", {"test_acc_last": 0.5}), ablation=losses))
    ((_, (run,)),) = from_record(uri, influences)
    assert run.series == series and run.values == {"influence_top.0": 0.75} and run.losses == {}
    ((_, (run,)),) = from_record(uri, losses)
    assert run.series == {} and list(run.losses) == list(range(1, run.epochs + 1))


def test_of_an_edition_that_was_trained_anew_the_newest_counts(tmp_path):
    uri = database(tmp_path)
    for end in (Told(0, "finished", {"test_acc_last": 0.1}), Told(0, "finished", {"test_acc_last": 0.2})):
        deliver(uri, events(end))
    ((_, (run,)),) = from_record(uri, ASKED)
    assert run.values == {"test_acc_last": 0.2}
