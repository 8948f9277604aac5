import pytest
from test_events import asked, epoch, history

from search_spaces import Study
from search_spaces.demo import DEMO
from tuning.log.events import Told
from tuning.log.outcome import dominates, feasible, judged, judged_by, metric, values, violations
from tuning.log.results import best_trial

STUDY = Study.parse(
    {
        "space": DEMO.plain(),
        "objectives": ["val_acc_tail", "score"],
        "constraints": [{"metric": "val_acc_head", "at_least": 0.7}, {"metric": "val_acc_tail", "at_most": 0.9}],
    }
)


def trial(number: int = 0, head: float = 0.75, tail: float = 0.5, score: float = 0.8):
    """One whose best epoch is its second; the third is worse in all."""
    val = {"acc": score, "acc_head": head, "acc_tail": tail}
    last = {"acc": 0.1, "acc_head": 0.1, "acc_tail": 0.1}
    events = [asked(number), epoch(number, 1), epoch(number, 2, score, val=val)]
    return [*events, epoch(number, 3, score, val=last, best_epoch=2), Told(number, "finished")]


def of(*events):
    return history(*events).of_kind("trial")[0]


def test_a_metric_is_that_of_the_epoch_of_the_score():
    assert [metric(of(*trial()), name) for name in ("score", "val_acc_tail", "val_acc_few")] == [0.8, 0.5, None]
    assert metric(of(asked(0), epoch(0, 1)), "val_acc_tail") is None  # before the last phase


def test_what_a_study_judges_by_is_named_once():
    assert judged_by(STUDY) == ["val_acc_tail", "val_acc_head"] and judged_by(Study(space=DEMO)) == []
    assert judged(STUDY, of(*trial())) == {"val_acc_tail": 0.5, "val_acc_head": 0.75}
    assert judged(STUDY, of(asked(0))) == {}


def test_objectives_come_in_their_order_all_or_none():
    assert values(STUDY, of(*trial())) == (0.5, 0.8)
    assert values(STUDY, of(asked(0), epoch(0, 1))) is None


@pytest.mark.parametrize(("head", "tail", "able"), [(0.7, 0.9, True), (0.69, 0.5, False), (0.75, 0.91, False)])
def test_all_constraints_must_hold(head, tail, able):
    found = of(*trial(head=head, tail=tail))
    assert feasible(STUDY, {"score": 0.8, **judged(STUDY, found)}) is able
    assert all(v <= 0 for v in violations(STUDY, found).values()) is able


def test_a_metric_without_a_value_breaks_nothing():
    assert feasible(STUDY, {}) and feasible(STUDY, {"val_acc_head": None})


def test_to_dominate_is_to_be_as_good_in_all_and_better_in_one():
    assert dominates((1, 1), (1, 0)) and not dominates((1, 1), (1, 1)) and not dominates((2, 0), (1, 1))


def test_the_best_trial_is_the_first_within_the_constraints_that_is_best_in_the_first_objective():
    events = [*trial(0, tail=0.5), *trial(1, tail=0.6, score=0.1), *trial(2, tail=0.6), *trial(3, tail=0.8, head=0.1)]
    found = best_trial(STUDY, history(*events))
    assert found is not None and found.number == 1
    assert best_trial(STUDY, history(*trial(3, head=0.1))) is None
