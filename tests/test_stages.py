import pytest
from test_events import epoch

from search_spaces import SPACES, Study
from tuning.engine.stages import ConfirmStage, SearchStage, asked, confirmations
from tuning.log.events import EpochDone, EventLog, Told
from tuning.record.identity import Identity


@pytest.fixture
def log(tmp_path):
    return EventLog(tmp_path / "events.jsonl", lambda event: None)


def study(**fields):
    return Study.parse({"space": SPACES["demo"].plain(), **fields})


def search(log, made):
    return SearchStage(made, log.history, Identity(log._path.parent))


def train(log, stage, event, score, epochs=16):
    for number in range(1, epochs + 1):
        log.emit(EpochDone(event.trial, epoch(event.trial, number, score).result, "n"))
    log.emit(Told(event.trial, "finished"))
    stage.told(log.history.trials[event.trial])


def searched(log, made, scores):
    stage = search(log, made)
    for score in scores:
        (event,) = stage.propose(len(log.history.trials))
        log.emit(event)
        train(log, stage, event, score)
    return stage


def test_a_batch_is_asked_for_at_once_and_waited_for(log):
    made = study(trials=7, batch=3)
    stage = search(log, made)
    first = stage.propose(0)
    assert [event.trial for event in first] == [0, 1, 2]
    for event in first:
        log.emit(event)
    for event in reversed(first):
        assert stage.propose(3) == [] and not stage.over
        train(log, stage, event, 0.5)
    for wanted in (3, 1):
        events = stage.propose(len(log.history.trials))
        assert len(events) == wanted
        for event in events:
            log.emit(event)
        for event in events:
            train(log, stage, event, 0.5)
    assert stage.over and stage.propose(7) == []


@pytest.mark.parametrize("asked_for", [{"per_branch": 3}, {"trials": 9}], ids=["a search each", "one search"])
def test_labels_with_a_search_each_are_compared_at_rungs_with_their_own(log, asked_for):
    space = SPACES["demo-methods"]
    labels = [label for label in space.domains["method"].labels if label != space.paper["method"]][:2]
    first = [] if "per_branch" in asked_for else [{"method": label} for label in labels]
    stage = search(log, Study.parse({"space": space.plain(), "first": first, **asked_for}))
    rung = stage._rungs.epochs[0]
    found = []
    for score in (0.9, 0.8, 0.4):
        (event,) = stage.propose(len(log.history.trials))
        log.emit(event)
        for number in range(1, rung + 1):
            log.emit(EpochDone(event.trial, epoch(event.trial, number, score).result, "n"))
        found.append((event.settings["method"], stage.verdict(log.history.trials[event.trial])))
    assert [label for label, _ in found[1:]] == labels
    verdict = None if "per_branch" in asked_for else "early_stopped"
    assert [each for _, each in found] == [None, verdict, verdict]


def test_the_rest_of_a_batch_that_was_cut_is_asked_for_at_once(tmp_path):
    """Killed after two of four were asked for, gone on with: the same four as undisturbed."""
    whole, cut = (EventLog(tmp_path / name, lambda event: None) for name in ("whole", "cut"))
    wanted = search(whole, study(trials=8, batch=4)).propose(0)
    for event in wanted[:2]:
        cut.emit(event)
    found = search(cut, study(trials=8, batch=4)).propose(2)
    assert [event.settings for event in found] == [event.settings for event in wanted[2:]]


def test_a_batch_suggests_the_same_in_whatever_order_it_ends(tmp_path):
    def second_batch(name, order):
        log = EventLog(tmp_path / name, lambda event: None)
        stage = search(log, study(trials=8, batch=4))
        first = stage.propose(0)
        for event in first:
            log.emit(event)
        for i in order:
            train(log, stage, first[i], 0.5 + i / 10)
        return [event.settings for event in stage.propose(4)]

    assert second_batch("a", [0, 1, 2, 3]) == second_batch("b", [3, 1, 0, 2])


def test_a_budget_stops_what_runs(log):
    stage = search(log, study(budget={"epochs": 3}))
    (event,) = stage.propose(0)
    log.emit(event)
    trial = log.history.trials[0]
    verdicts = []
    for number in range(1, 4):
        log.emit(EpochDone(0, epoch(0, number, 0.5).result, "n"))
        verdicts.append(stage.verdict(trial))
    assert verdicts == [None, None, "budget"] and stage.over


def roles(found):
    return [(role, config.seed) for role, _, config in found]


def test_the_best_configs_the_paper_s_and_plain_ce_are_confirmed_on_fresh_seeds(log):
    made = study(trials=5, confirm=2, confirm_top=3)
    searched(log, made, [0.5, 0.9, 0.7, 0.8, 0.6])
    found = list(confirmations(made, log.history))
    assert roles(found) == [(r, s) for s in (1, 2) for r in ("best", "best-2", "best-3", "paper", "CE")]
    assert [dict(settings) for _, settings, _ in found[:3]] == [log.history.trials[n].asked.settings for n in (1, 3, 2)]
    assert {config.data.subset_seed for _, _, config in found} == {0}


def test_fewer_configs_than_wanted_are_confirmed_once_each(log):
    made = study(trials=2, confirm=1)
    searched(log, made, [0.5, 0.4])
    assert roles(confirmations(made, log.history)) == [("best", 1), ("paper", 1), ("CE", 1)]


def test_resampling_draws_other_images_but_not_of_the_exact_subset(log):
    made = study(trials=1, confirm=2, confirm_full=True, resample=True)
    searched(log, made, [0.5])
    found = {(role, config.seed): config for role, _, config in confirmations(made, log.history)}
    assert [found["paper", k].data.subset_seed for k in (1, 2)] == [1, 2]
    assert [found["exact", k].data.subset_seed for k in (1, 2)] == [0, 0]
    assert found["exact", 1].data.val_per_class == 0


def test_what_lies_outside_the_constraints_is_not_confirmed(log):
    made = study(trials=2, confirm=1, constraints=[{"metric": "val_acc_head", "at_most": 0.8}])
    searched(log, made, [0.5, 0.9])
    assert roles(confirmations(made, log.history)) == [("paper", 1), ("CE", 1)]


def test_a_confirmation_goes_on_where_it_was(log):
    made = study(trials=2, confirm=2)
    searched(log, made, [0.5, 0.9])
    stage = ConfirmStage(made, log.history, Identity(log._path.parent))
    (event,) = stage.propose(2)
    log.emit(event)
    again = ConfirmStage(made, log.history, Identity(log._path.parent))
    rest = []
    while not again.over:
        rest += again.propose(len(log.history.trials))
    assert [e.role for e in rest] == ["paper", "CE", "best", "paper", "CE"] and event.role == "best"


def test_a_confirming_run_that_failed_is_asked_for_again_by_the_next_start_and_only_once(log):
    made = study(trials=2, confirm=1)
    searched(log, made, [0.5, 0.9])
    for event in drained(ConfirmStage(made, log.history, Identity(log._path.parent)), log):
        log.emit(Told(event.trial, "failed" if event.role == "paper" else "diverged", error="killed"))
    (again,) = drained(ConfirmStage(made, log.history, Identity(log._path.parent)), log)
    assert again.role == "paper" and again.trial == 5
    log.emit(Told(again.trial, "finished", {"test_acc": 0.5}))
    assert ConfirmStage(made, log.history, Identity(log._path.parent)).over


def drained(stage, log):
    """All that a stage asks for, which the log has then."""
    events = []
    while not stage.over:
        for event in stage.propose(len(log.history.trials)):
            log.emit(event)
            events.append(event)
    return events


def test_inactive_symbols_are_none_in_the_params(log):
    made = Study(space=SPACES["demo-methods"], trials=2)
    (event,) = search(log, made).propose(0)
    assert event.params["method"] == "CE" and event.params["alpha"] == "none" and event.params["tau"] == "none"
    assert set(made.space.symbols) <= set(event.params)


def test_a_control_that_has_no_settings_is_still_called_by_its_method(tmp_path):
    made = Study(space=SPACES["demo-methods"])
    event = asked(9, "confirm", "CE", {}, made.space.base, made, Identity(tmp_path))
    assert event.params["method"] == "CE" and event.params["alpha"] == "none"
