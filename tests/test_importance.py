import random
from dataclasses import replace

import pytest
from test_results import results, trial

from tuning.log.results import Results
from tuning.reports.importance import importance


def of(count: int, score, seed: int = 0) -> Results:
    """A study of trials drawn at random over the demo's space, with a score of its settings."""
    draw = random.Random(seed)
    template = results(*trial(0, 0.5)).trials[0]
    trials = []
    for number in range(count):
        settings = {
            "T1": draw.randrange(11),
            "epsilon": 10 ** draw.uniform(-8, -1),
            "alpha": 10 ** draw.uniform(1, 5),
        }
        trials.append(replace(template, number=number, settings=settings, score=score(settings, draw)))
    return replace(results(), trials=tuple(trials))


def of_t1(settings, draw) -> float:
    return 0.9 - 0.02 * abs(settings["T1"] - 5) + 0.001 * draw.random()


def test_what_decides_the_score_is_found():
    found = importance(of(80, of_t1))
    assert found is not None and next(iter(found.shares)) == "T1" and found.shares["T1"] > 0.8
    assert sum(found.shares.values()) == pytest.approx(1) and found.shares.keys() == {"T1", "epsilon", "alpha"}
    assert (found.trials, found.quantile, found.is_enough) == (80, 0.1, True)


def test_trials_that_were_stopped_do_not_count():
    whole = of(40, of_t1)
    stopped = [
        replace(t, number=100 + t.number, stop_reason="early_stopped", score=t.settings["alpha"] / 1e5)
        for t in whole.trials
    ]
    assert importance(replace(whole, trials=(*whole.trials, *stopped))) == importance(whole)


def test_few_trials_are_warned_of():
    found = importance(of(19, of_t1))
    assert found is not None and not found.is_enough
    assert found.caption == (
        "PED-ANOVA: what makes a trial one of the best 26% of 19 of full length. "
        "Fewer than 20 trials: hardly more than noise"
    )
    enough = importance(of(20, of_t1))
    assert enough is not None and enough.is_enough and "noise" not in enough.caption


@pytest.mark.parametrize("found", [of(3, of_t1), of(30, lambda settings, draw: 0.5), of(0, of_t1)])
def test_too_few_trials_or_equal_scores_say_nothing(found):
    assert importance(found) is None


def test_a_symbol_that_some_trials_do_not_have_is_judged_where_it_is():
    whole = of(60, of_t1)
    without = [
        replace(t, settings={"T1": t.settings["T1"], "alpha": t.settings["alpha"]}) if t.number % 2 else t
        for t in whole.trials
    ]
    found = importance(replace(whole, trials=tuple(without)))
    assert found is not None and found.shares.keys() == {"T1", "epsilon", "alpha"} and next(iter(found.shares)) == "T1"


def test_a_symbol_that_a_handful_of_trials_have_is_not_judged():
    whole = of(60, of_t1)
    some = [{s: v for s, v in t.settings.items() if t.number < 5 or s != "epsilon"} for t in whole.trials]
    trials = tuple(replace(t, settings=settings) for t, settings in zip(whole.trials, some, strict=True))
    found = importance(replace(whole, trials=trials))
    assert found is not None and found.shares.keys() == {"T1", "alpha"} and found.unjudged == ("epsilon",)
    assert found.caption.endswith(". Fewer than 20 have epsilon: not judged")


def test_a_trial_at_the_very_end_of_a_domain_is_inside_it():
    ends = replace(of(1, of_t1).trials[0], settings={"T1": 10, "epsilon": 1e-8, "alpha": 1e5}, number=99, score=0.99)
    whole = of(30, of_t1)
    assert importance(replace(whole, trials=(*whole.trials, ends))) is not None
