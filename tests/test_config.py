import math
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import given, settings
from hypothesis import strategies as st

from lt_core import SGD, Cosine, Data, InputError, Phase, SmallCNN, Step, TrainConfig, Value, override, scaled
from lt_core.config import canonical, empty_levels, scaled_epochs
from lt_core.data import load_parts
from lt_core.losses import LDAM, CrossEntropy, Equalization, Loss, SigmoidEqualization
from lt_core.meta import MetaWeightNet
from lt_core.models import Model, ResNeXt3D
from lt_core.weights import Weights

examples = settings(max_examples=60, deadline=None, derandomize=True)

BASE = TrainConfig(data=Data(name="digits", imbalance=20, val_per_class=20), model=SmallCNN())


def config(*phases: dict[str, Any], **changes: object) -> TrainConfig:
    """The base config with phases as plain data and changes, whose paths have `__` for the dot."""
    paths = {path.replace("__", "."): new for path, new in changes.items()}
    return override(BASE, {"phases": list(phases) or [{}], **paths})


def ib(start: int, **changes: object) -> dict[str, Any]:
    """The second phase of the IB code: learning rate times 0.01 at T1, and no warm-up after it."""
    loss = {"kind": "influence_balanced"}
    return {"start": start, "loss": loss, "lr_scale": 0.01, "warmup": False, **changes}


# --- strategies: any value of a class, out of its fields, so that a new kind is drawn, too ------------------


def drawn(annotation: Any, bounds: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return drawn(arguments[0], (*bounds, *(b for a in arguments[1:] for b in getattr(a, "metadata", ()))))
    if origin is Literal:
        return st.sampled_from(arguments)
    if arguments:
        return st.one_of(*map(drawn, arguments))
    if annotation in SENSIBLE:
        return SENSIBLE[annotation]
    if issubclass(annotation, Value):
        fields = {n: drawn(f.annotation, tuple(f.metadata)) for n, f in annotation.model_fields.items()}
        return st.builds(annotation, **fields)
    low = next((b.ge if isinstance(b, Ge) else b.gt for b in bounds if isinstance(b, Ge | Gt)), None)
    high = next((b.le if isinstance(b, Le) else b.lt for b in bounds if isinstance(b, Le | Lt)), None)
    open_low, open_high = (any(isinstance(b, kind) for b in bounds) for kind in (Gt, Lt))
    if annotation is float:
        finite = {"allow_nan": False, "allow_infinity": False}
        return st.floats(low, high, exclude_min=open_low, exclude_max=open_high, **finite)
    rest = {bool: st.booleans(), int: st.integers(low, high), str: st.text(max_size=8), NoneType: st.none()}
    return rest[annotation]


# Fields that must agree with others: drawn as they agree.
SENSIBLE: dict[Any, st.SearchStrategy[Any]] = {
    LDAM: st.just(CrossEntropy()),  # needs a head that is stated
    Equalization: st.builds(Equalization, gamma=st.floats(0, 1), equals_ce=st.just(True)),
    SigmoidEqualization: st.builds(SigmoidEqualization, gamma=st.floats(0, 1), equals_ce=st.just(True)),
    MetaWeightNet: st.builds(MetaWeightNet, hidden=st.integers(1, 9)),
    ResNeXt3D: st.just(SmallCNN()),  # reads clips, and the digits are none
}
epoch_numbers = st.integers(0, 250)
datas = st.builds(
    Data,
    name=st.just("digits"),
    imbalance=st.floats(1, 50),
    profile=st.sampled_from(["exp", "step"]),
    subset_seed=st.integers(0, 2**32 - 1),
    val_from=st.sampled_from(["unused", "before_cut"]),
    val_per_class=st.integers(1, 49),
    meta_source=st.just("val"),
    augment=st.sampled_from(["none", "crop_flip"]),
)
schedules = st.just(Cosine()) | st.builds(
    Step, milestones=st.lists(epoch_numbers, max_size=3).map(sorted).map(tuple), gamma=st.floats(1e-6, 1)
)
optimizers = st.builds(
    SGD,
    lr=st.floats(1e-6, 10),
    momentum=st.floats(0.01, 0.99),
    weight_decay=st.floats(0, 1),
    nesterov=st.booleans(),
    warmup_epochs=st.integers(0, 20),
    schedule=schedules,
)
phases = st.builds(
    lambda starts, loss, weights, scale, warmup: tuple(
        Phase(start=s, loss=loss, weights=weights, lr_scale=scale, warmup=warmup) for s in [0, *sorted(starts)]
    ),
    st.lists(epoch_numbers, max_size=2),
    drawn(Loss),
    drawn(Weights),
    st.floats(1e-6, 1e3),
    st.booleans(),
)
configs = st.builds(
    TrainConfig,
    data=datas,
    model=drawn(Model),
    optimizer=optimizers,
    batch_size=st.integers(1, 4096),
    epochs=st.integers(1, 300),
    phases=phases,
    precision=st.sampled_from(["fp32", "bf16"]),
    channels_last=st.booleans(),
    seed=st.integers(0, 2**31 - 1),
)


@examples
@given(configs)
def test_a_config_reads_back_from_yaml_with_the_same_id(config):
    read = TrainConfig.load(config.dump())
    assert read == config and read.id == config.id and hash(read) == hash(config)


@examples
@given(configs)
def test_the_canonical_form_is_its_own_and_trains_alike(config):
    form = canonical(config)
    assert canonical(form) == form == TrainConfig.load(form.dump())
    assert form.id == config.id
    for epoch in range(1, config.epochs + 1):
        assert form.learning_rate(epoch) == config.learning_rate(epoch)
        ours, theirs = form.phase_at(epoch), config.phase_at(epoch)
        assert (ours.start, ours.loss, ours.weights) == (theirs.start, theirs.loss, theirs.weights)


# --- learning rates ---------------------------------------------------------------------------------


def rates(config: TrainConfig, *epochs: int) -> dict[int, float]:
    return {epoch: config.learning_rate(epoch) for epoch in epochs}


def test_learning_rates_of_the_baselines():
    expected = {1: 0.02, 2: 0.04, 3: 0.06, 4: 0.08, 5: 0.1, 6: 0.1, 160: 0.1, 161: 1e-3, 180: 1e-3, 181: 1e-5}
    assert rates(config(), *expected) == pytest.approx(expected, rel=1e-12)


def test_learning_rates_of_ib_at_100():
    expected = {1: 0.02, 5: 0.1, 100: 0.1, 101: 1e-3, 160: 1e-3, 161: 1e-5, 180: 1e-5, 181: 1e-7, 200: 1e-7}
    assert rates(config({}, ib(100)), *expected) == pytest.approx(expected, rel=1e-12)


def test_learning_rates_of_ib_from_the_start_have_no_warmup():
    expected = {1: 1e-3, 2: 1e-3, 160: 1e-3, 161: 1e-5, 181: 1e-7}
    assert rates(config({}, ib(0)), *expected) == pytest.approx(expected, rel=1e-12)


def test_ib_inside_the_warmup_ends_it():
    assert rates(config({}, ib(2)), 2, 3, 4) == pytest.approx({2: 0.04, 3: 1e-3, 4: 1e-3})


def test_phase_at_counts_the_epochs_before_a_phase():
    kinds = [config({}, ib(100)).phase_at(e).loss.kind for e in (1, 100, 101, 200)]
    assert kinds == ["cross_entropy", "cross_entropy", "influence_balanced", "influence_balanced"]


# --- identity ---------------------------------------------------------------------------------------

FOCAL = {"loss": {"kind": "focal", "gamma": 2}}
ALIKE = {
    "T1 at the end": (config({}, ib(200)), config()),
    "T1 after the end": (config({}, ib(500)), config()),
    "T1 at the end of a short run": (config({}, ib(9), epochs=9), config(epochs=9)),
    "an empty first phase": (config(FOCAL, ib(0)), config(ib(0))),
    "an empty middle phase": (config({}, {**FOCAL, "start": 50}, ib(50)), config({}, ib(50))),
    "two phases after the end": (config({}, ib(200), {**FOCAL, "start": 300}), config()),
    "balanced step and exp": (
        config(data__imbalance=1, data__profile="step"),
        config(data__imbalance=1, data__profile="exp"),
    ),
    "no val images": (
        config(data__val_per_class=0, data__val_from="before_cut"),
        config(data__val_per_class=0),
    ),
    "1 and 1.0": (
        config(optimizer__lr=1, data__imbalance=10),
        config(optimizer__lr=1.0, data__imbalance=10.0),
    ),
    "-0.0 and 0": (config(optimizer__weight_decay=-0.0), config(optimizer__weight_decay=0)),
    "-0.0 inside a phase": (
        config({"loss": {"kind": "focal", "gamma": -0.0}}),
        config({**FOCAL, "loss": {"kind": "focal", "gamma": 0}}),
    ),
    "warm-up off after it": (config({}, ib(100)), config({}, ib(100, warmup=True))),
    "warm-up off from its last epoch on": (config({}, ib(4)), config({}, ib(4, warmup=True))),
    "warm-up of 0 and of 1 epoch": (config(optimizer__warmup_epochs=0), config(optimizer__warmup_epochs=1)),
    "warm-up that no phase takes": (config(ib(0)), config(ib(0), optimizer__warmup_epochs=9)),
    "warm-up taken by none and no warm-up": (
        config(ib(0)),
        config(ib(0, warmup=True), optimizer__warmup_epochs=0),
    ),
    "milestones after the end": (config(epochs=150), config(epochs=150, optimizer__schedule__milestones=[])),
    "steps by 1": (config(optimizer__schedule__gamma=1), config(optimizer__schedule__milestones=[])),
    "defaults spelled out": (TrainConfig.parse(config().plain()), config()),
}
DIFFERENT = {
    "base": config(),
    "T1 199": config({}, ib(199)),
    "T1 100": config({}, ib(100)),
    "T1 0": config({}, ib(0)),
    "T1 0 with warm-up": config({}, ib(0, warmup=True)),
    "T1 3 with warm-up": config({}, ib(3, warmup=True)),
    "T1 3": config({}, ib(3)),
    "lr_scale": config({}, ib(100, lr_scale=1)),
    "alpha": config({}, ib(100, loss={"kind": "influence_balanced", "alpha": 500})),
    "detached": config({}, ib(100, loss={"kind": "influence_balanced", "detach_weight": True})),
    "IFW": config({}, ib(100, weights={"kind": "inverse_frequency"})),
    "IFW, weighted mean": config({}, ib(100, weights={"kind": "inverse_frequency", "reduction": "weighted_mean"})),
    "focal": config(FOCAL),
    "two equal phases, of which the last is scored": config({}, {"start": 100}),
    "epochs": config(epochs=199),
    "batch size": config(batch_size=64),
    "model": config(model__kind="lenet5"),
    "lr": config(optimizer__lr=0.2),
    "warm-up": config(optimizer__warmup_epochs=2),
    "no warm-up": config(optimizer__warmup_epochs=0),
    "momentum": config(optimizer__momentum=0.8),
    "nesterov": config(optimizer__nesterov=True),
    "weight decay": config(optimizer__weight_decay=0),
    "cosine": config(optimizer__schedule={"kind": "cosine"}),
    "milestone": config(optimizer__schedule__milestones=[160, 181]),
    "gamma": config(optimizer__schedule__gamma=0.1),
    "imbalance": config(data__imbalance=10),
    "profile": config(data__profile="step"),
    "subset": config(data__subset_seed=1),
    "val images": config(data__val_per_class=10),
    "val before the cut": config(data__val_from="before_cut"),
    "augmentation": config(data__augment="crop_flip"),
    "precision": config(precision="bf16"),
    "layout": config(channels_last=True),
    "seed": config(seed=1),
}


@pytest.mark.parametrize("case", ALIKE)
def test_configs_that_train_identically_have_one_id(case):
    first, second = ALIKE[case]
    assert first.id == second.id and first.recipe_id == second.recipe_id


def test_configs_that_train_differently_have_different_ids():
    by_id: dict[str, str] = {}
    assert [(name, by_id[c.id]) for name, c in DIFFERENT.items() if by_id.setdefault(c.id, name) != name] == []


def test_the_recipe_leaves_out_the_seed_only():
    recipes = {name: c.recipe_id for name, c in DIFFERENT.items()}
    assert recipes.pop("seed") == recipes["base"]
    assert len(set(recipes.values())) == len(recipes)


def test_the_id_does_not_depend_on_the_process():
    assert config().id == TrainConfig.load(config().dump()).id == canonical(config()).id
    assert len(config().id) == 12 and int(config().id, 16) >= 0


@pytest.mark.parametrize(
    ("phase", "method"),
    [
        ({}, "CE"),
        (FOCAL, "Focal"),
        ({**FOCAL, "weights": {"kind": "inverse_frequency"}}, "Focal+IFW"),
        ({**FOCAL, "weights": {"kind": "effective_number"}}, "Focal+CB"),
        (ib(0, weights={"kind": "inverse_frequency"}), "IB"),
        (ib(0, weights={"kind": "effective_number"}), "IB+CB"),
        (ib(0), "IB+unweighted"),
    ],
)
def test_the_method_is_named_after_the_last_phase(phase, method):
    assert config(phase).method == method
    assert config({}, {**phase, "start": 10}).method == method
    assert config({}, {**phase, "start": 200}).method == "CE"


@pytest.mark.parametrize(
    ("phases", "method"),
    [
        ([{}, {"start": 10, "weights": {"kind": "effective_number"}}], "CE-DRW"),
        ([{}, {"start": 10, "weights": {"kind": "inverse_frequency"}}], "CE-DRW+IFW"),
        ([{}, {"start": 10, "sampler": "class_balanced"}], "CE-DRS"),
        ([{"sampler": "class_balanced"}], "CE+RS"),
        ([{}, {"start": 10, "train": "classifier", "sampler": "class_balanced", "restart": {}}], "cRT"),
        ([{"weights": {"kind": "class_difficulty"}}], "CDB-CE"),
        ([{"reweighting": {"kind": "l2rw"}}], "L2RW"),
        ([{"reweighting": {"kind": "meta_weight_net"}}], "MW-Net"),
        ([{**FOCAL, "reweighting": {"kind": "l2rw"}}], "Focal+L2RW"),
        ([{"loss": {"kind": "logit_adjusted"}}], "BalSoft"),
    ],
)
def test_methods_are_named_as_in_the_literature(phases, method):
    meta = {"name": "digits", "meta_source": "val"}
    assert TrainConfig.parse({**config().plain(), "data": meta, "phases": phases}).method == method


def test_a_step_of_evaluation_is_part_of_the_methods_name():
    adjusted = override(config(), {"evaluation.post_hoc.kind": "logit_adjustment"})
    assert adjusted.method == "CE+LA" and adjusted.id != config().id


RESTART = {"start": 10, "restart": {"optimizer": {"warmup_epochs": 5}}}
CE = {"loss": {"kind": "cross_entropy"}}


@pytest.mark.parametrize(
    ("first", "second", "alike"),
    [
        ([{}, RESTART, {"start": 12, "warmup": False}], [{}, RESTART, {"start": 12}], False),
        ([{}, RESTART, {"start": 15, "warmup": False}], [{}, RESTART, {"start": 15}], True),
        (
            [{}, {"start": 10, "restart": {"optimizer": {"schedule": {"kind": "step", "milestones": [25]}}}}],
            [{}, {"start": 10, "restart": {"optimizer": {"schedule": {"kind": "step", "milestones": [30]}}}}],
            True,
        ),
        ([{}, RESTART], [{}, {**RESTART, "train": "classifier"}], False),
        ([{}], [{"sampler": "class_balanced"}], False),
        ([{}], [{"reweighting": {"kind": "l2rw"}}], False),
    ],
)
def test_restarts_are_canonical_in_their_own_span(first, second, alike):
    ids = [override(config(), {"epochs": 30, "data.meta_source": "val", "phases": p}).id for p in (first, second)]
    assert (ids[0] == ids[1]) == alike


def test_a_meta_part_that_nothing_reads_changes_nothing():
    plain, meta = config(), override(config(), {"data.meta_source": "val"})
    assert plain.id == meta.id and load_parts(plain.data).id == load_parts(meta.data).id
    weights = {"phases.0.weights": {"kind": "class_difficulty"}}
    assert override(meta, weights).id != plain.id


@pytest.mark.parametrize(
    ("change", "alike"),
    [
        ({"optimizer.weight_decay": 0, "optimizer.decay": "no_norm_bias"}, False),
        ({"optimizer.decay": "no_norm_bias"}, False),
        ({"data.mixup": 0.2}, False),
        ({"model.head": "linear"}, True),
        ({"evaluation.post_hoc.kind": "logit_adjustment"}, False),
    ],
)
def test_what_trains_or_scores_otherwise_has_another_id(change, alike):
    assert (override(config(), change).id == config().id) == alike


# --- scaling ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("epochs", "factor", "expected"),
    [
        (5, 0.1, 1),
        (25, 0.1, 3),
        (15, 0.1, 2),
        (24, 0.1, 2),
        (1, 0.01, 1),
        (0, 9.0, 0),
        (45, 0.7, 32),
        (200, 15 / 200, 15),
    ],
)
def test_epochs_are_scaled_half_up_and_stay_above_zero(epochs, factor, expected):
    assert scaled_epochs(epochs, factor) == expected


@examples
@given(st.integers(1, 1000), st.integers(1, 1000))
def test_scaling_to_a_length_gives_that_length(epochs, wanted):
    assert scaled_epochs(epochs, wanted / epochs) == wanted


def test_every_field_in_epochs_is_scaled_and_no_other():
    small = scaled(config({}, ib(100)), 0.1)
    expected = config({}, ib(10), epochs=20, optimizer__warmup_epochs=1, optimizer__schedule__milestones=[16, 18])
    assert small == expected
    assert scaled(config(optimizer__schedule={"kind": "cosine"}), 0.1).epochs == 20


@examples
@given(configs, st.floats(0.001, 3))
def test_scaling_keeps_order_zeros_and_what_is_there(config, factor):
    small = scaled(config, factor)

    def numbers(c):
        steps = c.optimizer.schedule.milestones if isinstance(c.optimizer.schedule, Step) else ()
        return [c.epochs, c.optimizer.warmup_epochs, *(p.start for p in c.phases), *steps]

    before, after = numbers(config), numbers(small)
    assert [n == 0 for n in before] == [n == 0 for n in after]
    assert all(math.isclose(b, a * factor, abs_tol=0.5 + 1e-6) or b == 1 for a, b in zip(before, after, strict=True))
    assert all(
        (a <= b) <= (x <= y) for a, x in zip(before, after, strict=True) for b, y in zip(before, after, strict=True)
    )
    assert small.seed == config.seed and small.data == config.data and small.batch_size == config.batch_size


def test_scaling_by_one_changes_nothing():
    assert scaled(config({}, ib(100)), 1.0) == config({}, ib(100))


def test_nothing_is_empty_in_a_full_recipe():
    assert empty_levels(config({}, ib(100))) == []
    assert empty_levels(config(optimizer__schedule={"kind": "cosine"})) == []


def test_scaling_names_what_it_emptied():
    assert empty_levels(scaled(config({}, ib(100)), 2 / 200)) == [
        "learning-rate level 2",
        "learning-rate level 3",
    ]
    assert empty_levels(scaled(config({}, ib(1), ib(2)), 1 / 200)) == [
        "phase 2 (IB)",
        "phase 3 (IB)",
        "learning-rate level 2",
        "learning-rate level 3",
    ]
    assert empty_levels(config({}, ib(0))) == ["phase 1 (CE)"]
    assert empty_levels(config(epochs=170)) == ["learning-rate level 3"]


def test_a_config_in_python_is_as_strict_as_in_yaml():
    with pytest.raises(ValueError, match="epochs"):
        TrainConfig(data=BASE.data, model=BASE.model, epochs="3")
    with pytest.raises(InputError, match="`data` is missing"):
        TrainConfig.parse({})
