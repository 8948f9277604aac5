import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lt_core import InputError, override
from search_spaces import SPACES, Choice, Float, Int, Rungs, Space, Study
from search_spaces.demo import DEMO, DIGITS_IB
from search_spaces.study import Constraint, last_switch

examples = settings(max_examples=60, deadline=None, derandomize=True)


def study(epochs: int = 16, latest: int = 10, **fields: object) -> Study:
    """A study whose trials switch phase after epoch 0 to `latest` of `epochs`."""
    base = override(DIGITS_IB, {"epochs": epochs, "phases.1.start": min(latest, 1)})
    domains = {"T1": Int(path="phases.1.start", low=0, high=latest), "alpha": DEMO.domains["alpha"]}
    return Study.parse({"space": Space(name="mine", base=base, domains=domains).plain(), **fields})


def sentence(**fields: object) -> str:
    with pytest.raises(InputError) as caught:
        study(**fields)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- points -----------------------------------------------------------------------------------------


def test_the_paper_s_setting_is_trial_0():
    assert study().points == [{"T1": 1, "alpha": 1000.0}]


def test_first_points_follow_in_their_order_completed_with_the_paper_s_values():
    assert study(first=[{"T1": 4}, {"alpha": 20, "T1": 0}]).points[1:] == [
        {"T1": 4, "alpha": 1000.0},
        {"T1": 0, "alpha": 20},
    ]


@pytest.mark.parametrize(
    ("point", "says"),
    [
        ({"T2": 4}, "there is no symbol `T2`"),
        ({"T1": 11}, "T1: 11 is not a whole number in [0, 10]"),
        ({"T1": "4"}, "T1: '4' is not a whole number"),
        ({"T1": None}, "first.0.T1"),
        ({"T1": True}, "first.0.T1"),
    ],
)
def test_a_wrong_first_point_is_refused(point, says):
    assert says in sentence(first=[point])


def test_points_that_the_number_of_trials_would_drop_are_refused():
    assert len(study(first=[{"T1": 4}], trials=2).points) == 2
    assert "trials is 1" in sentence(first=[{"T1": 4}], trials=1)


# --- fields -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"trials": 0},
        {"confirm": -1},
        {"seed": 2**31},
        {"concurrent": 0},
        {"cpus": 0.0},
        {"gpus": -0.5},
        {"sampler": "pbt"},
        {"rungs": {"epochs": [0]}},
        {"rungs": {"epochs": [12], "since": "phase"}},
        {"rungs": {"epochs": [12], "reduction_factor": 1}},
        {"trial": 3},
    ],
)
def test_a_field_outside_its_bounds_is_refused_by_name(fields):
    assert f"`{next(iter(fields))}" in sentence(**fields)


def test_a_search_needs_validation_images():
    base = override(DIGITS_IB, {"data.val_per_class": 0})
    with pytest.raises(InputError, match="a search needs validation images"):
        Study.parse({"space": {**DEMO.plain(), "base": base.plain()}})


def test_a_label_may_not_take_the_validation_images_away():
    labels = {"val": {}, "no val": {"data.val_per_class": 0}}
    space = Space(name="mine", base=DIGITS_IB, domains={"data": Choice(labels=labels)})
    with pytest.raises(InputError, match="a search needs validation images"):
        Study.parse({"space": space.plain()})


# --- rungs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("latest", "epochs", "rungs"),
    [(10, 16, (12, 14)), (160, 200, (173, 187)), (1, 10, (4, 7)), (7, 10, (8, 9)), (3, 11, (6, 8))],
)
def test_default_rungs_lie_at_one_and_two_thirds_from_the_last_switch_to_the_end(latest, epochs, rungs):
    assert study(epochs, latest).effective_rungs == Rungs(epochs=rungs)


@pytest.mark.parametrize(("latest", "epochs"), [(8, 10), (9, 10), (10, 10), (12, 10)])
def test_a_span_under_3_epochs_has_no_rungs(latest, epochs):
    assert study(epochs, latest).effective_rungs.epochs == ()


def test_the_last_switch_is_that_of_any_domain_and_of_any_label():
    early = {"phases.1.start": 2}
    domains = {"drw": Choice(labels={"8": {}, "early": early, "late": {"phases.1.start": 11}})}
    assert last_switch(Space(name="mine", base=DIGITS_IB, domains=domains)) == 11
    fixed = Space(name="mine", base=DIGITS_IB, domains={"lr": Float(path="optimizer.lr", low=0.01, high=1)})
    assert last_switch(fixed) == 8


def test_given_rungs_are_kept_and_none_are_none():
    assert study(rungs={"epochs": [11, 15]}).effective_rungs.epochs == (11, 15)
    assert study(rungs={"epochs": []}).effective_rungs.epochs == ()


@pytest.mark.parametrize("epoch", [1, 9, 10, 16, 17])
def test_a_rung_at_or_before_the_last_switch_or_past_the_end_is_refused(epoch):
    said = sentence(rungs={"epochs": [epoch]})
    assert f"a rung at epoch {epoch} cannot compare" in said
    assert "as late as after epoch 10 and end at 16" in said


@pytest.mark.parametrize("epochs", [[14, 12], [12, 12]])
def test_rungs_that_do_not_rise_are_refused(epochs):
    assert "rungs must rise" in sentence(rungs={"epochs": epochs})


def test_rungs_since_the_switch_are_not_bound_to_the_last_one():
    assert study(rungs={"epochs": [2, 4], "since": "switch"}).effective_rungs.since == "switch"


@pytest.mark.parametrize(
    ("T1", "own"),
    [(0, [2, 4, 8]), (3, [5, 7, 11]), (8, [10, 12]), (12, [14]), (14, []), (15, [])],
)
def test_rungs_since_the_switch_are_epochs_of_the_trial_s_own_within_its_length(T1, own):
    rungs = Rungs(epochs=(2, 4, 8), since="switch")
    assert rungs.of(override(DIGITS_IB, {"phases.1.start": T1})) == own


def test_rungs_since_the_start_are_the_same_for_every_trial():
    rungs = Rungs(epochs=(12, 14, 16))
    assert [rungs.of(override(DIGITS_IB, {"phases.1.start": T1})) for T1 in (0, 10)] == [[12, 14]] * 2


def test_a_scaled_study_has_scaled_rungs_and_first_points():
    made = study(first=[{"T1": 10, "alpha": 20.0}], rungs={"epochs": [12, 13, 14]}, trials=7).scaled(0.5)
    assert (made.space.base.epochs, made.trials, made.rungs) == (8, 7, Rungs(epochs=(6, 7)))
    assert made.points[1] == {"T1": 5, "alpha": 20.0}


# --- YAML -------------------------------------------------------------------------------------------


@examples
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "trials": st.integers(4, 10**6),
            "sampler": st.sampled_from(["tpe", "gp", "qmc", "random", "cmaes", "grid"]),
            "seed": st.integers(0, 2**31 - 1),
            "confirm": st.integers(0, 99),
            "concurrent": st.none() | st.integers(1, 99),
            "cpus": st.floats(1e-3, 99),
            "gpus": st.none() | st.floats(0, 99),
            "first": st.lists(
                st.fixed_dictionaries({"T1": st.integers(0, 10)}, optional={"alpha": st.floats(10, 1e5)}), max_size=3
            ),
            "rungs": st.none()
            | st.builds(
                lambda epochs, factor: {"epochs": sorted(epochs), "reduction_factor": factor},
                st.sets(st.integers(11, 15)),
                st.integers(2, 9),
            ),
        },
    )
)
def test_a_study_survives_yaml(fields):
    made = study(**fields)
    again = Study.load(made.dump())
    assert again == made
    assert [list(point) for point in again.points] == [list(point) for point in made.points]
    assert again.points == made.points and again.effective_rungs == made.effective_rungs


def test_settings_keep_their_type_in_yaml():
    labels = {"8": {}, "1e3": {"phases.1.loss.alpha": 1e3 + 1}}
    space = Space(name="mine", base=DIGITS_IB, domains={"T1": DEMO.domains["T1"], "x": Choice(labels=labels)})
    made = Study(space=space, first=({"T1": 4, "x": "1e3"},))
    (point,) = Study.load(made.dump()).first
    assert point == {"T1": 4, "x": "1e3"} and type(point["T1"]) is int


# --- how it is searched -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "fields", "said"),
    [
        ("demo-methods", {"sampler": "cmaes"}, "sampler is cmaes, which searches numbers only, but method has labels"),
        (
            "demo-methods",
            {"sampler": "gp"},
            "draws at random what exists only under a label of method: use tpe, or per",
        ),
        ("demo-methods", {"sampler": "gp", "per_branch": 3}, "label of tau_rule: use tpe"),
        ("demo-methods", {"per_branch": 3, "trials": 9}, "per_branch and trials say the same"),
        ("demo-methods", {"per_branch": 3, "sampler": "grid"}, "sampler is grid, which tries all points"),
        (
            "demo-methods",
            {"per_branch": 2, "first": [{"method": "IB", "alpha": 100.0 * n} for n in range(1, 4)]},
            "per_branch is 2; 4 points under method=IB are given",
        ),
        ("demo", {"per_branch": 3}, "per_branch needs a space with one branch; demo has none, or several"),
        ("demo", {"rungs": {"epochs": [100], "since": "switch"}}, "is [100] since the switch; no trial trains past"),
        ("demo", {"sampler": "pbt"}, "pbt changes a config while it trains"),
        ("demo", {"sampler": "cmaes", "objectives": ["score", "val_acc_tail"]}, "which takes one objective, not 2"),
        ("demo", {"objectives": ["score", "score"]}, "objectives must differ"),
        ("demo", {"objectives": ["accuracy"]}, "accuracy' is nothing that a trial is judged by: score, val_acc"),
        ("demo", {"constraints": [{"metric": "score", "at_least": 70}]}, "`constraints.0.at_least` is 70"),
        ("demo", {"objectives": ["score", "val_acc_tail"], "rungs": {"epochs": [12]}}, "rungs compare one score"),
        ("demo", {"constraints": [{"metric": "score"}]}, "score needs one of at_least and at_most"),
        ("demo", {"known": [{"settings": {"T1": 99}, "values": [0.5]}]}, "T1: 99 is not a whole number"),
        ("demo", {"known": [{"settings": {"T1": 9}, "values": [0.5, 0.5]}]}, "known.0.values must be one for each of"),
    ],
)
def test_what_a_sampler_cannot_do_is_refused_in_words(space, fields, said):
    with pytest.raises(InputError) as caught:
        Study.parse({"space": SPACES[space].plain(), **fields})
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"sampler": "gp"}, ["sampler gp learns nothing from early-stopped trials: use tpe, or turn rungs off"]),
        ({"sampler": "cmaes", "rungs": {"epochs": []}}, ["no early stopping: it is turned off"]),
        ({"sampler": "random"}, []),
        ({"levels": 3}, ["levels is 3, which sampler tpe does not use: it is a grid's"]),
        ({"objectives": ["score", "val_acc_tail"]}, ["no early stopping: it would compare one of several objectives"]),
        (
            {"sampler": "random", "known": [{"settings": {"T1": 9}, "values": [0.5]}]},
            ["sampler random learns nothing from the earlier study"],
        ),
        (
            {"sampler": "cmaes", "rungs": {"epochs": []}, "constraints": [{"metric": "score", "at_least": 0.1}]},
            [
                "no early stopping: it is turned off",
                "sampler cmaes does not heed constraints; they decide which trial is best all the same",
            ],
        ),
        (
            {"sampler": "grid", "trials": 12, "levels": 2},
            ["the grid has 9 points: with these the search ends, before its 12 trials"],
        ),
        ({"sampler": "grid", "trials": 5, "levels": 2}, ["the grid has 9 points, of which the first 5 are tried"]),
    ],
)
def test_what_a_sampler_will_not_use_is_said(fields, said):
    assert list(Study.parse({"space": DEMO.plain(), **fields}).notes()) == said


def test_trials_default_to_16_or_the_whole_grid_or_an_equal_share_for_each_label():
    assert Study(space=DEMO).wanted == 16
    assert Study(space=DEMO, sampler="grid", levels=3).wanted == 27 + 1
    assert Study(space=SPACES["demo-methods"], per_branch=2).wanted == 22


def test_the_numbers_of_a_constraint_are_bounds():
    least, most = Constraint(metric="score", at_least=0.7), Constraint(metric="score", at_most=0.7)
    assert [least.violation(v) <= 0 for v in (0.6, 0.7, 0.8)] == [False, True, True]
    assert [most.violation(v) <= 0 for v in (0.6, 0.7, 0.8)] == [True, True, False]
    assert (str(least), str(most)) == ("score >= 0.7", "score <= 0.7")
