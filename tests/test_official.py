import shlex

import pytest

from lt_core import override
from lt_core.config import scaled
from search_spaces import CONFIGS
from tuning.exports.official import command_line

# The options of the scripts, as their parsers declare them.
COMMON = {
    *("--dataset", "--arch", "--loss_type", "--imb_type", "--imb_factor", "--train_rule", "--rand_number", "--exp_str"),
    *("--epochs", "--batch-size", "--lr", "--momentum", "--wd", "--seed", "--gpu"),
}
OPTIONS = {"LDAM-DRW": COMMON, "IB-Loss": COMMON | {"--num_classes", "--start_ib_epoch"}}


def parsed(config):
    """Repository, script and options of a config's command line."""
    *comments, line = command_line(config).splitlines()
    python, script, *words = shlex.split(line)
    assert python == "python" and all(comment.startswith("# ") for comment in comments)
    options = dict(zip(words[::2], words[1::2], strict=True))
    repository = comments[0].rpartition("/")[2]
    assert set(options) <= OPTIONS[repository]
    return repository, script, options


def test_the_readme_of_ib_has_this_line():
    repository, script, options = parsed(CONFIGS["ib2021-cifar100"])
    assert (repository, script) == ("IB-Loss", "cifar_train.py")
    readme = {
        "--dataset": "cifar100",
        "--loss_type": "IB",
        "--train_rule": "IBReweight",
        "--imb_type": "exp",
        "--imb_factor": "0.01",
        "--epochs": "200",
        "--num_classes": "100",
        "--start_ib_epoch": "100",
    }
    assert readme.items() <= options.items()


@pytest.mark.parametrize(
    ("name", "repository", "loss", "rule"),
    [
        ("ce-cifar10", "LDAM-DRW", "CE", "None"),
        ("ldam-cifar10", "LDAM-DRW", "LDAM", "None"),
        ("ldam-drw-cifar100", "LDAM-DRW", "LDAM", "DRW"),
        ("ce-drw-cifar10", "LDAM-DRW", "CE", "DRW"),
        ("focal-cifar10", "LDAM-DRW", "Focal", "None"),
        ("ifw-cifar10", "IB-Loss", "CE", "IBReweight"),
        ("ib2021-cifar10-cb", "IB-Loss", "IB", "CBReweight"),
        ("ib2021-cifar10-focal", "IB-Loss", "IBFocal", "IBReweight"),
    ],
)
def test_shipped_configs_have_a_line(name, repository, loss, rule):
    found, script, options = parsed(CONFIGS[name])
    assert (found, script, options["--loss_type"], options["--train_rule"]) == (
        repository,
        "cifar_train.py",
        loss,
        rule,
    )


def test_tiny_imagenet_has_a_script_of_its_own():
    _, script, options = parsed(CONFIGS["ib2021-tiny-imagenet"])
    assert script == "tinyimage_train.py"
    assert (options["--dataset"], options["--arch"], options["--start_ib_epoch"]) == ("tinyimagenet", "resnet18", "50")


def test_what_has_a_flag_is_said():
    changes = {
        "phases.1.start": 80,
        "data.imbalance": 50.0,
        "data.profile": "step",
        "data.subset_seed": 2,
        "epochs": 190,
        "batch_size": 64,
        "optimizer.lr": 0.05,
        "optimizer.momentum": 0.8,
        "optimizer.weight_decay": 5e-4,
        "seed": 7,
    }
    _, _, options = parsed(override(CONFIGS["ib2021-cifar10"], changes))
    assert options == {
        "--dataset": "cifar10",
        "--arch": "resnet32",
        "--num_classes": "10",
        "--loss_type": "IB",
        "--train_rule": "IBReweight",
        "--imb_type": "step",
        "--imb_factor": "0.02",
        "--start_ib_epoch": "80",
        "--rand_number": "2",
        "--epochs": "190",
        "--batch-size": "64",
        "--lr": "0.05",
        "--momentum": "0.8",
        "--wd": "0.0005",
        "--seed": "7",
    }


def test_a_second_phase_that_is_not_reached_is_none():
    config = override(CONFIGS["ldam-drw-cifar10"], {"epochs": 150})
    assert parsed(config)[2]["--train_rule"] == "None"


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("ib2021-cifar10", {"phases.1.loss.epsilon": 0.05}, "phases.1.loss.epsilon is 0.001 there and 0.05 here"),
        ("ib2021-cifar10", {"phases.1.loss.alpha": 37.0}, "phases.1.loss.alpha is 1000.0 there and 37.0 here"),
        ("ib2021-cifar10", {"phases.1.lr_scale": 1.0}, "phases.1.lr_scale is 0.01 there and 1.0 here"),
        ("ldam-cifar10", {"phases.0.loss.max_m": 0.3}, "phases.0.loss.max_m is 0.5 there and 0.3 here"),
        ("ldam-drw-cifar10", {"phases.1.start": 120}, "phases.1.start is 160 there and 120 here"),
        ("ce-cifar10", {"optimizer.nesterov": True}, "optimizer.nesterov is False there and True here"),
        ("post-hoc-la-cifar10", {}, "evaluation.post_hoc.kind is none there and logit_adjustment here"),
        ("demo", {}, "the scripts of LDAM and IB train cifar10, cifar100, tiny-imagenet, not digits"),
    ],
)
def test_what_no_flag_says_is_told_in_a_sentence(name, changes, said):
    text = command_line(override(CONFIGS[name], changes))
    assert text.startswith("# no official command line: ") and "\n" not in text and said in text


def test_every_shipped_config_has_a_line_or_a_sentence():
    for config in CONFIGS.values():
        text = command_line(config)
        assert text.startswith(("# in a checkout of https://github.com/", "# no official command line: "))


def test_milestones_of_another_length_are_not_the_scripts():
    assert "milestones" in command_line(scaled(CONFIGS["ce-cifar10"], 0.5))


def test_validation_images_are_no_difference():
    with_val, without = (override(CONFIGS["ce-cifar10"], {"data.val_per_class": n}) for n in (500, 0))
    assert command_line(with_val) == command_line(without)
    assert "holds out no validation images" in command_line(with_val)
