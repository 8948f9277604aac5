import math
import pickle
import time
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState
from ray.tune.search import Searcher
from test_events import asked, epoch

from search_spaces import CONFIGS, Arm, Branch, Choice, Float, Int, Space, Study
from search_spaces.demo import DIGITS_IB
from tuning.engine.suggest import Adviser, RaySearcher
from tuning.log.events import History, Told

examples = settings(max_examples=10, deadline=None, derandomize=True)

SPACE = Space(
    name="mine",
    base=DIGITS_IB,
    domains={
        "T1": Int(path="phases.1.start", low=0, high=10),
        "batch": Int(path="batch_size", low=4, high=64, log=True),
        "epsilon": Float(path="phases.1.loss.epsilon", low=1e-8, high=1e-1, log=True),
        "momentum": Float(path="optimizer.momentum", low=0.0, high=0.99),
        "weights": Choice(labels={"IFW": {}, "none": {"phases.1.weights": {"kind": "none"}}}),
    },
)
ENDS = ("finished", "early_stopped", "finished", "diverged", "running", "failed", "finished", "early_stopped")


NUMBERS = Space(name="mine", base=DIGITS_IB, domains={s: SPACE.domains[s] for s in ("T1", "epsilon", "momentum")})
BRANCHED = Space(
    name="mine",
    base=DIGITS_IB,
    domains={
        "loss": Branch(
            labels={
                "IB": Arm(domains={"epsilon": SPACE.domains["epsilon"]}),
                "focal": Arm(
                    patch={"phases.1.loss": {"kind": "focal"}},
                    domains={"gamma": Float(path="phases.1.loss.gamma", low=0, high=5)},
                ),
            }
        ),
        "T1": SPACE.domains["T1"],
    },
)


def study(space: Space = SPACE, **fields: Any) -> Study:
    return Study.parse({"space": space.plain(), "trials": 99, **fields})


def quality(settings: dict[str, Any]) -> float:
    """A made-up accuracy."""
    return round(0.5 + 0.04 * settings["T1"] + 0.005 * math.log(settings.get("epsilon", 1e-4)), 6)


def search(
    adviser: Adviser, history: History, trials: int, space: Space = SPACE, quality: Callable[..., float] = quality
) -> list[dict[str, Any]]:
    """Ask for trials up to a number; each ends while later ones run already, in its own way."""
    points = []
    for number in range(len(history.trials), trials):
        points.append(adviser.ask(number))
        history.apply(asked(number, space.config(points[-1]), **points[-1]))
        end(adviser, history, number - 2, quality)
    return points


def end(adviser: Adviser, history: History, number: int, quality: Callable[..., float]) -> None:
    how = ENDS[number % len(ENDS)]
    if number < 0 or how == "running":
        return
    trial = history.trials[number]
    if how != "failed":
        history.apply(epoch(number, 1))
        history.apply(epoch(number, 2, quality(trial.asked.settings), diverged=how == "diverged"))
    history.apply(Told(number, how))
    adviser.tell(trial)


def fresh(made: Study, trials: int = 24) -> tuple[list[dict[str, Any]], History]:
    history = History()
    return search(Adviser(made, [], 0.1), history, trials), history


# --- what is suggested ------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_same_seed_gives_the_same_suggestions_and_another_seed_others(sampler):
    first, _ = fresh(study(sampler=sampler, seed=3))
    again, _ = fresh(study(sampler=sampler, seed=3))
    other, _ = fresh(study(sampler=sampler, seed=4))
    assert first == again
    assert first[0] == other[0] and all(a != b for a, b in zip(first[1:], other[1:], strict=True))


def test_tpe_learns_and_random_does_not():
    tpe, _ = fresh(study(sampler="tpe"))
    random, _ = fresh(study(sampler="random"))
    assert tpe[1:5] == random[1:5]  # TPE's start-up trials
    assert all(a != b for a, b in zip(tpe[18:], random[18:], strict=True))


@pytest.mark.parametrize("interrupted_at", [1, 5, 14, 15, 16, 17, 18, 19, 20, 21])
@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "cmaes"])
def test_an_adviser_rebuilt_from_the_log_suggests_what_the_uninterrupted_one_does(sampler, interrupted_at):
    made = study(sampler=sampler, first=[{"T1": 3}], space=NUMBERS if sampler == "cmaes" else SPACE)
    assert_same_when_rebuilt(made, interrupted_at, 24)


@pytest.mark.parametrize("interrupted_at", [1, 8, 11])
def test_a_gaussian_process_rebuilt_from_the_log_suggests_the_same(interrupted_at):
    assert_same_when_rebuilt(study(sampler="gp", trials=12, space=NUMBERS), interrupted_at, 12)


@pytest.mark.parametrize("interrupted_at", [1, 6, 7, 8, 17])
@pytest.mark.parametrize("sampler", ["tpe", "qmc", "cmaes"])
def test_samplers_of_branches_are_rebuilt_each_from_its_own_trials(sampler, interrupted_at):
    assert_same_when_rebuilt(study(sampler=sampler, trials=None, per_branch=12, space=BRANCHED), interrupted_at, 24)


def assert_same_when_rebuilt(made: Study, interrupted_at: int, trials: int) -> None:
    history = History()
    whole = search(Adviser(made, [], 0.1), history, trials, made.space)
    assert {t.stop_reason for t in history.trials.values()} == set(ENDS)
    part = History()
    begun = search(Adviser(made, [], 0.1), part, interrupted_at, made.space)
    rest = search(Adviser(made, part.of_kind("trial"), 0.1), part, trials, made.space)
    assert begun + rest == whole


def test_an_adviser_rebuilt_before_every_ask_does_too():
    whole, _ = fresh(study(), 16)
    history = History()
    points = [search(Adviser(study(), history.of_kind("trial"), 0.1), history, n + 1)[0] for n in range(16)]
    assert points == whole


def test_confirming_runs_between_do_not_count():
    whole, _ = fresh(study(), 14)
    history = History()
    search(Adviser(study(), [], 0.1), history, 12)
    for number in (12, 13, 14):
        history.apply(asked(number, kind="confirm"))
    adviser = Adviser(study(), history.of_kind("trial"), 0.1)
    assert adviser.ask(15) == whole[12]


def test_the_paper_s_setting_comes_first_and_the_given_points_next():
    points, _ = fresh(study(first=[{"T1": 3}, {"epsilon": 1e-8, "weights": "none"}, {"T1": 10.0}]), 5)
    assert points[:4] == [
        SPACE.paper,
        {**SPACE.paper, "T1": 3},
        {**SPACE.paper, "epsilon": 1e-8, "weights": "none"},
        {**SPACE.paper, "T1": 10},
    ]
    assert points[4] not in points[:4]


def test_a_point_given_twice_is_suggested_twice():
    points, _ = fresh(study(first=[{"T1": 3}, {"T1": 3}, {}]), 4)
    assert points == [SPACE.paper, {**SPACE.paper, "T1": 3}, {**SPACE.paper, "T1": 3}, SPACE.paper]


@examples
@given(st.integers(0, 2**31 - 1), st.data())
def test_suggestions_are_points_of_the_space(seed, data):
    """With bounds drawn anywhere, floats that have no exact logarithm among them."""
    low = data.draw(st.floats(1e-12, 1e-3))
    high = data.draw(st.floats(1e-3, 1e3, exclude_min=True))
    first = data.draw(st.lists(st.fixed_dictionaries({"epsilon": st.sampled_from([low, high])}), max_size=2))
    space = SPACE.ranged({"epsilon": (low, high)})
    made = Study.parse({"space": space.plain(), "trials": 99, "seed": seed, "first": first})
    history = History()
    points = search(Adviser(made, [], 0.1), history, 14, space)
    for point in points:
        assert list(point) == list(space.domains)
        space.config(point)
    assert [point["epsilon"] for point in points[1 : 1 + len(first)]] == [point["epsilon"] for point in first]


def test_both_ends_of_a_domain_are_suggested():
    domains = {"T1": Int(path="phases.1.start", low=7, high=8), "weights": SPACE.domains["weights"]}
    made = Study(space=Space(name="mine", base=DIGITS_IB, domains=domains), trials=99, sampler="random")
    adviser = Adviser(made, [], 0.1)
    points = [adviser.ask(n) for n in range(16)]
    assert {(point["T1"], point["weights"]) for point in points} == {(a, b) for a in (7, 8) for b in ("IFW", "none")}


def test_an_adviser_of_500_trials_is_rebuilt_in_seconds():
    history = History()
    for number in range(500):
        for event in (asked(number, **SPACE.paper), epoch(number, 1, 0.5), Told(number, "finished")):
            history.apply(event)
    started = time.perf_counter()
    Adviser(study(), history.of_kind("trial"), 0.1)
    assert time.perf_counter() - started < 5  # 0.2 s alone; in a time that grows with the square, a minute


# --- what Optuna is told ----------------------------------------------------------------------------


def told(how: str) -> tuple[optuna.trial.FrozenTrial, optuna.trial.FrozenTrial]:
    """A trial's state in Optuna: as told, and as rebuilt from the log."""
    history = History()
    live = Adviser(study(), [], 0.1)
    history.apply(asked(7, **live.ask(7)))
    if how != "failed":
        for event in (epoch(7, 1), epoch(7, 2, 0.75), Told(7, how)):
            history.apply(event)
    history.apply(Told(7, how))
    live.tell(history.trials[7])
    rebuilt = Adviser(study(), history.of_kind("trial"), 0.1)
    (a,), (b,) = live.studies[0].trials, rebuilt.studies[0].trials
    return a, b


@pytest.mark.parametrize(
    ("how", "state", "value", "steps"),
    [
        ("finished", TrialState.COMPLETE, 0.75, {}),
        ("early_stopped", TrialState.PRUNED, 0.75, {2: 0.75}),
        ("diverged", TrialState.PRUNED, None, {2: math.nan}),
        ("failed", TrialState.FAIL, None, {}),
    ],
)
def test_optuna_hears_of_an_end(how, state, value, steps):
    for trial in told(how):
        assert (trial.state, trial.value) == (state, value)
        assert repr(trial.intermediate_values) == repr(steps)
        assert trial.params == SPACE.paper


def test_a_trial_without_an_end_is_running_in_optuna():
    history = History()
    history.apply(asked(0, **SPACE.paper))
    rebuilt = Adviser(study(), history.of_kind("trial"), 0.1)
    assert rebuilt.studies[0].trials[0].state is TrialState.RUNNING
    history.apply(epoch(0, 1, 0.5))
    history.apply(Told(0, "finished"))
    rebuilt.tell(history.trials[0])
    assert rebuilt.studies[0].trials[0].value == 0.5


def test_one_that_diverged_at_once_is_told_too():
    history = History()
    adviser = Adviser(study(), [], 0.1)
    history.apply(asked(0, **adviser.ask(0)))
    history.apply(epoch(0, 1, diverged=True))
    history.apply(Told(0, "diverged"))
    adviser.tell(history.trials[0])
    (trial,) = adviser.studies[0].trials
    assert trial.state is TrialState.PRUNED and list(trial.intermediate_values) == [1]


@pytest.mark.parametrize("sampler", ["gp", "cmaes"])
def test_a_sampler_that_ignores_pruned_trials_hears_of_chance_level(sampler):
    adviser, history = Adviser(study(space=NUMBERS, sampler=sampler), [], 0.1), History()
    history.apply(asked(0, **adviser.ask(0)))
    history.apply(epoch(0, 1, diverged=True))
    history.apply(Told(0, "diverged"))
    adviser.tell(history.trials[0])
    (trial,) = adviser.studies[0].trials
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.1)


# --- what a study may ask for -----------------------------------------------------------------------


def test_inactive_symbols_are_not_part_of_a_point():
    points = search(Adviser(study(space=BRANCHED), [], 0.1), History(), 30, BRANCHED)
    assert {frozenset(point) for point in points} == {
        frozenset({"loss", "epsilon", "T1"}),
        frozenset({"loss", "gamma", "T1"}),
    }


def test_every_branch_has_as_many_trials():
    made = study(space=BRANCHED, trials=None, per_branch=5)
    points = search(Adviser(made, [], 0.1), History(), made.wanted, BRANCHED)
    assert [point["loss"] for point in points].count("IB") == 5 and len(points) == 10
    assert points[1] == BRANCHED.point({"loss": "focal"})


def test_a_grid_is_asked_for_point_by_point():
    made = study(sampler="grid", levels=2, trials=None, space=BRANCHED)
    points = search(Adviser(made, [], 0.1), History(), made.wanted, BRANCHED)
    assert points[0] == BRANCHED.paper
    assert len(points) == 9 and all(point in points for point in BRANCHED.grid(2))


def test_a_complement_is_drawn_by_its_nines():
    space = Space(
        name="mine",
        base=CONFIGS["cb-cifar10"],
        domains={"beta": Float(path="phases.0.weights.beta", low=0.9, high=0.99999, log_complement=True)},
    )
    points = search(Adviser(study(space=space, sampler="random"), [], 0.1), History(), 40, space, lambda point: 0.5)
    betas = [point["beta"] for point in points[1:]]
    assert all(0.9 <= beta <= 0.99999 for beta in betas)
    assert 10 < sum(beta > 0.999 for beta in betas) < 30
    assert points[0] == {"beta": 0.9999}


def test_what_an_earlier_study_found_is_known_from_the_start():
    best = {**NUMBERS.paper, "T1": 10, "epsilon": 0.1, "momentum": 0.5}
    known = [{"settings": {**best, "momentum": m / 40}, "values": [0.5 + m / 100]} for m in range(20)]
    made = study(space=NUMBERS, known=known)
    adviser = Adviser(made, [], 0.1)
    assert [trial.value for trial in adviser.studies[0].trials] == [0.5 + m / 100 for m in range(20)]
    points = search(adviser, History(), 4, NUMBERS)
    assert points[0] == NUMBERS.paper
    blank = search(Adviser(study(space=NUMBERS), [], 0.1), History(), 4, NUMBERS)
    assert points[1:] != blank[1:]


def test_several_objectives_and_constraints_reach_optuna():
    made = study(
        space=NUMBERS,
        objectives=["score", "val_acc_tail"],
        constraints=[{"metric": "val_acc_head", "at_least": 0.7}],
    )
    adviser, history = Adviser(made, [], 0.1), History()
    history.apply(asked(0, **adviser.ask(0)))
    history.apply(epoch(0, 1, 0.5, val={"acc": 0.5, "acc_tail": 0.2, "acc_head": 0.6}))
    history.apply(Told(0, "finished"))
    adviser.tell(history.trials[0])
    (trial,) = adviser.studies[0].trials
    assert trial.values == [0.5, 0.2]
    assert trial.constraints == {"val_acc_head >= 0.7": pytest.approx(0.1)}


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_a_trial_without_a_metric_breaks_the_constraints_and_the_search_goes_on(sampler):
    bound = {"metric": "val_acc_head", "at_least": 0.7}
    known = [{"settings": {**NUMBERS.paper, "T1": 3}, "values": [0.4], "violations": {"val_acc_head >= 0.7": 0.2}}]
    made = study(space=NUMBERS, sampler=sampler, trials=6, constraints=[bound], known=known)
    adviser, history = Adviser(made, [], 0.1), History()
    for number in range(5):
        history.apply(asked(number, **adviser.ask(number)))
        score = None if number == 1 else 0.5
        history.apply(epoch(number, 1, score, val={"acc": 0.5, "acc_head": 0.8} if score else {}, diverged=not score))
        history.apply(Told(number, "finished" if score else "diverged"))
        adviser.tell(history.trials[number])
    broken = [trial.constraints["val_acc_head >= 0.7"] for trial in adviser.studies[0].trials]
    assert broken[:3] == [0.2, pytest.approx(-0.1), 1.0]
    assert adviser.ask(5)


# --- as Ray sees it ---------------------------------------------------------------------------------


class Fixed:
    """A source of given assignments; None is "ask later"."""

    def __init__(self, *assignments: dict[str, Any] | None) -> None:
        self.assignments = list(assignments)
        self.given_up: list[int] = []

    def next(self) -> dict[str, Any] | None:
        return self.assignments.pop(0) if self.assignments else None

    @property
    def over(self) -> bool:
        return not self.assignments

    def lost(self, number: int) -> None:
        self.given_up.append(number)


def test_ray_gets_assignments_waits_or_ends_as_the_source_says():
    searcher = RaySearcher(Fixed({"trial": 5}, None, {"trial": 6}))
    asked = [searcher.suggest(name) for name in "abcd"]
    assert asked == [{"trial": 5}, None, {"trial": 6}, Searcher.FINISHED]


def test_the_source_hears_of_a_trial_that_ray_gave_up():
    source = Fixed({"trial": 5}, {"trial": 6})
    searcher = RaySearcher(source)
    for name in "ab":
        searcher.suggest(name)
    searcher.on_trial_complete("a", {"epoch": 3})
    searcher.on_trial_complete("b", error=True)
    searcher.on_trial_complete("unknown", error=True)
    assert source.given_up == [6]


def test_ray_s_snapshots_hold_nothing():
    searcher = RaySearcher(Fixed({"lambda": lambda: 0}))
    assert pickle.loads(pickle.dumps(searcher)).__dict__ == {}
