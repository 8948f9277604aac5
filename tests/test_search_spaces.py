import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from lt_core import TrainConfig, scaled
from lt_core.config import canonical, empty_levels
from lt_core.data import load_parts
from search_spaces import CONFIGS, SPACES, Space, Study
from search_spaces.controls import plain_cross_entropy
from search_spaces.study import last_switch

IDS = {  # they are in people's records: a change here means that old runs are not found any more
    "demo": ("df677d117034", "45544a3adcaa"),
    "demo-ce": ("d55cc0d77ee5", "caab7b2acc56"),
    "ib2021-cifar10": ("b4cbf506680f", "18f650cc6f0f"),
    "ce-cifar10": ("5552d2110368", "a963032eb8e0"),
}

each_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
each_space = pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)


# --- configs ----------------------------------------------------------------------------------------


def test_ids_are_stable():
    assert {name: (CONFIGS[name].id, CONFIGS[name].recipe_id) for name in IDS} == IDS


def test_ids_do_not_depend_on_the_process():
    code = f"from search_spaces import CONFIGS as c; print({{n: (c[n].id, c[n].recipe_id) for n in {list(IDS)}}})"
    root = Path(__file__).parent.parent
    environment = {"PYTHONHASHSEED": "7", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == str(IDS), done.stderr


@each_config
def test_a_config_loads_back_from_yaml(config):
    again = TrainConfig.load(config.dump())
    assert again == config and again.id == config.id


@each_config
def test_every_phase_and_learning_rate_level_of_a_config_holds_an_epoch(config):
    assert len(canonical(config).phases) == len(config.phases)
    assert empty_levels(config) == []


@each_config
def test_a_config_starts_with_seed_0_and_every_space_has_val_to_choose_by(config):
    assert config.seed == 0
    assert all(space.base.data.has_val for space in SPACES.values())


def test_no_two_configs_train_alike():
    assert len({config.id for config in CONFIGS.values()}) == len(CONFIGS)


def test_the_control_differs_from_its_method_in_the_phases_only():
    for method, control in (("demo", "demo-ce"), ("ib2021-cifar10", "ce-cifar10")):
        assert CONFIGS[control].method == "CE" and CONFIGS[method].method == "IB"
        assert CONFIGS[control].model_copy(update={"phases": CONFIGS[method].phases}) == CONFIGS[method]


def test_the_control_of_ldam_has_a_linear_head():
    assert plain_cross_entropy(CONFIGS["ldam-drw-cifar10"]).id == CONFIGS["ce-cifar10"].id


def test_ib_is_the_official_code_s_recipe():
    config = CONFIGS["ib2021-cifar10"]
    first, second = config.phases
    assert (first.loss.symbol, first.weights.symbol, first.lr_scale) == ("CE", "", 1.0)
    assert (second.start, second.loss.symbol, second.weights.symbol) == (100, "IB", "IFW")
    assert second.loss.plain() == {
        "kind": "influence_balanced",
        "alpha": 1000.0,
        "epsilon": 1e-3,
        "gamma": 0.0,
        "weight_in_exponent": True,
        "norm": "l1",
        "denominator": "influence+epsilon",
        "detach_weight": False,
    }
    assert (config.epochs, config.batch_size, config.data.imbalance, config.model.kind) == (200, 128, 100, "resnet32")
    rates = [config.learning_rate(epoch) for epoch in (1, 5, 100, 101, 161, 181)]
    assert rates == pytest.approx([0.02, 0.1, 0.1, 1e-3, 1e-5, 1e-7])


# --- spaces -----------------------------------------------------------------------------------------


def test_a_space_goes_by_its_name():
    assert {space.name: space for space in SPACES.values()} == SPACES
    assert all(space.about for space in SPACES.values())


@each_space
def test_a_space_and_its_study_load_back_from_yaml(space):
    assert Space.load(space.dump()) == space
    study = Study(space=space)
    assert Study.load(study.dump()) == study


@each_space
def test_the_paper_s_setting_is_trial_0(space):
    assert Study(space=space).points == [space.paper]
    assert space.config(space.paper) == space.base


IB_SPACES = [SPACES[name] for name in ("demo", "ib2021-cifar10", "ib2021-cifar100")]
each_ib_space = pytest.mark.parametrize("space", IB_SPACES, ids=lambda s: s.name)


@each_ib_space
def test_every_corner_of_an_ib_space_can_be_trained(space):
    assert space.base == CONFIGS[space.name]
    corners = product(*(domain.ends() for domain in space.domains.values()))
    configs = [space.config(dict(zip(space.domains, corner, strict=True))) for corner in corners]
    assert len({config.id for config in configs}) == len(configs)
    for config in configs:
        switch = canonical(config).phases[-1].start
        assert switch < config.epochs and config.phase_at(config.epochs).loss.symbol == "IB"


@each_space
def test_two_rungs_fit_between_the_last_switch_and_the_end(space):
    rungs = Study(space=space).effective_rungs.epochs
    assert len(rungs) == 2
    assert last_switch(space) < rungs[0] < rungs[1] < space.base.epochs


@each_space
@pytest.mark.parametrize("epochs", [1, 2, 8, 40])
def test_a_space_can_be_shortened(space, epochs):
    factor = epochs / space.base.epochs
    short = space.scaled(factor)
    assert short.base.epochs == epochs and short.base == scaled(space.base, factor)
    Study(space=short)
    gone = set(space.symbols) - set(short.symbols)
    assert gone <= {"T1", "drw_epoch"}


@each_space
def test_every_extreme_of_a_space_is_a_config_of_its_own(space):
    ids = [config.id for config in space.extremes()]
    assert len(ids) > 2 * len(space.symbols) and space.base.id in ids


@each_ib_space
def test_ib_s_symbols_are_searched_on_the_scales_of_the_paper(space):
    assert list(space.domains) == ["T1", "epsilon", "alpha"]
    epsilon, alpha = (space.domains[symbol].plain() for symbol in ("epsilon", "alpha"))
    assert (epsilon["low"], epsilon["high"], epsilon["log"]) == (1e-8, 1e-1, True)
    assert (alpha["low"], alpha["high"], alpha["log"]) == (10.0, 1e5, True)


@pytest.mark.parametrize("name", ["methods", "demo-methods"])
def test_the_methods_stand_under_the_names_that_their_configs_give_them(name):
    space = SPACES[name]
    for label in space.domains["method"].ends():
        assert space.config(space.point({"method": label})).method == label


@pytest.mark.parametrize("name", ["cdb2020-mnist", "cdb2020-cifar100"])
def test_tau_is_searched_where_it_is_fixed_only(name):
    space = SPACES[name]
    for rule in space.domains["tau_rule"].ends():
        point = space.point({"tau_rule": rule})
        assert ("tau" in point) == (rule == "fixed")
        assert space.config(point).phases[0].weights.plain()["tau"]["kind"] == rule


def test_the_demo_s_data_is_embedded_and_long_tailed():
    parts = load_parts(SPACES["demo"].base.data)
    assert max(parts.class_counts) / min(parts.class_counts) == pytest.approx(20)
    assert len(parts.val) == 300
