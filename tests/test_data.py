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
from lt_core.data import load_parts
from lt_core.images import Images
from lt_core.sources import SOURCES
from lt_core.split import profile_counts

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
TINY = {
    1: (100_000, 100_000),
    10: (39_072, 55_000),
    20: (31_711, 52_500),
    50: (25_082, 51_000),
    100: (21_549, 50_500),
    200: (18_836, 50_200),
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
    assert sum(Data(name="cifar100", imbalance=rho).counts) == total_of_100
    assert sum(Data(name="tiny-imagenet", imbalance=rho).counts) == TINY[rho][0]


@pytest.mark.parametrize("rho", STEP)
def test_step_counts_are_those_of_the_literature(rho):
    small, total, total_of_100 = STEP[rho]
    data = Data(name="cifar10", imbalance=rho, profile="step")
    assert data.counts == (5000,) * 5 + (small,) * 5 and sum(data.counts) == total
    assert sum(Data(name="cifar100", imbalance=rho, profile="step").counts) == total_of_100
    assert sum(Data(name="tiny-imagenet", imbalance=rho, profile="step").counts) == TINY[rho][1]


def test_step_counts_are_truncated():
    assert profile_counts("step", 100, 3, 60) == (100, 1, 1)


@pytest.mark.parametrize(
    ("settings", "totals"),
    [
        ({"val_per_class": 25, "subset": "file_order"}, (50_000 - 2500, 18_591, 15_111, 11_975, 10_302, 9022)),
        ({"val_per_class": 50}, (45_000, 17_614, 14_315, 11_349, 9754, 8548)),
        (
            {"val_per_class": 0, "meta_source": "heldout", "meta_per_class": 10},
            (49_000, 19_183, 15_594, 12_354, 10_626, 9304),
        ),
    ],
    ids=["CDB's code", "CDB's paper", "Meta-Weight-Net"],
)
def test_counts_of_cifar100_where_images_are_set_aside_first(settings, totals):
    found = [Data(name="cifar100", imbalance=rho, val_from="before_cut", **settings).counts for rho in EXP]
    assert tuple(map(sum, found)) == totals


def test_the_counts_of_meta_weight_net_on_cifar10():
    data = Data(name="cifar10", val_from="before_cut", val_per_class=0, meta_source="heldout", meta_per_class=10)
    assert data.counts == (4990, 2991, 1793, 1075, 644, 386, 231, 138, 83, 49)


@pytest.mark.parametrize(("ratio", "fours"), [(0.9, 500), (0.95, 250), (0.98, 100), (0.99, 50), (0.995, 25)])
def test_the_counts_of_cdb_on_mnist(ratio, fours):
    data = Data(name="mnist-4-9", imbalance=round(ratio / (1 - ratio), 9))
    assert data.counts == (5000 - fours, fours)
    assert data.majority_ratio == pytest.approx(ratio, abs=1e-12) and digits().majority_ratio is None


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


@pytest.mark.parametrize(
    "data", [{"val_per_class": 100}, {"imbalance": 101}, {"imbalance": 0.9}, {"name": "cifar1000"}]
)
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
    pool = SOURCES[name].load(root).train
    chosen = literature_subset(pool.labels, profile_counts(profile, n_max, 10, rho))
    parts = load_parts(Data(name=name, imbalance=rho, profile=profile, val_per_class=0), root)
    assert torch.equal(parts.train.labels, pool.labels[chosen])
    assert torch.equal(parts.train.pixels, pool.pixels[chosen])
    assert len(parts.val) == 0


@with_data
def test_cifar10_is_read_in_the_official_order():
    import torchvision

    official = torchvision.datasets.CIFAR10(LT_DATA, train=True)
    pool = SOURCES["cifar10"].load(Path(LT_DATA)).train
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
    sets = SOURCES["digits"].load(None)
    pool, test = sets.train, sets.test
    assert bag(parts.train) + bag(parts.val) <= bag(pool)
    assert bag(parts.test) == bag(test)
    assert parts.val.labels.bincount().tolist() == [v] * 10
    assert tuple(parts.train.labels.bincount().tolist()) == parts.class_counts


def test_unused_takes_only_what_the_cut_leaves_too_little_of():
    v = 60
    pool = SOURCES["digits"].load(None).train
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


# --- the parts of other sets ------------------------------------------------------------------------


def test_file_order_trains_on_the_first_and_holds_out_the_last():
    pool = SOURCES["digits"].load(None).train
    settings = {"subset": "file_order", "val_from": "before_cut", "val_per_class": 20, "meta_source": "heldout"}
    parts = load_parts(digits(**settings, meta_per_class=10, imbalance=10))
    counts = profile_counts("exp", 70, 10, 10)
    for c, n in enumerate(counts):
        own = pool.pixels[pool.labels == c]
        assert torch.equal(by_class(parts.train)[c], own[:n])
        assert torch.equal(by_class(parts.val)[c], own[-20:])
        assert torch.equal(by_class(parts.meta)[c], own[-30:-20])
    assert load_parts(digits(**settings, meta_per_class=10, imbalance=10, subset_seed=5)).id == parts.id


@pytest.mark.parametrize("val_from", ["unused", "before_cut"])
@pytest.mark.parametrize("v", [0, 20])
def test_heldout_meta_images_are_in_no_other_part(val_from, v):
    parts = load_parts(digits(val_from=val_from, val_per_class=v, meta_source="heldout", meta_per_class=10))
    assert bag(parts.train) + bag(parts.val) + bag(parts.meta) <= bag(SOURCES["digits"].load(None).train)
    assert parts.meta.labels.bincount().tolist() == [10] * 10


def test_meta_images_out_of_train_are_counted_ones():
    data = digits(imbalance=10, meta_source="train", meta_per_class=5)
    parts, whole = load_parts(data), load_parts(digits(imbalance=10))
    assert bag(parts.train) + bag(parts.meta) == bag(whole.train)
    assert parts.class_counts == tuple(n - 5 for n in data.counts)


def test_meta_may_be_val():
    parts = load_parts(digits(val_per_class=20, meta_source="val"))
    assert parts.meta is parts.val and len(parts.val) == 200


def test_returned_images_are_val_s_beside_the_cut():
    cut = {"imbalance": 10, "val_from": "before_cut", "val_per_class": 20}
    held, returned = load_parts(digits(**cut, meta_source="val")), load_parts(digits(**cut, meta_source="returned"))
    assert bag(returned.train) == bag(held.train) + bag(held.val) and not len(returned.val)
    counts = digits(**cut, meta_source="returned").counts
    assert returned.class_counts == counts == tuple(n + 20 for n in held.class_counts)


@with_data
@pytest.mark.parametrize("rho", [9, 199])
def test_mnist_4_9_is_nines_and_fours(rho):
    data = Data(name="mnist-4-9", imbalance=rho, meta_source="heldout", meta_per_class=5)
    first, second = (load_parts(d, Path(LT_DATA)) for d in (data, data.model_copy(update={"subset_seed": 1})))
    pool = SOURCES["mnist"].load(Path(LT_DATA)).train
    for c, digit in enumerate((9, 4)):
        own = {p.numpy().tobytes() for p in pool.pixels[pool.labels == digit]}
        assert {p.numpy().tobytes() for p in first.train.pixels[first.train.labels == c]} <= own
    assert first.class_counts == data.counts and first.class_names == ("9", "4")
    assert [p.labels.bincount().tolist() for p in (first.meta, first.val, first.test)] == [
        [5] * 2,
        [500] * 2,
        [800] * 2,
    ]
    assert not bag(first.train) & bag(first.val)
    assert all(bag(getattr(first, part)) != bag(getattr(second, part)) for part in ("train", "val", "test"))


@with_data
@pytest.mark.parametrize("profile", ["exp", "step"])
def test_mnist_is_cut_like_cifar10(profile):
    data = Data(name="mnist", imbalance=100, profile=profile, val_per_class=0)
    assert load_parts(data, Path(LT_DATA)).class_counts == Data(name="cifar10", profile=profile).counts == data.counts


def test_natural_is_all_there_is():
    pool = SOURCES["digits"].load(None).train
    parts = load_parts(digits(profile="natural", val_fraction=0.1))
    sizes = pool.labels.bincount().tolist()
    assert parts.class_counts == tuple(n - int(n / 10) for n in sizes)
    assert bag(parts.train) + bag(parts.val) == bag(pool)


def test_images_may_have_another_size():
    parts = load_parts(digits(image_size=16))
    assert parts.image_size == 16 and parts.test.pixels.shape == (400, 1, 16, 16)
    assert load_parts(digits(image_size=8)).id == load_parts(digits()).id != parts.id


def test_normalisation_of_test_may_differ():
    parts = load_parts(digits(normalise="half", normalise_test="signed"))
    assert parts.normalise == ((0.5,), (1.0,)) and parts.normalise_test == ((128 / 255,), (128 / 255,))
    same = load_parts(digits())
    assert same.normalise == same.normalise_test == SOURCES["digits"].normalise


# --- what makes no sense, and what has no effect ----------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"name": "npz"}, ["path is null", "npz needs a path"]),
        ({"name": "cifar10", "path": "x"}, ["cifar10 takes no path"]),
        ({"name": "imagenet-lt", "profile": "exp"}, ["imagenet-lt has its own counts", "natural"]),
        ({"name": "imagenet-lt", "val_per_class": 5}, ["imagenet-lt has its own val"]),
        ({"name": "egtea", "val_fraction": 0.1}, ["egtea has its own val"]),
        ({"name": "mnist", "test_fraction": 0.1}, ["test_fraction is 0.1", "mnist has its own test"]),
        ({"name": "mnist-4-9", "profile": "natural"}, ["mnist-4-9 has exp and unused"]),
        ({"name": "mnist-4-9", "val_from": "before_cut"}, ["mnist-4-9 has exp and unused"]),
        ({"name": "mnist-4-9", "val_per_class": 843}, ["val_per_class is 843", "842"]),
        ({"name": "npz", "path": "x", "val_per_class": 5, "val_fraction": 0.1}, ["one of them must be 0"]),
        ({"name": "npz", "path": "x", "val_fraction": 0.5, "test_fraction": 0.5}, ["must leave some"]),
        ({"name": "cifar10", "val_per_class": 0, "val_fraction": 0.5}, ["val_fraction is 0.5", "val_per_class"]),
        ({"name": "cifar10", "augment": "random_resized_crop"}, ["augment is random_resized_crop", "crop_flip"]),
        ({"name": "imagenet", "augment": "clip_crop_rotate"}, ["augment is clip_crop_rotate", "none"]),
        ({"name": "egtea", "augment": "crop_flip"}, ["augment is crop_flip", "clip_crop_rotate"]),
        ({"name": "mnist", "normalise": "imagenet"}, ["normalise is imagenet", "3 channels", "mnist has 1"]),
        ({"name": "mnist", "normalise_test": "cifar10"}, ["normalise_test is cifar10", "mnist has 1"]),
        ({"name": "cifar10", "meta_source": "heldout"}, ["meta_per_class is 0", "above 0"]),
        ({"name": "cifar10", "meta_per_class": 5}, ["meta_per_class is 5", "must be 0"]),
        ({"name": "cifar10", "meta_source": "val", "val_per_class": 0}, ["meta_source is val", "no val images"]),
        ({"name": "cifar10", "meta_source": "returned"}, ["meta_source is returned", "before_cut"]),
        ({"name": "cifar10", "meta_source": "train", "meta_per_class": 50}, ["meta_per_class is 50", "has 50"]),
        ({"name": "cifar10", "meta_source": "heldout", "meta_per_class": 4500}, ["is 5000", "below 5000"]),
        ({"name": "cifar10", "val_per_class": 5000}, ["val_per_class is 5000", "below 5000 on cifar10"]),
        ({"name": "cifar10", "image_size": 4}, ["image_size", "5"]),
        ({"name": "imagenet64"}, ["imagenet64", "imagenet"]),
    ],
)
def test_nonsense_is_refused_in_one_sentence(data, said):
    with pytest.raises(InputError) as caught:
        Data.parse(data)
    assert "\n" not in str(caught.value) and all(part in str(caught.value) for part in said), caught.value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"normalise": "cifar10"}, {}),
        ({"normalise_test": "dataset"}, {"normalise": "cifar10"}),
        ({"image_size": 32}, {}),
        ({"profile": "natural", "imbalance": 7}, {"profile": "natural", "val_from": "before_cut"}),
        ({"subset": "file_order", "subset_seed": 3}, {"subset": "file_order"}),
        ({"imbalance": 1, "profile": "step"}, {"imbalance": 1}),
        ({"val_per_class": 0, "val_from": "before_cut"}, {"val_per_class": 0}),
    ],
)
def test_data_that_train_alike_have_one_canonical_form(one, other):
    first, second = (Data(name="cifar10", **changes) for changes in (one, other))
    assert first != second and first.canonical() == second.canonical()
    assert first.canonical().canonical() == first.canonical() == Data.load(first.canonical().dump())


@pytest.mark.parametrize(
    "change",
    [
        {"normalise": "imagenet"},
        {"normalise_test": "imagenet"},
        {"image_size": 40},
        {"subset": "file_order"},
        {"meta_source": "val"},
        {"meta_source": "heldout", "meta_per_class": 5},
        {"meta_source": "train", "meta_per_class": 5},
        {"augment": "crop_flip_reflect"},
        {"mixup": 0.2},
        {"profile": "natural"},
    ],
)
def test_what_has_an_effect_stays_in_the_canonical_form(change):
    assert Data(name="cifar10", **change).canonical() != Data(name="cifar10").canonical()


def test_defaults_are_the_sets_own():
    assert [Data(name=name).val_per_class for name in ("cifar10", "cifar100", "imagenet-lt")] == [500, 50, 0]
    assert [Data(name=name).profile for name in ("cifar10", "mnist-4-9", "imagenet")] == ["exp", "exp", "natural"]
    assert Data(name="imagenet-lt").augment == "random_resized_crop_jitter" and Data(name="cifar10").augment == "none"
    assert Data(name="imagenet-lt").streams and not Data(name="imagenet-lt", augment="crop_flip").streams
    assert Data(name="egtea", augment="none").streams


def test_has_val():
    found = [
        Data(name=name, **changes).has_val
        for name, changes in (
            ("cifar10", {}),
            ("cifar10", {"val_per_class": 0}),
            ("imagenet-lt", {}),
            ("inaturalist2018", {}),
            ("npz", {"path": "x"}),
            ("npz", {"path": "x", "val_fraction": 0.1}),
        )
    ]
    assert found == [True, False, True, False, None, True]
