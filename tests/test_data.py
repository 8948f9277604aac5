import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lt_core import Data, InputError
from lt_core.data import Batches, load_parts, profile_counts
from lt_core.sources import SOURCES, Images

LT_DATA = os.environ.get("LT_DATA")
with_data = pytest.mark.skipif(not LT_DATA, reason="LT_DATA is not set")
examples = settings(max_examples=200, deadline=None, derandomize=True)

EXP = {
    1: ([5000] * 10, 50000, 50000),
    10: ([5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500], 20431, 19573),
    20: ([5000, 3584, 2569, 1842, 1320, 946, 678, 486, 348, 250], 17023, 15907),
    50: ([5000, 3237, 2096, 1357, 878, 568, 368, 238, 154, 100], 13996, 12608),
    100: ([5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50], 12406, 10847),
    200: ([5000, 2775, 1540, 854, 474, 263, 146, 81, 45, 25], 11203, 9502),
}
STEP = {
    1: (5000, 50000, 50000),
    10: (500, 27500, 27500),
    20: (250, 26250, 26250),
    50: (100, 25500, 25500),
    100: (50, 25250, 25250),
    200: (25, 25125, 25100),
}


def digits(**changes):
    return Data(**{"name": "digits", "imbalance": 20, "val_per_class": 0, **changes})


def by_class(images):
    return [images.pixels[images.labels == c] for c in range(10)]


def bag(images):
    """How often each image occurs, with its label."""
    pairs = zip(images.pixels, images.labels.tolist(), strict=True)
    return Counter((pixels.numpy().tobytes(), label) for pixels, label in pairs)


def literature_subset(labels, counts):
    """The indices that the LDAM and IB code draws with rand_number = 0, in its order."""
    np.random.seed(0)
    chosen = []
    for c, n in enumerate(counts):
        indices = np.where(labels.numpy() == c)[0]
        np.random.shuffle(indices)
        chosen.extend(indices[:n])
    return chosen


# --- profiles ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rho", EXP)
def test_exp_counts_are_those_of_the_literature(rho):
    counts, total, total_of_100 = EXP[rho]
    data = Data(name="cifar10", imbalance=rho)
    assert list(data.counts) == counts and sum(counts) == total
    assert sum(profile_counts("exp", 500, 100, rho)) == total_of_100


@pytest.mark.parametrize("rho", STEP)
def test_step_counts_are_those_of_the_literature(rho):
    small, total, total_of_100 = STEP[rho]
    data = Data(name="cifar10", imbalance=rho, profile="step")
    assert data.counts == (5000,) * 5 + (small,) * 5 and sum(data.counts) == total
    assert sum(profile_counts("step", 500, 100, rho)) == total_of_100


def test_step_counts_are_truncated():
    assert profile_counts("step", 100, 3, 60) == (100, 1, 1)


@pytest.mark.parametrize("n_max", [475, 450])
def test_the_counts_of_cdb(n_max):
    totals = {475: (18591, 15111, 11975, 10302, 9022), 450: (17614, 14315, 11349, 9754, 8548)}[n_max]
    assert tuple(sum(profile_counts("exp", n_max, 100, rho)) for rho in (10, 20, 50, 100, 200)) == totals


@pytest.mark.parametrize("profile", ["exp", "step"])
@examples
@given(n_max=st.integers(1, 10_000), classes=st.integers(2, 200), rho=st.floats(1, 1000))
def test_counts_never_rise_from_the_head_to_the_tail(profile, n_max, classes, rho):
    counts = profile_counts(profile, n_max, classes, rho)
    assert len(counts) == classes and counts[0] == n_max
    assert list(counts) == sorted(counts, reverse=True)
    assert abs(counts[-1] - n_max / rho) < 1


@examples
@given(rho=st.floats(1, 500), more=st.floats(1, 500))
def test_more_imbalance_never_means_more_images(rho, more):
    few, many = (profile_counts("exp", 5000, 10, r) for r in (max(rho, more), min(rho, more)))
    assert all(a <= b for a, b in zip(few, many, strict=True))


def test_before_cut_counts_start_from_a_smaller_head():
    assert Data(name="cifar10", imbalance=100, val_from="before_cut").counts == profile_counts("exp", 4500, 10, 100)
    assert digits(val_from="before_cut", val_per_class=20).counts[0] == 80
    assert digits(val_from="unused", val_per_class=20).counts[0] == 100


@pytest.mark.parametrize("data", [{"val_per_class": 100}, {"imbalance": 101}, {"imbalance": 0.9}, {"name": "cifar100"}])
def test_data_that_cannot_be_is_refused(data):
    with pytest.raises(InputError):
        Data.parse({"name": "digits", "imbalance": 20, "val_per_class": 0, **data})


# --- splits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "n_max", "rho", "profile"),
    [
        ("digits", 100, 20, "exp"),
        ("digits", 100, 10, "step"),
        pytest.param("cifar10", 5000, 100, "exp", marks=with_data),
    ],
)
def test_without_val_the_subset_is_that_of_the_literature(name, n_max, rho, profile):
    root = Path(LT_DATA) if LT_DATA else None
    pool, _ = SOURCES[name].load(root)
    chosen = literature_subset(pool.labels, profile_counts(profile, n_max, 10, rho))
    parts = load_parts(Data(name=name, imbalance=rho, profile=profile, val_per_class=0), root)
    assert torch.equal(parts.train.labels, pool.labels[chosen])
    assert torch.equal(parts.train.pixels, pool.pixels[chosen])
    assert len(parts.val) == 0


@with_data
def test_cifar10_is_read_in_the_official_order():
    import torchvision

    official = torchvision.datasets.CIFAR10(LT_DATA, train=True)
    pool, _ = SOURCES["cifar10"].load(Path(LT_DATA))
    assert pool.labels.tolist() == official.targets
    assert np.array_equal(pool.pixels[[0, 49_999]].permute(0, 2, 3, 1).numpy(), official.data[[0, 49_999]])


def test_another_subset_seed_draws_other_images():
    first, second = (load_parts(digits(subset_seed=s)) for s in (0, 1))
    assert first.class_counts == second.class_counts
    assert first.id != second.id


@pytest.mark.parametrize("val_from", ["unused", "before_cut"])
@pytest.mark.parametrize("v", [1, 20, 60])
def test_train_and_val_are_disjoint_parts_of_the_pool(val_from, v):
    parts = load_parts(digits(val_from=val_from, val_per_class=v, imbalance=10))
    pool, test = SOURCES["digits"].load(None)
    assert bag(parts.train) + bag(parts.val) <= bag(pool)
    assert bag(parts.test) == bag(test)
    assert parts.val.labels.bincount().tolist() == [v] * 10
    assert tuple(parts.train.labels.bincount().tolist()) == parts.class_counts


def test_unused_takes_only_what_the_cut_leaves_too_little_of():
    v = 60
    pool, _ = SOURCES["digits"].load(None)
    room = [n - v for n in pool.labels.bincount().tolist()]
    whole, cut = (load_parts(digits(val_per_class=n)) for n in (0, v))
    assert cut.class_counts == tuple(map(min, whole.class_counts, room)) != whole.class_counts
    for full, left in zip(by_class(whole.train), by_class(cut.train), strict=True):
        assert torch.equal(full[: len(left)], left)


@with_data
def test_unused_shrinks_only_the_heads_of_cifar10():
    whole, cut = (load_parts(Data(name="cifar10", imbalance=10, val_per_class=n), Path(LT_DATA)) for n in (0, 1500))
    assert cut.class_counts == (3500, 3500, *whole.class_counts[2:])
    assert all(torch.equal(a, b) for a, b in zip(by_class(whole.train)[2:], by_class(cut.train)[2:], strict=True))


def test_before_cut_trains_on_its_whole_counts():
    data = digits(val_from="before_cut", val_per_class=60)
    assert load_parts(data).class_counts == data.counts == profile_counts("exp", 40, 10, 20)


def test_missing_data_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=rf"cifar10 is missing: no file {tmp_path}"):
        load_parts(Data(name="cifar10"), tmp_path)


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_the_id_changes_with_any_pixel_and_any_label(part):
    parts = load_parts(digits(val_per_class=20))
    images = getattr(parts, part)
    pixels, labels = images.pixels.clone(), images.labels.clone()
    pixels[-1, 0, 3, 4] ^= 1
    labels[-1] = (labels[-1] + 1) % 10
    ids = [replace(parts, **{part: new}).id for new in (Images(pixels, images.labels), Images(images.pixels, labels))]
    assert len({parts.id, *ids}) == 3
    assert replace(parts, **{part: Images(images.pixels.clone(), images.labels)}).id == parts.id


# --- batches ----------------------------------------------------------------------------------------


def noise(n, channels, size):
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (n, channels, size, size), generator=draw, dtype=torch.uint8)
    return Images(pixels, torch.arange(n))


def generators(seed=0):
    return [torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + 1)]


def epoch(batches, seed=0):
    pixels, labels = zip(*batches.epoch(*generators(seed)), strict=True)
    return torch.cat(pixels), torch.cat(labels)


@pytest.mark.parametrize("augment", [False, True])
def test_an_epoch_visits_every_image_once_in_batches(augment):
    images = noise(10, 3, 8)
    batches = list(Batches(images, 4, augment).epoch(*generators()))
    assert [len(labels) for _, labels in batches] == [4, 4, 2]
    assert [tuple(pixels.shape) for pixels, _ in batches] == [(4, 3, 8, 8)] * 2 + [(2, 3, 8, 8)]
    assert sorted(torch.cat([labels for _, labels in batches]).tolist()) == list(range(10))


def test_without_augmentation_an_epoch_is_a_permutation_of_the_images():
    images = noise(50, 1, 8)
    pixels, labels = epoch(Batches(images, 7, augment=False))
    assert torch.equal(pixels, images.pixels[labels])
    assert labels.tolist() != list(range(50))


def test_an_augmented_batch_is_the_explicit_pad_crop_and_flip():
    n, size = 40, 8
    images = noise(n, 3, size)
    pixels, labels = epoch(Batches(images, 16, augment=True))
    order, augmentation = generators()
    top, left = torch.randint(0, 9, (2, n, 1), generator=augmentation).squeeze(2).tolist()
    flip = torch.randint(0, 2, (n, 1), generator=augmentation).flatten().tolist()
    assert labels.tolist() == torch.randperm(n, generator=order).tolist()
    for found, i in zip(pixels.numpy(), labels.tolist(), strict=True):
        padded = np.pad(images.pixels[i].numpy(), ((0, 0), (4, 4), (4, 4)))
        crop = padded[:, top[i] : top[i] + size, left[i] : left[i] + size]
        assert np.array_equal(found, crop[:, :, ::-1] if flip[i] else crop)


def test_all_shifts_and_both_flips_occur_about_equally_often():
    n = 4000
    image = torch.zeros(1, 1, 9, 9, dtype=torch.uint8)
    image[0, 0, 4, 4], image[0, 0, 4, 5] = 1, 2  # where the 1 is tells the shift, where the 2 is the flip
    images = Images(image.expand(n, -1, -1, -1).contiguous(), torch.zeros(n, dtype=torch.int64))
    pixels, _ = epoch(Batches(images, n, augment=True))
    rows = (pixels == 1).flatten(1).int().argmax(1) // 9
    assert set(rows.tolist()) == set(range(9))
    assert rows.bincount().max() < 1.4 * n / 9
    ones, twos = ((pixels == v).any(2).squeeze(1).int() for v in (1, 2))
    both = ones.any(1) & twos.any(1)
    right = (twos.argmax(1) > ones.argmax(1))[both].float().mean()
    assert 0.45 < right.item() < 0.55


def test_order_and_augmentation_have_their_own_generators():
    batches = Batches(noise(30, 1, 8), 30, augment=True)
    pixels, labels = next(batches.epoch(*generators()))
    other_crops, same_labels = next(batches.epoch(generators()[0], torch.Generator().manual_seed(99)))
    assert torch.equal(labels, same_labels) and not torch.equal(pixels, other_crops)
    other_order = next(batches.epoch(torch.Generator().manual_seed(99), generators()[1]))
    by_label, again = (dict(zip(y.tolist(), x, strict=True)) for x, y in ((pixels, labels), other_order[:2]))
    assert not torch.equal(labels, other_order[1])
    assert all(torch.equal(by_label[i], again[i]) for i in range(30))
