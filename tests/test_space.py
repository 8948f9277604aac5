import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lt_core import Focal, InputError, InverseFrequency, Phase, Value
from lt_core.config import scaled_epochs
from search_spaces import SPACES, Arm, Branch, Choice, Float, Int, Space
from search_spaces.demo import DIGITS_IB

examples = settings(max_examples=60, deadline=None, derandomize=True)

T1 = Int(path="phases.1.start", low=0, high=10)
EPSILON = Float(path="phases.1.loss.epsilon", low=1e-8, high=1e-1, log=True)
WEIGHTS = Choice(
    labels={
        "IFW": {"phases.1.weights": {"kind": "inverse_frequency"}},
        "none": {"phases.1.weights": {"kind": "none"}},
    }
)
SPACE = Space(name="mine", base=DIGITS_IB, domains={"T1": T1, "epsilon": EPSILON, "weights": WEIGHTS})


def space(**domains: Float | Int | Choice) -> Space:
    return Space(name="mine", base=DIGITS_IB, domains=domains)


def plain_with(**domain: object) -> dict[str, object]:
    return {**SPACE.plain(), "domains": {"x": domain}}


def sentence(call: object, *arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)  # type: ignore[operator]
    text = str(caught.value)
    assert "\n" not in text and len(text) < 400
    return text


# --- domains ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", [1e-8, 1e-3, 1e-1])
def test_a_float_takes_what_lies_in_its_bounds_ends_included(setting):
    assert EPSILON.patch(setting) == {"phases.1.loss.epsilon": setting}


def test_a_whole_number_in_a_float_domain_is_a_float():
    patch = Float(path="x", low=0, high=2).patch(1)
    assert isinstance(patch["x"], float)


NO_NUMBER = [math.nan, math.inf, -math.inf, True, "1", None, [1], {"a": 1}]


@pytest.mark.parametrize("setting", [*NO_NUMBER, 0.9e-8, 0.11])
def test_a_float_refuses_what_does_not(setting):
    assert sentence(EPSILON.patch, setting).endswith("is not a number in [1e-08, 0.1]")


@pytest.mark.parametrize("setting", [0, 10, 8.0])
def test_an_int_takes_whole_numbers_in_its_bounds(setting):
    patch = T1.patch(setting)
    assert patch == {"phases.1.start": setting} and type(patch["phases.1.start"]) is int


@pytest.mark.parametrize("setting", [*NO_NUMBER, -1, 11, 2.5])
def test_an_int_refuses_what_is_not(setting):
    assert sentence(T1.patch, setting).endswith("is not a whole number in [0, 10]")


def test_a_choice_is_its_label_s_patch():
    assert WEIGHTS.patch("none") == {"phases.1.weights": {"kind": "none"}}


@pytest.mark.parametrize("setting", ["ifw", 1, None, ["IFW"], {}])
def test_a_choice_refuses_an_unknown_label_and_lists_its_own(setting):
    assert sentence(WEIGHTS.patch, setting).endswith("allowed: IFW, none")


def test_a_misspelt_label_is_guessed():
    assert "did you mean `none`" in sentence(WEIGHTS.patch, "nome")


@pytest.mark.parametrize(
    ("domain", "says"),
    [
        ({"kind": "float", "path": "x", "low": 1.0, "high": 1.0}, "low must be below high"),
        ({"kind": "int", "path": "x", "low": 3, "high": 2}, "low must be below high"),
        ({"kind": "float", "path": "x", "low": 0.0, "high": 1.0, "log": True}, "low must be above 0 on a log scale"),
        ({"kind": "int", "path": "x", "low": 0, "high": 9, "log": True}, "low must be above 0 on a log scale"),
        ({"kind": "int", "path": "x", "low": 0.5, "high": 9}, "`domains.x.low` is 0.5"),
        ({"kind": "float", "path": "x", "low": math.nan, "high": 1.0}, "`domains.x.low` is nan"),
        ({"kind": "choice", "labels": {"one": {}}}, "`domains.x.labels`"),
        ({"kind": "choice", "labels": {"long label A": {}, "long label B": {}}}, "differ in their first 10"),
        ({"kind": "normal", "path": "x"}, "`domains.x.kind` is 'normal'"),
    ],
)
def test_a_domain_that_cannot_be_is_refused_where_it_is_declared(domain, says):
    assert says in sentence(Space.parse, plain_with(**domain))


# --- a space and its base ---------------------------------------------------------------------------


def test_the_paper_s_setting_is_the_base():
    assert SPACE.paper == {"T1": 8, "epsilon": 1e-3, "weights": "IFW"}
    assert SPACE.config(SPACE.paper) == SPACE.base


def test_a_point_changes_what_its_domains_say_and_nothing_else():
    config = SPACE.config({"T1": 3, "weights": "none"})
    assert [phase.start for phase in config.phases] == [0, 3]
    assert config.phases[1].weights.symbol == ""
    back = SPACE.config({"T1": 8, "weights": "IFW"})
    assert back == SPACE.base


def test_a_point_is_completed_with_the_paper_s_values():
    assert SPACE.point({"T1": 3}) == {"T1": 3, "epsilon": 1e-3, "weights": "IFW"}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"T2": 3}, "there is no symbol `T2` (did you mean `T1`?)"),
        ({"T1": 11}, "T1: 11 is not a whole number in [0, 10]"),
        ({"weights": "CB"}, "weights: there is no label `CB`"),
        ({"epsilon": None}, "epsilon: None is not a number"),
    ],
)
def test_a_wrong_point_is_refused_with_its_symbol(settings, says):
    assert says in sentence(SPACE.point, settings)
    assert says in sentence(SPACE.fixed, settings)


@pytest.mark.parametrize(
    ("domains", "says"),
    [
        ({"x": {"kind": "int", "path": "phases.1.strat", "low": 0, "high": 9}}, "did you mean `phases.1.start`?"),
        ({"x": {"kind": "int", "path": "phases.1.start", "low": 0, "high": 7}}, "x: the base config's own value"),
        ({"x": {"kind": "float", "path": "batch_size", "low": 1, "high": 99}}, "`batch_size` is 1.0"),
        ({"x": {"kind": "float", "path": "optimizer.momentum", "low": 0, "high": 1}}, "`optimizer.momentum` is 1.0"),
        ({"x": {"kind": "int", "path": "channels_last", "low": 0, "high": 1}}, "search it with a choice"),
        ({"x": {"kind": "int", "path": "phases", "low": 0, "high": 1}}, "search it with a choice"),
        (
            {"a": EPSILON.plain(), "b": {**EPSILON.plain(), "low": 1e-4}},
            "a and b both set `phases.1.loss.epsilon`",
        ),
        (
            {"a": EPSILON.plain(), "b": {"kind": "choice", "labels": {"IB": {}, "CE": {"phases.1.loss": {}}}}},
            "a and b both set `phases.1.loss`",
        ),
        ({"x": {"kind": "choice", "labels": {"a": {"epochs": 8}, "b": {"epochs": 9}}}}, "these are: none"),
        ({"x": {"kind": "choice", "labels": {"a": {"epochs": 16}, "b": {"epochs": 16}}}}, "these are: ['a', 'b']"),
        ({}, "`domains`"),
    ],
)
def test_a_space_that_does_not_fit_its_base_is_refused(domains, says):
    assert says in sentence(Space.parse, {**SPACE.plain(), "domains": domains})


MANY = (
    "optimizer.lr",
    "optimizer.momentum",
    "optimizer.weight_decay",
    "phases.0.lr_scale",
    "phases.1.lr_scale",
    "phases.2.lr_scale",
    "data.mixup",
)


def test_any_two_domains_that_do_not_fit_together_are_refused_among_many():
    domains = {
        "T1": Int(path="phases.1.start", low=4, high=11),
        **{f"x{i}": Float(path=path, low=0.001, high=0.002) for i, path in enumerate(MANY)},
        "T2": Int(path="phases.2.start", low=9, high=15),
    }
    plain = SPACE.plain()
    plain["base"]["phases"] = [{}, {"start": 6}, {"start": 12}]
    plain["base"]["optimizer"] |= {"lr": 0.001, "momentum": 0.001, "weight_decay": 0.001}
    for i in range(3):
        plain["base"]["phases"][i]["lr_scale"] = 0.001
    plain["base"]["data"]["mixup"] = 0.001
    said = sentence(Space.parse, {**plain, "domains": {s: d.plain() for s, d in domains.items()}})
    assert "T1=11" in said and "T2=9" in said and "the phases' starts must not fall" in said


def test_domains_that_fit_alone_but_not_together_are_refused():
    domains = {"a": Int(path="phases.1.start", low=5, high=16), "b": Int(path="phases.2.start", low=7, high=16)}
    plain = SPACE.plain()
    plain["base"]["phases"] = [{}, {"start": 6}, {"start": 12}]
    said = sentence(Space.parse, {**plain, "domains": {s: d.plain() for s, d in domains.items()}})
    assert "a: phases.1.start" not in said and "the phases' starts must not fall" in said
    domains["a"] = domains["a"].ranged(5, 9)
    domains["b"] = domains["b"].ranged(8, 16)
    said = sentence(Space.parse, {**plain, "domains": {s: d.plain() for s, d in domains.items()}})
    assert "the domains do not fit together: at a=9, b=8" in said


@pytest.mark.parametrize("name", ["", "a/b", "../a", "-a", "a b", "a\n"])
def test_a_name_that_cannot_name_a_folder_is_refused(name):
    assert "`name`" in sentence(Space.parse, {**SPACE.plain(), "name": name})


@pytest.mark.parametrize("symbol", ["", "a=b", "a,b", "1a", "a b"])
def test_a_symbol_that_cannot_be_typed_or_recorded_is_refused(symbol):
    assert "should match" in sentence(Space.parse, {**SPACE.plain(), "domains": {symbol: T1.plain()}})


# --- changed spaces ---------------------------------------------------------------------------------


def test_a_searched_path_cannot_be_set():
    said = sentence(SPACE.overridden, {"phases.1.start": 4})
    assert said == (
        "`phases.1.start` is searched as T1: use --fix T1=VALUE to fix it, or --range T1=LOW..HIGH to bound it"
    )


@pytest.mark.parametrize("path", ["phases", "phases.1", "phases.1.loss", "phases.1.weights.kind"])
def test_nor_can_what_holds_it_or_lies_below_it(path):
    assert f"`{path}` is searched as" in sentence(SPACE.overridden, {path: {}})


def test_what_is_not_searched_can_be_set():
    other = SPACE.overridden({"batch_size": 32, "optimizer.lr": 0.1})
    assert (other.base.batch_size, other.base.optimizer.lr) == (32, 0.1)
    assert other.domains == SPACE.domains


def test_a_fixed_symbol_is_in_the_base_and_no_longer_searched():
    other = SPACE.fixed({"T1": 3, "weights": "none"})
    assert list(other.domains) == ["epsilon"]
    assert other.base.phases[1].start == 3 and other.base.phases[1].weights.symbol == ""


def test_something_must_be_left_to_search():
    said = sentence(SPACE.fixed, {"T1": 3, "epsilon": 1e-4, "weights": "none"})
    assert "nothing is left to search where T1 is 3 and epsilon is 0.0001 and weights is none" in said


def test_a_range_replaces_both_bounds():
    other = SPACE.ranged({"T1": (2.0, 9), "epsilon": (1e-4, 1e-2)})
    assert (other.domains["T1"].ends(), other.domains["epsilon"].ends()) == ([2, 9], [1e-4, 1e-2])
    assert other.domains["epsilon"] == EPSILON.model_copy(update={"low": 1e-4, "high": 1e-2})


@pytest.mark.parametrize(
    ("ranges", "says"),
    [
        ({"T2": (0, 9)}, "T2: there is no symbol `T2`"),
        ({"T1": (0, 9.5)}, "T1: [0, 9.5] must have whole numbers as its ends"),
        ({"T1": (0, math.inf)}, "T1: [0, inf] must have whole numbers as its ends"),
        ({"T1": (math.nan, 9)}, "T1: [nan, 9] must have whole numbers as its ends"),
        ({"T1": (9, 0)}, "T1: low must be below high"),
        ({"T1": (0, 7)}, "T1: the base config's own value must lie in the domain"),
        ({"epsilon": (0, 1)}, "epsilon: low must be above 0 on a log scale"),
        ({"epsilon": (1e-4, math.inf)}, "epsilon: `high` is inf"),
        ({"weights": (0, 1)}, "weights: it is a choice of IFW, none and has no range"),
    ],
)
def test_a_wrong_range_is_refused_with_its_symbol(ranges, says):
    assert says in sentence(SPACE.ranged, ranges)


def test_scaling_moves_the_base_and_the_domains_over_epochs_and_no_other():
    half = SPACE.scaled(0.5)
    assert (half.base.epochs, half.base.phases[1].start, half.domains["T1"].ends()) == (8, 4, [0, 5])
    assert {s: d for s, d in half.domains.items() if s != "T1"} == {"epsilon": EPSILON, "weights": WEIGHTS}


def test_a_domain_that_shrinks_to_a_point_is_dropped():
    late = space(T1=Int(path="phases.1.start", low=8, high=9), epsilon=EPSILON)
    assert list(late.scaled(0.25).domains) == ["epsilon"]
    assert "leaves nothing to search" in sentence(space(T1=late.domains["T1"]).scaled, 0.25)


def test_scaling_reaches_the_epochs_inside_a_label_s_subtree():
    balanced = Phase(start=12, weights=InverseFrequency()).plain()
    labels = {"IB": {}, "DRW": {"phases.1": balanced}, "two": {"phases": [{}, balanced]}, "short": {"epochs": 12}}
    half = space(method=Choice(labels=labels)).scaled(0.5)
    starts = {label: half.config({"method": label}).phases[1].start for label in labels}
    assert starts == {"IB": 4, "DRW": 6, "two": 6, "short": 4}
    assert half.config({"method": "short"}).epochs == 6


def test_a_point_is_scaled_with_its_space():
    assert SPACE.scaled_point({"T1": 10, "epsilon": 1e-4}, 0.5) == {"T1": 5, "epsilon": 1e-4}
    late = space(T1=Int(path="phases.1.start", low=8, high=9), epsilon=EPSILON)
    assert late.scaled_point({"T1": 9, "epsilon": 1e-4}, 0.25) == {"epsilon": 1e-4}


@pytest.mark.parametrize("factor", [0.0, -1.0, math.nan, math.inf])
def test_only_a_factor_above_0_scales(factor):
    assert "above 0" in sentence(SPACE.scaled, factor)


# --- what holds of every space ----------------------------------------------------------------------


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    epochs = draw(st.integers(2, 300))
    start = draw(st.integers(0, epochs))
    low = draw(st.integers(0, start))
    high = draw(st.integers(max(start, low + 1), epochs + 1))
    edge = st.floats(1e-12, 1e12)
    bounds = sorted({draw(edge), draw(edge), draw(edge)})
    base = DIGITS_IB.model_copy(update={"epochs": epochs})
    domains = {
        "T1": {**T1.plain(), "low": low, "high": high},
        "alpha": {"kind": "float", "path": "phases.1.loss.alpha", "log": draw(st.booleans())},
    }
    own = bounds[len(bounds) // 2]
    wide = {"low": bounds[0] / 2, "high": bounds[-1] * 2}
    if draw(st.booleans()):
        domains["weights"] = WEIGHTS.plain()
    plain = base.plain()
    plain["phases"][1]["start"] = start
    plain["phases"][1]["loss"]["alpha"] = own
    plain["optimizer"]["schedule"]["milestones"] = sorted([draw(st.integers(0, epochs)), epochs])
    domains["alpha"] |= wide
    return Space.parse({"name": "any", "about": draw(st.text()), "base": plain, "domains": domains})


def points(searched: Space) -> st.SearchStrategy[dict[str, object]]:
    def values(domain: Float | Int | Choice) -> st.SearchStrategy[object]:
        if isinstance(domain, Choice):
            return st.sampled_from(list(domain.labels))
        if isinstance(domain, Int):
            return st.integers(domain.low, domain.high)
        return st.floats(domain.low, domain.high)

    return st.fixed_dictionaries({symbol: values(domain) for symbol, domain in searched.domains.items()})


@examples
@given(spaces())
def test_a_space_survives_yaml(searched):
    assert Space.load(searched.dump()) == searched


@examples
@given(spaces(), st.floats(1e-3, 5))
def test_a_scaled_space_is_valid_and_its_base_the_scaled_paper_s_setting(searched, factor):
    small = searched.scaled(factor)
    assert Space.load(small.dump()) == small
    assert small.paper["alpha"] == searched.paper["alpha"]
    assert small.base.phases[1].start == scaled_epochs(searched.base.phases[1].start, factor)
    if "T1" in small.domains:
        assert small.domains["T1"].ends() == [scaled_epochs(int(end), factor) for end in searched.domains["T1"].ends()]


@examples
@given(spaces(), st.data())
def test_a_fixed_space_trains_what_the_whole_one_trains_there(searched, data):
    point = data.draw(points(searched))
    symbol = data.draw(st.sampled_from(list(searched.domains)))
    fixed = searched.fixed({symbol: point[symbol]})
    assert symbol not in fixed.domains
    rest = {s: v for s, v in point.items() if s != symbol}
    assert fixed.config(rest) == searched.config(point)


@examples
@given(spaces(), st.data())
def test_a_range_around_the_paper_s_setting_stays_valid_and_takes_its_points(searched, data):
    domain, own = searched.domains["alpha"], searched.paper["alpha"]
    assert isinstance(domain, Float)
    low = data.draw(st.floats(domain.low, own, exclude_max=domain.low < own))
    high = data.draw(st.floats(own, domain.high, exclude_min=own < domain.high))
    narrow = searched.ranged({"alpha": (low, high)})
    assert narrow.base == searched.base and narrow.domains["alpha"].ends() == [low, high]
    point = data.draw(points(narrow))
    assert narrow.config(point) == searched.config(point)


def test_a_domain_is_a_value():
    assert isinstance(T1, Value) and {T1: 1}[T1.model_copy()] == 1


# --- branches ---------------------------------------------------------------------------------------

FOCAL = {"phases.1.loss": {"kind": "focal"}}
GAMMA = Float(path="phases.1.loss.gamma", low=0, high=5)
LOSS = Branch(
    labels={
        "IB": Arm(domains={"alpha": SPACES["demo"].domains["alpha"]}),
        "focal": Arm(patch=FOCAL, domains={"gamma": GAMMA}),
    }
)
BRANCHED = Space(name="mine", base=DIGITS_IB, domains={"loss": LOSS, "T1": T1})


def test_a_branch_s_domains_exist_under_their_label_only():
    assert BRANCHED.symbols == ["loss", "alpha", "gamma", "T1"]
    assert BRANCHED.paper == {"loss": "IB", "alpha": 1000.0, "T1": 8}
    assert BRANCHED.point({"loss": "focal", "T1": 3}) == {"loss": "focal", "gamma": 1.0, "T1": 3}
    config = BRANCHED.config({"loss": "focal", "gamma": 2.5, "T1": 3})
    assert config.phases[1].loss == Focal(gamma=2.5) and config.phases[1].start == 3


@pytest.mark.parametrize(
    ("point", "said"),
    [
        ({"gamma": 1.0}, "gamma: it exists only under loss=focal"),
        ({"loss": "focal", "alpha": 50.0}, "alpha: it exists only under loss=IB"),
        ({"loss": "fcal"}, "there is no label `fcal` (did you mean `focal`?)"),
        ({"loss": "focal", "gama": 1.0}, "there is no symbol `gama` (did you mean `gamma`?)"),
        ({"loss": "focal", "gamma": 6.0}, "gamma: 6.0 is not a number in [0, 5]"),
    ],
)
def test_a_point_that_its_labels_do_not_allow_is_refused(point, said):
    assert said in sentence(BRANCHED.point, point)


def test_a_fixed_label_leaves_its_own_domains():
    fixed = BRANCHED.fixed({"loss": "focal"})
    assert fixed.symbols == ["T1", "gamma"] and fixed.base.phases[1].loss.symbol == "Focal"
    assert BRANCHED.fixed({"loss": "focal", "gamma": 2.0}).symbols == ["T1"]
    assert "gamma: it exists only under loss=focal" in sentence(BRANCHED.fixed, {"gamma": 2.0})


def test_a_range_reaches_into_branches():
    bounded = BRANCHED.ranged({"gamma": (0.5, 2.0)})
    assert bounded.point({"loss": "focal", "gamma": 2.0})
    assert "gamma: 3.0" in sentence(bounded.point, {"loss": "focal", "gamma": 3.0})


def test_a_branch_is_scaled_with_its_arms():
    late = Branch(
        labels={
            "IB": Arm(),
            "late": Arm(patch={"phases.1.start": 12}, domains={"T": Int(path="phases.1.start", low=9, high=14)}),
        }
    )
    half = Space(name="mine", base=DIGITS_IB, domains={"when": late}).scaled(0.5)
    assert half.point({"when": "late"}) == {"when": "late", "T": 6}
    assert half.domains["when"].labels["late"].domains["T"].ends() == [5, 7]


def test_what_a_branch_sets_cannot_be_set_beside_it():
    assert "`phases.1.loss.gamma` is searched as loss" in sentence(BRANCHED.overridden, {"phases.1.loss.gamma": 1.0})
    with pytest.raises(ValueError, match="loss and a both set"):
        space(loss=LOSS, a=SPACES["demo"].domains["alpha"])
    with pytest.raises(ValueError, match="alpha stands twice under loss=IB"):
        space(loss=LOSS, alpha=SPACES["demo"].domains["alpha"])


def test_a_symbol_means_one_thing_under_all_labels():
    other = Arm(patch=FOCAL, domains={"alpha": Float(path="phases.1.loss.gamma", low=0, high=5)})
    with pytest.raises(ValueError, match="alpha must have the same kind and bounds under every label"):
        space(loss=Branch(labels={**LOSS.labels, "focal": other}))


def test_an_arm_s_domain_must_fit_the_arm():
    with pytest.raises(ValueError, match=r"gamma: there is no path `phases.1.loss.gama`"):
        space(
            loss=Branch(
                labels={
                    "IB": Arm(),
                    "focal": Arm(patch=FOCAL, domains={"gamma": Float(path="phases.1.loss.gama", low=0, high=1)}),
                }
            )
        )


def test_branches_may_stand_in_branches():
    methods = SPACES["demo-methods"]
    point = methods.point({"method": "CDB-CE", "tau_rule": "fixed", "tau": 2.0})
    assert methods.config(point).phases[0].weights.plain()["tau"] == {"kind": "fixed", "value": 2.0}
    assert methods.fixed({"method": "CDB-CE", "tau_rule": "fixed", "tau": 2.0}).symbols == ["lr", "weight_decay"]


# --- what a domain may say besides ------------------------------------------------------------------


def test_a_domain_may_set_several_paths():
    both = Float(path="phases.0.lr_scale", low=0.1, high=2, also=("phases.1.lr_scale",))
    base = DIGITS_IB.replaced(phases=tuple(phase.replaced(lr_scale=1.0) for phase in DIGITS_IB.phases))
    config = Space(name="mine", base=base, domains={"scale": both}).config({"scale": 0.5})
    assert [phase.lr_scale for phase in config.phases] == [0.5, 0.5]


@pytest.mark.parametrize("fields", [{"log": True}, {"high": 1.0}])
def test_a_complement_is_of_something_below_1(fields):
    with pytest.raises(ValueError, match="log_complement needs high below 1 and log false"):
        Float(**{"path": "x", "low": 0.9, "high": 0.999, "log_complement": True, **fields})


def test_a_space_has_a_size_unless_a_real_number_is_searched():
    assert SPACE.size is None and space(T1=T1, weights=WEIGHTS).size == 22
    plain = Branch(labels={"IB": Arm(), "focal": Arm(patch=FOCAL, domains={"weights": WEIGHTS})})
    assert space(T1=T1, loss=plain).size == 11 * 3


def test_a_grid_has_every_combination():
    grid = BRANCHED.grid(3)
    assert len(grid) == 3 * 3 + 3 * 3
    assert {point["T1"] for point in grid} == {0, 5, 10}
    assert [p["alpha"] for p in grid if p.get("T1") == 0 and "alpha" in p] == pytest.approx([10, 1000, 1e5])
    for point in grid:
        assert BRANCHED.point(point) == point


def test_a_grid_of_beta_has_one_more_nine_each():
    beta = Float(path="x", low=0.9, high=0.9999, log_complement=True)
    assert beta.grid(4) == pytest.approx([0.9, 0.99, 0.999, 0.9999])
