import re
import subprocess
from pathlib import Path

import pytest

import lt_core
from lt_core import InputError, override
from lt_core.data import load_parts
from lt_core.identity import core_id
from search_spaces import CONFIGS
from search_spaces.demo import DIGITS_IB
from tuning.record import identity
from tuning.record.identity import Identity, method_params, params


@pytest.fixture(autouse=True)
def fresh_commit():
    identity._git_commit.cache_clear()
    yield
    identity._git_commit.cache_clear()


def git(*arguments: str, folder: Path) -> str:
    author = ["-c", "user.name=A", "-c", "user.email=a@b"]
    done = subprocess.run(["git", *author, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_tags_are_the_identities_of_config_data_and_core(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Identity(tmp_path).tags(DIGITS_IB) == {
        "lt.config_id": DIGITS_IB.id,
        "lt.recipe_id": DIGITS_IB.recipe_id,
        "lt.any_split_id": DIGITS_IB.recipe_id,
        "lt.data_id": load_parts(DIGITS_IB.data).id,
        "lt.core_id": core_id(),
        "lt.numerics": "none",
        "lt.seed": "0",
        "lt.epochs": "16",
        "lt.version": lt_core.__version__,
    }


def test_the_seed_is_in_the_config_s_identity_and_not_in_the_recipe_s():
    ours, other = (Identity(Path()).tags(DIGITS_IB.model_copy(update={"seed": seed})) for seed in (0, 7))
    assert {key for key in ours if ours[key] != other[key]} == {"lt.config_id", "lt.seed"}


def test_a_recipe_on_any_split_is_one():
    ours, other = (Identity(Path()).tags(override(DIGITS_IB, {"data.subset_seed": seed})) for seed in (0, 7))
    assert {key for key in ours if ours[key] != other[key]} == {"lt.config_id", "lt.recipe_id", "lt.data_id"}


def test_other_images_are_another_data_identity():
    other = override(DIGITS_IB, {"data.subset_seed": 1})
    ids = {Identity(Path()).tags(config)["lt.data_id"] for config in (DIGITS_IB, other)}
    assert len(ids) == 2


def test_data_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="dataset cifar10 is missing"):
        Identity(tmp_path).tags(CONFIGS["ib2021-cifar10"])


def test_the_commit_is_that_of_the_working_directory(tmp_path, monkeypatch):
    git("init", "-q", folder=tmp_path)
    git("commit", "-q", "--allow-empty", "-m", "x", folder=tmp_path)
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    commit = Identity(tmp_path).tags(DIGITS_IB)["mlflow.source.git.commit"]
    assert re.fullmatch("[0-9a-f]{40}", commit) and commit == git("rev-parse", "HEAD", folder=tmp_path)


@pytest.mark.parametrize("how", ["no repository", "no commit", "no git"])
def test_there_may_be_no_commit(tmp_path, monkeypatch, how):
    if how == "no commit":
        git("init", "-q", folder=tmp_path)
    monkeypatch.chdir(tmp_path)
    if how == "no git":
        monkeypatch.setenv("PATH", str(tmp_path))
    assert "mlflow.source.git.commit" not in Identity(tmp_path).tags(DIGITS_IB)


def test_a_git_that_hangs_is_no_commit(tmp_path, monkeypatch):
    (tmp_path / "git").write_text("#!/bin/sh\nexec /bin/sleep 30\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(identity, "GIT_SECONDS", 0.2)
    assert "mlflow.source.git.commit" not in Identity(tmp_path).tags(DIGITS_IB)


def test_binary_mnist_has_a_majority_ratio_for_its_imbalance():
    found = params(CONFIGS["cdb2020-mnist"])
    assert found["majority_ratio"] == 0.98 and "imbalance" not in found


def test_params_sum_a_config_up():
    assert params(DIGITS_IB) == {"method": "IB", "dataset": "digits", "imbalance": 20.0, "epochs": 16, "seed": 0}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "demo",
            {
                "T1": 8,
                "weights": "inverse_frequency",
                "lr": 0.05,
                "alpha": 1000.0,
                "epsilon": 1e-3,
                "power": 1.0,
                "gamma": 0.0,
                "weight_in_exponent": True,
                "norm": "l1",
                "denominator": "influence+epsilon",
                "detach_weight": False,
            },
        ),
        ("demo-ce", {"T1": 0, "weights": "none", "lr": 0.05}),
        (
            "ldam-drw-cifar10",
            {"drw_epoch": 160, "weights": "effective_number", "lr": 0.1, "beta": 0.9999, "ldam_m": 0.5, "ldam_s": 30.0},
        ),
        (
            "cdb2020-mnist",
            {"T1": 0, "weights": "class_difficulty", "lr": 1e-3, "tau_rule": "paper", "tau": "none", "sum_to_c": True},
        ),
        ("vs-cifar10", {"T1": 0, "weights": "none", "lr": 0.1, "vs_gamma": 0.15, "vs_tau": 1.25}),
        ("tau-norm-cifar10", {"T1": 0, "weights": "none", "lr": 0.1, "norm_tau": 1.0}),
        (
            "eql-mnist",
            {"T1": 0, "weights": "none", "lr": 1e-3, "eql_lambda": 0.03, "eql_gamma": 0.9, "equals_ce": False},
        ),
    ],
)
def test_a_run_without_a_space_shows_its_last_phase_s_hyperparameters(name, expected):
    config = CONFIGS[name]
    assert method_params(config) == {"model": config.model.kind, "batch_size": config.batch_size, **expected}
