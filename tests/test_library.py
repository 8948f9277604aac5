import json
from dataclasses import asdict, replace

import pytest
from test_events import asked, epoch

from lt_core.identity import core_id
from lt_core.value import InputError, override
from search_spaces.demo import DIGITS_IB
from tuning.engine.library import Library
from tuning.log.events import Asked, Started, Told, TrialRecord, fold

TAGS = {"lt.config_id": "c", "lt.data_id": "d", "lt.core_id": core_id()}


def asked_for(number=0, kind="trial", **tags):
    return replace(asked(number, kind=kind), config=DIGITS_IB.plain(), tags={**TAGS, **tags})


def write(home, name, *events):
    path = home / "studies" / name / "events.jsonl"
    path.parent.mkdir(parents=True)
    every = [Started(name, "c", {}, study_id=f"id-{name}"), *events]
    path.write_text("".join(json.dumps({"event": type(e).__name__, **asdict(e)}) + "\n" for e in every))
    return path


def wanted(kind="trial", **tags) -> TrialRecord:
    return TrialRecord(asked_for(7, kind, **tags))


def test_a_finished_training_of_another_study_is_found(tmp_path):
    write(tmp_path, "a", asked_for(3), epoch(3, 1, 0.5), Told(3, "finished"))
    found = Library(tmp_path).find(wanted())
    assert found is not None
    assert (found.origin, len(found.trial.epochs), found.trial.last["score"]) == ("id-a/3", 1, 0.5)


def test_what_did_not_finish_or_trained_something_else_is_not(tmp_path):
    write(tmp_path, "a", asked_for(0), epoch(0, 1, 0.5), Told(0, "early_stopped"))
    write(tmp_path, "b", asked_for(0, **{"lt.data_id": "other"}), epoch(0, 1, 0.5), Told(0, "finished"))
    write(tmp_path, "c", asked_for(0, **{"lt.core_id": "older"}), epoch(0, 1, 0.5), Told(0, "finished"))
    assert Library(tmp_path).find(wanted()) is None


def test_the_study_that_asks_is_left_out(tmp_path):
    own = write(tmp_path, "a", asked_for(0), epoch(0, 1, 0.5), Told(0, "finished"))
    assert Library(tmp_path, own).find(wanted()) is None
    assert Library(tmp_path).has(TAGS, "trial")


def test_a_confirming_run_needs_test_values(tmp_path):
    write(tmp_path, "a", asked_for(0), epoch(0, 1, 0.5), Told(0, "finished"))
    assert Library(tmp_path).find(wanted("confirm")) is None
    write(tmp_path, "b", asked_for(4, "confirm"), epoch(4, 1, 0.5), Told(4, "finished", {"test_acc": 0.25}))
    found = Library(tmp_path).find(wanted("confirm"))
    assert found is not None and found.origin == "id-b/4"


DAMAGED = {
    "another version's": '{"event":"Nope"}\n',
    "no JSON": "x\n",
    "no object": "[1]\n",
    "an epoch of no trial": '{"event":"EpochDone","trial":9,"result":{},"numerics":"n"}\n',
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_a_log_that_cannot_be_read_is_passed_over_and_named(tmp_path, text):
    damaged = write(tmp_path, "a", asked_for(0), epoch(0, 1, seconds=2.0), Told(0, "finished"))
    damaged.write_text(damaged.read_text() + text)
    write(tmp_path, "b", asked_for(3), epoch(3, 1, 0.5, seconds=3.0), Told(3, "finished"))
    library = Library(tmp_path)
    found = library.find(wanted())
    assert found is not None and found.origin == "id-b/3"
    assert library.seconds(DIGITS_IB) == library.seconds_like(DIGITS_IB) == 3.0
    (note,) = library.notes
    assert note == f"{damaged} is no event log of this version: what it has is not reused"


def test_a_config_of_another_version_does_not_hinder_a_plan(tmp_path):
    odd = {**DIGITS_IB.plain(), "data": {**DIGITS_IB.plain()["data"], "gone": 1}}
    write(tmp_path, "a", replace(asked_for(0), config=odd), epoch(0, 1), Told(0, "finished"))
    assert Library(tmp_path).seconds_like(DIGITS_IB) is None


def test_a_log_is_folded_once_however_often_it_is_asked(tmp_path, monkeypatch):
    write(tmp_path, "a", asked_for(0), epoch(0, 1, 0.5), Told(0, "finished"))
    folded = []
    monkeypatch.setattr("tuning.engine.library.fold", lambda path: folded.append(path) or fold(path))
    library = Library(tmp_path)
    assert all(library.find(wanted()) for _ in range(3)) and len(folded) == 1


def test_the_time_of_an_epoch_is_that_of_like_trainings(tmp_path):
    def timed(number, config, *seconds):
        one = Asked(number, "trial", "", {}, config.plain(), {}, TAGS)
        return [one, *(epoch(number, e, seconds=s) for e, s in enumerate(seconds, 1))]

    other = DIGITS_IB.replaced(batch_size=32)
    longer = DIGITS_IB.replaced(epochs=20)
    write(tmp_path, "a", *timed(0, longer, 1.0, 2.0, 3.0), *timed(1, other, 50.0), *timed(2, DIGITS_IB, 0.0))
    assert Library(tmp_path).seconds(DIGITS_IB) == 2.0
    assert Library(tmp_path).seconds(DIGITS_IB.replaced(precision="bf16")) is None


def test_what_is_at_hand_has_test_values_of_the_same_data(tmp_path):
    own = DIGITS_IB.id
    write(tmp_path, "a", asked_for(0, **{"lt.config_id": own}), epoch(0, 1, 0.5), Told(0, "finished"))
    library, tags = Library(tmp_path), {**TAGS, "lt.config_id": own}
    assert library.at_hand([DIGITS_IB], "trial", lambda config: tags) == {own}
    assert library.at_hand([DIGITS_IB], "cell", lambda config: tags) == set()
    tested = asked_for(0, "confirm", **{"lt.config_id": own})
    write(tmp_path, "b", tested, epoch(0, 1, 0.5), Told(0, "finished", {"test_acc": 0.5}))
    assert Library(tmp_path).at_hand([DIGITS_IB], "cell", lambda config: tags) == {own}
    assert Library(tmp_path).at_hand([DIGITS_IB], "cell", lambda config: tags, ["influence.top[0]"]) == set()


def test_of_own_files_only_what_was_trained_on_the_same_is_at_hand(tmp_path):
    def lacking(config):
        raise InputError("no data")

    own = override(DIGITS_IB, {"data": {"name": "npz", "path": "mine.npz", "val_fraction": 0.2}})
    tags = {**TAGS, "lt.config_id": own.id}
    write(tmp_path, "a", asked_for(0, "confirm", **tags), epoch(0, 1, 0.5), Told(0, "finished", {"test_acc": 0.5}))
    assert Library(tmp_path).at_hand([own], "cell", lambda config: tags) == {own.id}
    assert Library(tmp_path).at_hand([own], "cell", lambda config: {**tags, "lt.data_id": "other"}) == set()
    assert Library(tmp_path).at_hand([own], "cell", lacking) == set()
