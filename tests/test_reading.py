import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from recording import ENDED, EVENTS, SPACE, STARTED, ask, deliver, epochs, undisturbed
from test_events import epoch, history

from lt_core import InputError
from search_spaces import SPACES, Choice, Space, Study
from tuning.engine.stages import asked
from tuning.log.events import Ended, Event, Started, Told
from tuning.log.results import Results, of_history
from tuning.record.identity import Identity
from tuning.record.reading import read_study, settings_of
from tuning.reports.figures import parallel

pytestmark = pytest.mark.usefixtures("quick")
STUDY = Study(space=SPACE, trials=5)
BEGUN: Started = replace(STARTED, artifacts={"study.yaml": STUDY.dump()})
ALL: list[Event] = [BEGUN, *EVENTS[1:]]
FINISHED = replace(ENDED, artifacts={"study.yaml": STUDY.dump()})


def told(results: Results) -> list[dict[str, Any]]:
    """All that is known of each trial; the courses of those that are drawn."""
    drawn = {trial.number for trial in results.shown}
    return [vars(t) | {"scores": t.scores if t.number in drawn else {}} for t in results.trials]


# --- a study ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("events", [[*ALL, FINISHED], [*ALL[:5], Ended("interrupted")], ALL[:5], [BEGUN]])
def test_the_record_says_what_the_log_says(uri, events):
    deliver(uri, events)
    read, logged = read_study(uri, "mine-1"), of_history("mine-1", STUDY, history(*events))
    assert told(read) == told(logged)
    assert (read.name, read.study, read.command, read.ended) == (logged.name, STUDY, "lt-tune search", logged.ended)


def test_without_courses_all_else_is_the_same(uri):
    deliver(uri, [*ALL, FINISHED])
    quick, whole = read_study(uri, "mine-1", courses=False), read_study(uri, "mine-1")
    assert [t.scores for t in quick.trials] == [{}] * 7 and whole.trials[0].scores == {3: 0.625, 4: 0.75}
    assert [replace(t, scores={}) for t in whole.trials] == list(quick.trials)


def test_what_a_study_judges_by_beside_the_score_is_read_back(uri):
    fields = {"objectives": ["score", "val_acc_tail"], "constraints": [{"metric": "val_acc_head", "at_least": 0.7}]}
    study = Study.parse({**STUDY.plain(), **fields})
    started = replace(STARTED, artifacts={"study.yaml": study.dump()})
    outcomes = {"val_acc_tail": 0.25, "val_acc_head": 0.5}
    best = epoch(0, 3, 0.75, val={"acc": 0.75, "acc_tail": 0.25, "acc_head": 0.5})
    last = epoch(0, 4, 0.75, best_epoch=3)
    events = [started, ask(0), *epochs(0, None, None), best, last, Told(0, "finished", outcomes=outcomes)]
    deliver(uri, events)
    (trial,) = read_study(uri, "mine-1").trials
    assert (trial.objectives, trial.feasible, trial.judged) == ((0.75, 0.25), False, {"score": 0.75, **outcomes})
    assert told(read_study(uri, "mine-1")) == told(of_history("mine-1", study, history(*events)))


@pytest.mark.parametrize("name", SPACES)
def test_settings_come_back_as_they_were_in_every_space(name):
    space = SPACES[name]
    points = [
        space.paper,
        *(space.point({symbol: end}) for symbol, domain in space.domains.items() for end in domain.ends()),
    ]
    for point in points:
        params = {symbol: str(point.get(symbol, "none")) for symbol in space.symbols}
        assert settings_of(space.domains, params) == point


LABELLED = Study(space=SPACES["demo-methods"].scaled(4 / 16), trials=4, confirm=0)
UNLIKE_THEIR_LABEL: list[dict[str, Any]] = [  # by what they train: LA, CE+CB, LDAM+CB
    {"method": "BalSoft", "la_tau": 2.0},
    {"method": "CE-DRW", "drw_epoch": 0},
    {"method": "LDAM-DRW", "drw_epoch": 0},
]


def labelled(number: int, point: dict[str, Any], score: float) -> list[Event]:
    settings = LABELLED.space.point(point)
    event = asked(number, "trial", "", settings, LABELLED.space.config(settings), LABELLED, Identity(Path()))
    return [event, *epochs(number, score, score, score, score), Told(number, "finished")]


def test_a_label_is_read_back_though_what_it_trains_has_another_name(uri):
    begun = replace(STARTED, artifacts={"study.yaml": LABELLED.dump()})
    trials = [labelled(number, point, 0.5 + number / 8) for number, point in enumerate(UNLIKE_THEIR_LABEL)]
    events = [begun, *itertools.chain(*trials)]
    deliver(uri, events)
    read = read_study(uri, "mine-1")
    assert told(read) == told(of_history("mine-1", LABELLED, history(*events)))
    assert [trial.settings["method"] for trial in read.trials] == ["BalSoft", "CE-DRW", "LDAM-DRW"]
    figure = parallel(read)
    assert figure is not None and "method LDAM-DRW (1)" in [axes.get_title() for axes in figure.axes]


def test_a_symbol_of_the_name_of_a_param_is_read_back_and_the_length_is_the_config_s(uri):
    plain = Choice(labels={"short": {"epochs": 4}, "long": {"epochs": 8}})
    study = Study(space=Space(name="lengths", base=SPACE.base, domains={"epochs": plain}), trials=2, confirm=0)
    event = asked(0, "trial", "", {"epochs": "short"}, study.space.config({"epochs": "short"}), study, Identity(Path()))
    control = asked(1, "confirm", "CE", {}, SPACE.base, study, Identity(Path()))
    begun = replace(STARTED, artifacts={"study.yaml": study.dump()})
    events = [begun, event, *epochs(0, None, None, 0.5, 0.5), Told(0, "finished"), control]
    deliver(uri, events)
    assert told(read_study(uri, "mine-1")) == told(of_history("mine-1", study, history(*events)))


def test_a_twin_of_a_twin_ended_as_the_first(uri):
    stopped = [
        ask(0),
        *epochs(0, None, 0.5),
        Told(0, "early_stopped"),
        ask(1),
        *epochs(1, None, 0.5),
        Told(1, "early_stopped", reused_from=0),
    ]
    deliver(uri, [BEGUN, *stopped, ask(2), *epochs(2, None, 0.5), Told(2, "early_stopped", reused_from=1)])
    found = read_study(uri, "mine-1").trials
    assert [(t.stop_reason, t.reused) for t in found] == [("early_stopped", False)] + [("early_stopped", True)] * 2


def test_a_record_that_lacks_what_was_searched_says_so(uri):
    deliver(uri, [STARTED, ask(0)])
    with pytest.raises(InputError, match=r"lacks the study\.yaml of study mine-1"):
        read_study(uri, "mine-1")


def test_a_name_that_is_nearly_right_is_guessed(uri):
    deliver(uri, [BEGUN])
    with pytest.raises(InputError, match=r"no study `mine-2` \(did you mean `mine-1`\?\)"):
        read_study(uri, "mine-2")


def test_only_the_studys_experiment_is_searched_and_no_config_is_fetched(uri, monkeypatch):
    """2,000 trials are read in seconds only if nothing is asked for trial by trial."""
    deliver(uri, [*ALL, FINISHED])
    asked: list[str] = []
    fetch = MlflowClient.download_artifacts
    monkeypatch.setattr(MlflowClient, "download_artifacts", lambda *a: asked.append(a[2]) or fetch(*a))
    monkeypatch.setattr(MlflowClient, "get_metric_history", lambda *a: asked.append(a[2]) or [])
    read_study(uri, "mine-1", courses=False)
    assert asked == ["study.yaml"]


@pytest.mark.parametrize("name", ["none", "mine-1' OR '1' = '1", "", "mine-1\n"])
def test_a_study_that_the_record_has_not_is_refused(name):
    with pytest.raises(InputError, match="the record has no study"):
        read_study(undisturbed(), name)
