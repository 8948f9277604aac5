import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lt_core import Data, InputError
from lt_core.split import by_class, split

NAMES = tuple("abcde")
examples = settings(max_examples=150, deadline=None, derandomize=True)


def parts(labels, classes=5, seed=0, **changes):
    data = Data(**{"name": "npz", "path": "x", **changes})
    return split(data, labels, NAMES[:classes], np.random.RandomState(seed))


def pool(sizes, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))


def test_by_class_is_where_each_label_is():
    labels = pool((3, 0, 5, 2))
    for c, found in enumerate(by_class(labels, 4)):
        assert found.tolist() == np.where(labels == c)[0].tolist()


@examples
@given(
    sizes=st.lists(st.integers(1, 60), min_size=5, max_size=5),
    val=st.floats(0, 0.49),
    test=st.floats(0, 0.49),
    seed=st.integers(0, 5),
    order=st.sampled_from(["shuffled", "file_order"]),
)
def test_a_stratified_split_uses_every_image_once(sizes, val, test, seed, order):
    labels = pool(sizes)
    found = parts(labels, seed=seed, val_fraction=val, test_fraction=test, subset=order)
    used = np.concatenate([np.concatenate(part) for part in found])
    assert sorted(used.tolist()) == list(range(len(labels)))
    for c, n in enumerate(sizes):
        assert [len(part[c]) for part in found] == [n - int(n * val) - int(n * test), 0, int(n * val), int(n * test)]
        assert len(found.train[c]) >= 1
        assert all((labels[part[c]] == c).all() for part in found)


@examples
@given(
    sizes=st.lists(st.integers(30, 90), min_size=5, max_size=5),
    rho=st.floats(1, 20),
    profile=st.sampled_from(["exp", "step"]),
    val_from=st.sampled_from(["unused", "before_cut"]),
    held=st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_a_cut_is_the_largest_profile_that_fits(sizes, rho, profile, val_from, held):
    from lt_core.split import profile_counts

    v, m = held
    meta = {"meta_source": "heldout", "meta_per_class": m} if m else {}
    cut = {"profile": profile, "imbalance": rho, "val_from": val_from, "val_per_class": v, **meta}
    found = parts(pool(sizes), **cut)
    counts = [len(part) for part in found.train]
    rank = np.argsort(-np.array(sizes), kind="stable")
    room = np.array(sizes)[rank] - (v + m if val_from == "before_cut" else 0)
    fitting = [n for n in range(1, 91) if (np.array(profile_counts(profile, n, 5, rho)) <= room).all()]
    wanted = np.array(profile_counts(profile, max(fitting), 5, rho))
    assert np.array(counts)[rank].tolist() == np.minimum(wanted, np.array(sizes)[rank] - v - m).tolist()
    assert [len(part) for part in found.val] == [v] * 5 and [len(part) for part in found.meta] == [m] * 5


def test_images_that_are_returned_are_trained_on_beside_those_of_the_cut():
    cut = {"profile": "exp", "imbalance": 10, "val_from": "before_cut", "val_per_class": 5}
    held, returned = parts(pool([40] * 5), **cut), parts(pool([40] * 5), **cut, meta_source="returned")
    assert [len(part) for part in returned.val] == [0] * 5
    for c in range(5):
        assert returned.train[c].tolist() == [*held.train[c], *held.val[c]]


def test_a_fraction_of_too_few_images_gives_none():
    found = parts(pool((9, 10, 19, 20, 1)), val_fraction=0.1)
    assert [len(part) for part in found.val] == [0, 1, 1, 2, 0]


def test_meta_images_of_a_class_that_is_too_small_are_refused():
    with pytest.raises(InputError, match="meta_per_class is 4 out of the training images, but class b has 4"):
        parts(pool((9, 4)), 2, meta_source="train", meta_per_class=4)
    with pytest.raises(InputError, match="val_per_class is 2 and meta_per_class 2; class b has 4 images"):
        parts(pool((9, 4)), 2, meta_source="heldout", meta_per_class=2, val_per_class=2)
