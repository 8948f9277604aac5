import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_events import asked, epoch, history

from lt_core import override
from search_spaces import Rungs
from search_spaces.demo import DIGITS_IB
from tuning.engine.rungs import stops
from tuning.log.events import Ended, Event, EventLog, Told

examples = settings(max_examples=25, deadline=None, derandomize=True)
AT_12 = Rungs(epochs=(12, 14))


def reach(trial: int, rung: int, score: float, begin: int = 1) -> list[Event]:
    """A trial's epochs up to a rung, where it has a score."""
    return [*(epoch(trial, n, 0.01) for n in range(begin, rung)), epoch(trial, rung, score)]


def verdict(score: float, *rivals: float, rungs: Rungs = AT_12) -> bool:
    """Whether a trial stops at the first rung, after rivals reached it."""
    events = [e for n, rival in enumerate(rivals, 1) for e in [asked(n), *reach(n, rungs.epochs[0], rival)]]
    found = history(*events, asked(0), *reach(0, rungs.epochs[0], score))
    return stops(rungs, found, found.trials[0])


def test_the_first_at_a_rung_goes_on():
    assert not verdict(0.0)


@pytest.mark.parametrize(("score", "stop"), [(0.49, True), (0.5, False), (0.51, False)])
def test_a_worse_one_stops_while_equal_and_better_go_on(score, stop):
    assert verdict(score, 0.5) is stop


@pytest.mark.parametrize(
    ("factor", "lowest_that_goes_on"),
    [(2, 0.5), (3, 0.6), (4, 0.7), (7, 0.8)],
)
def test_the_best_share_goes_on(factor, lowest_that_goes_on):
    rungs = Rungs(epochs=(12,), reduction_factor=factor)
    rivals = (0.3, 0.8, 0.6, 0.4, 0.7, 0.5)
    scores = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert next(s for s in scores if not verdict(s, *rivals, rungs=rungs)) == lowest_that_goes_on


def test_all_go_on_where_all_are_equal():
    assert not verdict(0.5, *[0.5] * 9)


def test_nothing_stops_between_rungs_or_without_them():
    events = [asked(0), *reach(0, 16, 0.9), asked(1)]
    for number in range(1, 17):
        events.append(epoch(1, number, 0.0))
        found = history(*events)
        assert stops(AT_12, found, found.trials[1]) is (number in (12, 14))
        assert not stops(Rungs(epochs=()), found, found.trials[1])


def test_each_rung_compares_with_those_that_reached_it():
    leader = [asked(0), *reach(0, 12, 0.9), *reach(0, 13, 0.9, begin=13)]
    found = history(*leader, asked(1), *reach(1, 12, 0.9), *reach(1, 14, 0.0, begin=13))
    assert not stops(AT_12, found, found.trials[1])  # the leader is not there yet
    found = history(*leader, epoch(0, 14, 0.9), asked(1), *reach(1, 12, 0.9), *reach(1, 14, 0.0, begin=13))
    assert stops(AT_12, found, found.trials[1])


def test_the_score_at_the_rung_counts_not_a_later_one():
    found = history(asked(0), *reach(0, 12, 0.5), epoch(0, 13, 0.9), asked(1), *reach(1, 12, 0.6))
    assert not stops(AT_12, found, found.trials[1])


@pytest.mark.parametrize("how", ["failed", "diverged", "early_stopped", "finished"])
def test_a_rival_that_reached_the_rung_counts_however_it_ended(how):
    found = history(asked(0), *reach(0, 12, 0.5), Told(0, how), asked(1), *reach(1, 12, 0.4))
    assert stops(AT_12, found, found.trials[1])


def test_a_copy_counts_if_another_study_trained_it():
    for origin, stopped in (("night/3", True), (2, False)):
        copy = [asked(0), *reach(0, 12, 0.5), Told(0, "finished", reused_from=origin)]
        found = history(*copy, asked(1), *reach(1, 12, 0.4))
        assert stops(AT_12, found, found.trials[1]) is stopped


def test_labels_with_a_search_each_are_compared_with_their_own():
    found = history(asked(0, loss="IB"), *reach(0, 12, 0.5), asked(1, loss="focal"), *reach(1, 12, 0.4))
    assert stops(AT_12, found, found.trials[1])
    assert not stops(AT_12, found, found.trials[1], arm="loss")


def test_a_rival_that_ended_before_the_rung_does_not():
    found = history(asked(0), *reach(0, 11, 0.5), Told(0, "failed"), asked(1), *reach(1, 12, 0.4))
    assert not stops(AT_12, found, found.trials[1])


def test_a_copy_of_a_rival_counts_no_more_than_the_rival():
    rivals = [e for n, score in enumerate([0.3, 0.5]) for e in [asked(n), *reach(n, 12, score)]]
    copies = [e for n in (2, 3) for e in [asked(n), *reach(n, 12, 0.5), Told(n, "early_stopped", reused_from=1)]]
    found = history(*rivals, *copies, asked(4), *reach(4, 12, 0.4))
    assert not stops(AT_12, found, found.trials[4])


def test_confirming_runs_are_no_rivals():
    found = history(asked(0, kind="confirm"), *reach(0, 12, 0.5), asked(1), *reach(1, 12, 0.4))
    assert not stops(AT_12, found, found.trials[1])


# --- since the switch -------------------------------------------------------------------------------

SINCE = Rungs(epochs=(2, 5), since="switch")


def switching(T1: int) -> object:
    return override(DIGITS_IB, {"phases.1.start": T1})


@pytest.mark.parametrize(("score", "stop"), [(0.39, True), (0.4, False)])
def test_trials_compare_at_equal_epochs_since_their_own_switch(score, stop):
    early = [asked(0, switching(3)), *reach(0, 5, 0.4), *reach(0, 10, 0.9, begin=6)]
    found = history(*early, asked(1, switching(8)), *reach(1, 10, score))
    assert stops(SINCE, found, found.trials[1]) is stop


def test_an_early_trial_compares_with_a_late_one():
    late = [asked(0, switching(8)), *reach(0, 10, 0.4)]
    found = history(*late, asked(1, switching(3)), *reach(1, 5, 0.3))
    assert stops(SINCE, found, found.trials[1])


def test_a_rung_is_the_trial_s_own():
    found = history(asked(0, switching(8)), *reach(0, 10, 0.4), asked(1, switching(3)), *reach(1, 10, 0.3))
    assert not stops(SINCE, found, found.trials[1])


def test_one_that_ends_before_the_rung_neither_stops_nor_is_a_rival():
    late = [asked(0, switching(14)), *reach(0, 16, 0.9)]
    found = history(*late, asked(1, switching(3)), *reach(1, 5, 0.1), asked(2, switching(13)), *reach(2, 16, 0.0))
    assert not stops(SINCE, found, found.trials[0])
    assert not stops(SINCE, found, found.trials[1])
    assert not stops(SINCE, found, found.trials[2])


# --- from the log -----------------------------------------------------------------------------------


@examples
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=20, max_size=60),
    st.lists(st.sampled_from([0, 2, 3]), min_size=6, max_size=6),
    st.sampled_from([Rungs(epochs=(5, 7)), Rungs(epochs=(2, 4), since="switch")]),
)
def test_a_log_that_is_read_again_stops_the_same_trials(tmp_path_factory, steps, switches, rungs):
    """Trials take turns; whoever still waits at a rung in the end gets the answer that he got when he arrived."""
    path = tmp_path_factory.getbasetemp() / "events.jsonl"
    path.unlink(missing_ok=True)
    log = EventLog(path, lambda event: None)
    answers: dict[int, bool] = {}
    for number, T1 in enumerate(switches):
        log.emit(asked(number, switching(T1)))
    for number, score in steps:
        trial = log.history.trials[number]
        if answers.get(number) or trial.last["epoch"] == 16:
            continue
        log.emit(epoch(number, trial.last["epoch"] + 1, score / 5))
        answers[number] = stops(rungs, log.history, trial)
        if score == 3:
            log.emit(Ended("interrupted"))
    again = EventLog(path, lambda event: None).history
    assert {n: stops(rungs, again, again.trials[n]) for n in answers} == answers
