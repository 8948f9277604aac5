import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from layout_folders import egtea, imagenet, imagenet_lt, inaturalist, tiny_imagenet

from lt_core import Run, TrainConfig, override
from lt_core.config import canonical
from search_spaces import CONFIGS
from search_spaces.baselines import crt, ldam, ldam_drw
from search_spaces.presets import cifar100_cdb, cifar_cb, cifar_lt, cifar_mwnet, mnist_4_9, tiny_imagenet_lt

STREAMED = {name: config for name, config in CONFIGS.items() if config.data.streams}
IN_MEMORY = {name: config for name, config in CONFIGS.items() if name not in STREAMED}


def stand_in(config: TrainConfig, root: Path) -> TrainConfig:
    """The config on a few random images of its own kind, of one epoch a phase, two and a bit batches each."""
    embedded = config.data.name == "digits"
    classes = 2 if config.data.name == "mnist-4-9" else 10
    channels, size = (1, 28) if "mnist" in config.data.name else (3, 32)
    if not embedded:
        _write(root / "own.npz", classes, channels, size)
        meta = {"meta_source": config.data.meta_source, "meta_per_class": min(2, config.data.meta_per_class)}
        pixels = {name: getattr(config.data, name) for name in ("augment", "normalise", "normalise_test", "mixup")}
        own = {"name": "npz", "path": "own.npz", "val_per_class": 2, "test_fraction": 0.2, **meta, **pixels}
        config = override(config, {"data": own})
    starts = {f"phases.{i}.start": i for i in range(len(config.phases))}
    return override(config, {**starts, "epochs": len(config.phases), "batch_size": 24, "optimizer.warmup_epochs": 0})


def _write(path: Path, classes: int, channels: int, size: int) -> None:
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), np.linspace(16, 9, classes).astype(int) if classes > 2 else [40, 20])
    images = draw.integers(0, 256, (len(labels), size, size, channels), dtype=np.uint8)
    np.savez(path, images=images, labels=labels)


def results(run: Run) -> list[Any]:
    return [replace(result, seconds=0) for result in run.history]


def resumes(config: TrainConfig, root: Path) -> None:
    """Stopped after each epoch, saved and loaded, a run ends in the bits of the one that was left alone."""
    whole, stopped = Run(config, root), Run(config, root)
    for _ in whole.epochs():
        stopped.step()
        stream = io.BytesIO()
        stopped.save(stream)
        stopped = Run(config, root)
        stopped.load(io.BytesIO(stream.getvalue()))
    assert results(stopped) == results(whole)
    assert not any(result.diverged for result in whole.history)
    pairs = zip(whole.model.state_dict().values(), stopped.model.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("name", IN_MEMORY)
def test_every_config_trains_each_of_its_phases_and_resumes_bit_for_bit(name, tmp_path):
    config = stand_in(CONFIGS[name], tmp_path)
    assert len(canonical(config).phases) == len(CONFIGS[name].phases)
    resumes(config, tmp_path)


WRITTEN = {
    "tiny-imagenet": lambda root: tiny_imagenet(root, flat=True),
    "imagenet": imagenet,
    "imagenet-lt": imagenet_lt,
    "inaturalist2017": lambda root: inaturalist(root, 2017),
    "inaturalist2018": inaturalist,
    "egtea": egtea,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STREAMED)
def test_every_streamed_config_trains_at_reduced_size_and_resumes_bit_for_bit(name, tmp_path):
    """Images of 64, clips of 10 frames of 32, random weights."""
    config = CONFIGS[name]
    WRITTEN[config.data.name](tmp_path)
    changes: dict[str, object] = {"model.weights": None, "data.image_size": 32 if config.model.clips else 64}
    if config.data.name == "tiny-imagenet":
        changes |= {"data.profile": "natural", "data.val_per_class": 1}
    starts = {f"phases.{i}.start": i for i in range(len(config.phases))}
    rate = {"optimizer.lr": 1e-3, "optimizer.warmup_epochs": 0}
    resumes(override(config, {**changes, **starts, **rate, "epochs": len(config.phases), "batch_size": 8}), tmp_path)


# --- what each repository does ----------------------------------------------------------------------


def rates(config: TrainConfig, *epochs: int) -> list[float]:
    return [config.learning_rate(epoch) for epoch in epochs]


def test_ldam_and_ib_warm_up_by_epoch_and_drop_by_a_hundredth():
    found = rates(cifar_lt("cifar10", 100), 1, 2, 5, 6, 160, 161, 180, 181)
    assert found == pytest.approx([0.02, 0.04, 0.1, 0.1, 0.1, 1e-3, 1e-3, 1e-5])


def test_class_balanced_warms_up_by_step_from_0():
    config = cifar_cb("cifar10", 100)
    found = [config.learning_rate(1, 0.0), config.learning_rate(3, 0.5), config.learning_rate(5, 1.0)]
    assert found == pytest.approx([0.0, 0.05, 0.1])
    assert rates(config, 161, 181) == pytest.approx([1e-3, 1e-5])


def test_cdb_has_no_warm_up_and_drops_at_160_and_210_of_240():
    config = cifar100_cdb(100)
    assert rates(config, 1, 160, 161, 210, 211) == pytest.approx([0.1, 0.1, 1e-3, 1e-3, 1e-5])
    assert max(config.data.counts) == 475 and sum(config.data.counts) == 10302


def test_meta_weight_net_drops_by_a_tenth_from_epoch_80_on():
    config = cifar_mwnet("cifar10", 100)
    assert rates(config, 1, 79, 80, 89, 90) == pytest.approx([0.1, 0.1, 0.01, 0.01, 1e-3])
    assert config.data.counts == (4990, 2991, 1793, 1075, 644, 386, 231, 138, 83, 49)


def test_ib_on_tiny_imagenet_drops_at_50_and_90_and_its_baselines_at_90_only():
    assert rates(CONFIGS["ib2021-tiny-imagenet"], 5, 50, 51, 90, 91) == pytest.approx([0.1, 0.1, 1e-3, 1e-3, 1e-4])
    assert rates(tiny_imagenet_lt(100), 51, 91) == pytest.approx([0.1, 0.01])


@pytest.mark.parametrize(("ratio", "minority"), [(0.9, 500), (0.95, 250), (0.98, 100), (0.99, 50), (0.995, 25)])
def test_the_majority_ratios_of_cdbs_mnist_give_its_minorities(ratio, minority):
    data = mnist_4_9(ratio).data
    assert data.counts == (5000 - minority, minority)
    assert data.majority_ratio == pytest.approx(ratio)


RECIPES = [  # config, decay, weight decay, momentum, Nesterov, batch, normalisation: train and test, augmentation
    ("ib2021-cifar10", "all", 2e-4, 0.9, False, 128, "cifar10", None, "crop_flip"),
    ("ldam-drw-cifar100", "all", 2e-4, 0.9, False, 128, "cifar10", None, "crop_flip"),
    ("ce-cifar10-cb2019", "all", 2e-4, 0.9, False, 128, "signed", None, "crop_flip"),
    ("cb2019-cifar10", "no_final_bias", 2e-4, 0.9, False, 128, "signed", None, "crop_flip"),
    ("cdb2020-cifar100", "no_final_bias", 5e-4, 0.9, False, 128, "imagenet", "cifar10", "crop_flip"),
    ("mw-net-cifar10", "all", 5e-4, 0.9, True, 100, "meta_weight_net", None, "crop_flip_reflect"),
    ("cb2019-inaturalist2018", "no_norm_bias", 1e-4, 0.9, False, 1024, "dataset", None, "random_resized_crop"),
    ("cb2019-imagenet", "no_norm_bias", 1e-4, 0.9, False, 1024, "dataset", None, "random_resized_crop"),
    ("cdb2020-imagenet-lt", "all", 2e-4, 0.9, False, 512, "dataset", None, "random_resized_crop_jitter"),
    ("cdb2020-egtea", "all", 5e-4, 0.0, False, 64, "dataset", None, "clip_crop_rotate"),
    ("ib2021-tiny-imagenet", "all", 2e-4, 0.9, False, 128, "imagenet", None, "random_resized_crop"),
    ("cdb2020-mnist", "all", 5e-4, 0.9, False, 100, "dataset", None, "none"),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe[0])
def test_a_config_has_its_repositorys_recipe(recipe):
    name, *expected = recipe
    config = CONFIGS[name]
    optimizer, data = config.optimizer, config.data
    assert [optimizer.decay, optimizer.weight_decay, optimizer.momentum, optimizer.nesterov] == expected[:4]
    assert [config.batch_size, data.normalise, data.normalise_test, data.augment] == expected[4:]


def test_sigmoid_losses_start_at_the_prior_and_softmax_does_not():
    assert CONFIGS["cb2019-cifar10"].model.bias_init == CONFIGS["cdb2020-cifar100"].model.bias_init == "prior"
    assert CONFIGS["ce-cifar10-cb2019"].model.bias_init == "default"


def test_deferred_phases_begin_after_four_fifths_of_any_length():
    assert [
        ldam_drw(cifar_mwnet("cifar10", 100)).phases[1].start,
        ldam_drw(cifar_lt("cifar10", 100)).phases[1].start,
    ] == [
        80,
        160,
    ]


def test_ldam_keeps_the_linear_head_that_ib_states_on_tiny_imagenet():
    assert ldam(tiny_imagenet_lt(100)).model.head == "linear"
    assert ldam(cifar_lt("cifar10", 100)).model.head == "cosine"


def test_classifier_re_training_keeps_the_optimizer_of_its_base():
    again = crt(cifar_mwnet("cifar10", 100)).phases[1].restart
    assert again.optimizer.nesterov and again.optimizer.weight_decay == 5e-4
