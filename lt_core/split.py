"""Which images of a pool each part takes: imbalance profiles, and what is held out for meta, val and test."""

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lt_core.value import InputError

if TYPE_CHECKING:
    from lt_core.data import Data


class Indices(NamedTuple):
    """The images of each part by class, as indices of the pool."""

    train: list[np.ndarray]
    meta: list[np.ndarray]
    val: list[np.ndarray]
    test: list[np.ndarray]


@cache  # every check of every config asks for them
def profile_counts(profile: str, n_max: int, classes: int, imbalance: float) -> tuple[int, ...]:
    """Training images per class, truncated; class 0 is the head."""
    mu = 1 / imbalance
    if profile == "step":
        half = classes // 2
        return (n_max,) * half + (int(n_max * mu),) * (classes - half)
    return tuple(int(n_max * mu ** (c / max(1.0, classes - 1.0))) for c in range(classes))


def split(data: "Data", labels: np.ndarray, class_names: tuple[str, ...], draws: np.random.RandomState) -> Indices:
    """The parts of a pool whose images have these labels.

    The literature's draw: class after class is shuffled by the legacy generator (LDAM and IB code; `file_order`
    leaves it as it is), and the first n_c are trained on. The last are held out, in the order meta, val, test.
    """
    orders = by_class(labels, len(class_names))
    if data.subset == "shuffled":
        for order in orders:
            draws.shuffle(order)
    held = [_held(data, len(order)) for order in orders]
    ends = [len(order) - sum(each) for order, each in zip(orders, held, strict=True)]
    _check_room(data, class_names, [len(order) for order in orders], ends)
    counts = data.counts or _ranked_counts(data, [e + m + v for e, (m, v, _) in zip(ends, held, strict=True)], ends)
    parts = Indices([], [], [], [])
    for order, end, (m, v, _), n, name in zip(orders, ends, held, counts, class_names, strict=True):
        if n > len(order):
            raise InputError(f"class {name} has {len(order)} images in {data.name}, but its profile trains on {n}")
        train, meta, val, test = np.split(order, (end, end + m, end + m + v))
        train = train[: n - data.returned]
        if data.returned:
            train, val = np.concatenate((train, val)), val[:0]
        if data.meta_source == "train":
            train, meta = _last_taken(train, data.meta_per_class, name)
        for part, own in zip(parts, (train, meta, val, test), strict=True):
            part.append(own)
    return parts


def by_class(labels: np.ndarray, classes: int) -> list[np.ndarray]:
    """The indices of each class, rising."""
    edges = np.cumsum(np.bincount(labels, minlength=classes))[:-1]
    return [indices.copy() for indices in np.split(np.argsort(labels, kind="stable"), edges)]


def _held(data: "Data", n: int) -> tuple[int, int, int]:
    """How many of a class's n images meta, val and test take; a class with too few for a fraction gives none."""
    meta = data.meta_per_class if data.meta_source == "heldout" else 0
    val = data.val_per_class or int(n * data.val_fraction)
    return meta, val, int(n * data.test_fraction)


def _check_room(data: "Data", class_names: tuple[str, ...], sizes: list[int], ends: list[int]) -> None:
    """Every class must keep an image to train on."""
    for name, size, end in zip(class_names, sizes, ends, strict=True):
        if end < 1 and size == 0:
            raise InputError(f"class {name} of {data.name} has no image to train on")
        if end < 1:
            meta = f" and meta_per_class {data.meta_per_class}" if data.meta_source == "heldout" else ""
            raise InputError(f"val_per_class is {data.val_per_class}{meta}; class {name} has {size} images")


def _ranked_counts(data: "Data", unheld: list[int], ends: list[int]) -> list[int]:
    """Natural counts, or the largest profile over the classes in the order of their size that all have room for."""
    if data.profile == "natural":
        return ends
    room = np.array(ends if data.val_from == "before_cut" else unheld)
    rank = np.argsort(-room, kind="stable")
    n_max = int(room.max())
    while any(np.array(wanted := profile_counts(data.profile, n_max, len(room), data.imbalance)) > room[rank]):
        n_max -= 1
    if min(wanted) < 1:
        raise InputError(f"imbalance is {data.imbalance:g}; it leaves a class of {data.name} without an image")
    counts = np.empty(len(room), dtype=np.int64)
    counts[rank] = wanted
    return (counts + data.returned).tolist()


def _last_taken(train: np.ndarray, taken: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    if len(train) <= taken:
        raise InputError(f"meta_per_class is {taken} out of the training images, but class {name} has {len(train)}")
    return train[:-taken], train[-taken:]
