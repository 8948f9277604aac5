from test_events import asked, epoch, history

from search_spaces import Study
from search_spaces.demo import DEMO
from tuning.log.events import Ended, Event, Started, Told
from tuning.log.results import Results, best, of_history, ranked

STUDY = Study(space=DEMO)
PAPER = {"T1": 8, "epsilon": 1e-3, "alpha": 1000.0}


# --- results to test with, here and elsewhere -------------------------------------------------------


def results(*events: Event) -> Results:
    return of_history("mine", STUDY, history(*events))


def trial(number: int, score: float | None, how: str = "finished", role: str = "", length: int = 16) -> list[Event]:
    """A trial of some epochs, the best of them the last."""
    config = DEMO.config({**PAPER, "T1": number % 11})
    events: list[Event] = [asked(number, config, role=role, **{**PAPER, "T1": number % 11})]
    events += [epoch(number, n) for n in range(1, length)]
    if length:
        events.append(epoch(number, length, score))
    return [*events, *([Told(number, how)] if how != "running" else [])]


TRIALS = [
    *trial(0, 0.75, role="paper"),
    *trial(1, 0.9, "early_stopped", length=12),
    *trial(2, 0.8125),
    *trial(3, None, "failed", length=0),
    *trial(4, 0.75),
    *trial(5, None, "diverged", length=3),
    *trial(6, 0.9, "running", length=13),
]


# --- from the log -----------------------------------------------------------------------------------


def test_a_trial_is_what_its_events_say():
    found = results(*TRIALS).trials[2]
    config = DEMO.config({**PAPER, "T1": 2})
    assert (found.number, found.kind, found.role, found.settings) == (2, "trial", "", {**PAPER, "T1": 2})
    assert (found.seed, found.config_id, found.recipe_id) == (0, config.id, config.recipe_id)
    assert (found.epochs, found.length, found.stop_reason, found.reused) == (16, 16, "finished", False)
    assert (found.score, found.best_epoch, found.scores, found.seconds) == (0.8125, 16, {16: 0.8125}, 8.0)
    assert found.values["val_acc_tail"] == 0.8125 and "test_acc" not in found.values


def test_test_values_and_errors_are_kept():
    done = results(*trial(0, 0.5)[:-1], Told(0, "finished", {"test_acc": 0.25})).trials[0]
    assert done.values["test_acc"] == 0.25
    assert results(asked(0), Told(0, "failed", error="no room")).trials[0].error == "no room"


def test_what_ran_when_the_study_ended_was_interrupted():
    running = trial(0, 0.5, "running", length=13)
    assert results(*running).trials[0].state == "running"
    assert results(*running, Ended("interrupted")).trials[0].state == "interrupted"


def test_a_copied_trial_is_ranked_and_says_that_it_is_one():
    found = results(*trial(0, 0.5), *trial(1, 0.5)[:-1], Told(1, "finished", reused_from=0))
    assert [(t.number, t.state) for t in found.ranked] == [(0, "finished"), (1, "reused")]


def test_a_study_knows_its_command_and_whether_it_ended_by_itself():
    started = Started("mine", "lt-tune search demo", {})
    found = results(started, Ended("finished"))
    assert (found.name, found.command, found.ended) == ("mine", "lt-tune search demo", True)
    assert not results(started, Ended("interrupted")).ended and not results(started).ended


# --- ranks ------------------------------------------------------------------------------------------


def test_full_length_comes_by_score_and_number_the_rest_below_as_asked_for():
    assert [t.number for t in results(*TRIALS).ranked] == [2, 0, 4, 1, 3, 5, 6]
    assert [t.number for t in ranked(history(*TRIALS).of_kind("trial"))] == [2, 0, 4, 1, 3, 5, 6]


def test_the_best_trial_is_the_first_of_the_best():
    found = best(history(*trial(1, 0.5), *trial(2, 0.75), *trial(3, 0.75)).of_kind("trial"))
    assert found is not None and found.number == 2
    assert best(history(*trial(1, 0.9, "early_stopped")).of_kind("trial")) is None


def test_the_top_are_each_config_once_without_the_paper_s():
    again = [*trial(17, 0.9)]  # T1 = 6, as in trial 6
    found = results(*trial(0, 0.95, role="paper"), *trial(6, 0.8), *again, *trial(3, 0.85), *trial(4, 0.9, "diverged"))
    assert [t.number for t in found.top] == [17, 3]
