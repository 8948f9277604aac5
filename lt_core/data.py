"""Data, the value that says which images are trained on, and load_parts, which reads them: train, meta, val, test.

Not here: how a dataset is read (sources.py), which images a part takes (split.py), augmentation (batches.py).
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from lt_core.batches import Augment
from lt_core.images import Images, Part, Sets
from lt_core.normalisation import IMAGENET, PRESETS, Normalisation, Preset, measured
from lt_core.sources import SOURCES, Source
from lt_core.split import by_class, profile_counts, split
from lt_core.value import InputError, Value, wrong_first

OWN = ("folder", "csv", "npz")
Fraction = Annotated[float, Field(ge=0, lt=1)]


class Data(Value):
    """Which images are trained on: a dataset cut to an imbalance profile, and what is held out for the other parts.

    path: of the user's own data (folder, csv, npz), relative to the data folder or absolute; null for the others.
    imbalance: rho, the largest class over the smallest; 1 is balanced. On mnist-4-9 it is r / (1 - r) for a majority
        ratio r, and round(5000 / (1 + rho)) of the 5,000 images are fours (CDB; L2RW's floor gives 499 for .9).
    profile: `exp`, n_c = int(n_max * (1/rho)^(c / (C-1))), or `step`, the second half of the classes int(n_max / rho)
        (Cao et al., NeurIPS 2019; both truncate, as the code of CB, LDAM and IB does), or `natural`, all there is.
        Where classes are not of one size (own data, ImageNet), c is a class's rank by size, and n_max the largest for
        which every class has enough. Default: natural for those, else exp.
    subset: `shuffled`, a class's images in an order drawn from `subset_seed` (0 is the literature's subset of CIFAR),
        or `file_order`, the first n_c train and the last are held out (CDB's CIFAR-100 code, with val_per_class 25 and
        before_cut; its paper says 50 drawn at random).
    val_from: `unused`, val (and meta) images are those that the cut discards, so that only classes with
        n_c > n_max - val_per_class lose any; `before_cut`, they are set aside first, and n_max shrinks (CDB, MW-Net).
    val_per_class: default: 500 (MNIST, CIFAR-10), 50 (CIFAR-100, Tiny ImageNet), 30 (digits), 0 (the others).
        0 trains on the literature's exact subset; such a config cannot be searched.
    val_fraction, test_fraction: for data without a val or test of its own: of each class int(n * fraction) images,
        fixed by subset_seed; a class with too few gives none, and each keeps at least one to train on.
    meta_source: `heldout`, meta images are taken as val's are and are neither in val nor train (Meta-Weight-Net: 10 a
        class, before_cut); `train`, they come out of the n_c counted ones (L2RW's 5 + 5); `val`, they are val's (CDB);
        `returned`, val's (before_cut) are trained on beside the n_c, and val is empty: CE with all that CDB reads.
    augment: `crop_flip`, pad by 4 with black, crop and flip left-right at random; `crop_flip_reflect` pads with the
        mirrored image (Meta-Weight-Net). `random_resized_crop` and flip (`_jitter`: and ColorJitter .4 .4 .4 0) need
        the files: they stream, and are evaluated on the centre of the image resized to 8/7.
        `clip_crop_rotate`: EGTEA's (views.py).
    image_size: null is the set's own; files in memory are squeezed to a square.
    normalise: `dataset`, by its own mean and deviation (own data: measured on the training images; where they stream,
        ImageNet's), or a named one; `half` is x/255 - 0.5, `signed` x/128 - 1 (CB). LDAM and IB: cifar10 on CIFAR-100.
    normalise_test: null is the same; CDB's CIFAR code has `imagenet` and, for test, `cifar10`.
    mixup: alpha of the Beta distribution of the shares; 0 is none.
    """

    name: Literal[
        "digits",
        "mnist",
        "mnist-4-9",
        "cifar10",
        "cifar100",
        "tiny-imagenet",
        "imagenet",
        "imagenet-lt",
        "inaturalist2017",
        "inaturalist2018",
        "egtea",
        "folder",
        "csv",
        "npz",
    ]
    path: str | None = None
    imbalance: Annotated[float, Field(ge=1)] = 100.0
    profile: Literal["exp", "step", "natural"] = "exp"
    subset: Literal["shuffled", "file_order"] = "shuffled"
    subset_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    val_from: Literal["unused", "before_cut"] = "unused"
    val_per_class: Annotated[int, Field(ge=0)] = 500
    val_fraction: Fraction = 0.0
    test_fraction: Fraction = 0.0
    meta_source: Literal["none", "heldout", "train", "val", "returned"] = "none"
    meta_per_class: Annotated[int, Field(ge=0)] = 0
    augment: Augment = "none"
    image_size: Annotated[int, Field(ge=5)] | None = None
    normalise: Preset = "dataset"
    normalise_test: Preset | None = None
    mixup: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_set(cls, given: Any) -> Any:
        return {**cls._own_defaults(given), **given} if isinstance(given, dict) else given

    @classmethod
    def defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """As of every value, but for those that depend on the set."""
        return {**super().defaults(given), **cls._own_defaults(given)}

    @classmethod
    def _own_defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        source = SOURCES.get(str(given.get("name")))
        if source is None:
            return {}
        profile = "exp" if source.n_max or source.name == "mnist-4-9" else "natural"
        return {"profile": profile, "val_per_class": source.val_per_class, "augment": source.augment}

    @model_validator(mode="after")
    def _makes_sense(self) -> "Data":
        wrong = next(_contradictions(self, SOURCES[self.name]), None)
        if wrong:
            raise wrong_first(wrong)
        return self

    @cached_property
    def counts(self) -> tuple[int, ...] | None:
        """Training images of each class, before `val_from: unused` takes any; null where only the files can tell."""
        source = SOURCES[self.name]
        if self.majority_ratio is not None:
            minority = round(MNIST_4_9_TRAIN / (1 + self.imbalance))
            return MNIST_4_9_TRAIN - minority, minority
        if source.n_max is None or source.classes is None or self.profile == "natural":
            return None
        n_max = source.n_max - (self._held_out if self.val_from == "before_cut" else 0)
        return tuple(n + self.returned for n in profile_counts(self.profile, n_max, source.classes, self.imbalance))

    @property
    def returned(self) -> int:
        """Images of each class that are held out of the cut and trained on all the same."""
        return self.val_per_class if self.meta_source == "returned" else 0

    @property
    def classes(self) -> int | None:
        """The number of classes; null where only the files can tell."""
        return SOURCES[self.name].classes

    @property
    def majority_ratio(self) -> float | None:
        """The nines' share of mnist-4-9's training images; null for other sets."""
        return self.imbalance / (1 + self.imbalance) if self.name == "mnist-4-9" else None

    @property
    def has_val(self) -> bool | None:
        """Whether there are validation images; null where only the files of own data can tell."""
        if self.returned:
            return False
        if self.val_per_class or self.val_fraction:
            return True
        return SOURCES[self.name].own_val

    @property
    def streams(self) -> bool:
        """Whether images are decoded when they are needed, rather than once."""
        return SOURCES[self.name].files and (self.name == "egtea" or self.augment.startswith("random_resized_crop"))

    @property
    def _held_out(self) -> int:
        """Images a class that `val_from` decides about."""
        return self.val_per_class + (self.meta_per_class if self.meta_source == "heldout" else 0)

    def canonical(self) -> "Data":
        """Without what has no effect: the profile of balanced data, the source of no validation images, ..."""
        source = SOURCES[self.name]
        update: dict[str, object] = {}
        if self.profile == "natural":
            update["imbalance"] = 1.0
        elif self.imbalance == 1 or self.name == "mnist-4-9":
            update["profile"] = "exp"
        if not self._held_out or self.profile == "natural":
            update["val_from"] = "unused"
        if self.subset == "file_order":
            update["subset_seed"] = 0
        if self.image_size == source.image_size and (self.streams or not source.files or self.name == "tiny-imagenet"):
            update["image_size"] = None
        normalise, test = self._canonical_normalise(source)
        return self.model_copy(update={**update, "normalise": normalise, "normalise_test": test})

    def _canonical_normalise(self, source: Source) -> tuple[str, str | None]:
        """`dataset` for a name that means the same, and null for a test that has the same as the rest."""
        own = source.normalise
        normalise, test = (
            "dataset" if own and preset in PRESETS and PRESETS[preset] == own else preset
            for preset in (self.normalise, self.normalise_test or self.normalise)
        )
        return normalise, None if test == normalise else test


MNIST_4_9_TRAIN, MNIST_4_9_TEST = 5000, 800  # CDB, section 4.1: in all; a class


def _contradictions(data: Data, source: Source) -> Iterator[str]:
    """What is wrong with data whose fields are each right; each sentence begins with a field."""
    yield from _about_source(data, source)
    yield from _about_pixels(data, source)
    yield from _about_meta(data)
    yield from _about_counts(data, source)


def _about_source(data: Data, source: Source) -> Iterator[str]:
    if (data.name in OWN) != (data.path is not None):
        said = "needs a path" if data.name in OWN else "takes no path"
        yield f"path is {data.path or 'null'}; {data.name} {said}"
    if not source.cut and data.profile != "natural":
        yield f"profile is {data.profile}; {data.name} has its own counts: natural"
    if data.name == "mnist-4-9" and (data.profile == "natural" or data.val_from == "before_cut"):
        yield f"profile is {data.profile} and val_from {data.val_from}; mnist-4-9 has exp and unused"
    if data.val_per_class and data.val_fraction:
        yield f"val_per_class is {data.val_per_class} and val_fraction {data.val_fraction:g}; one of them must be 0"
    if source.own_val and (data.val_per_class or data.val_fraction):
        yield f"val_per_class or val_fraction is above 0; {data.name} has its own val"
    if source.own_test and data.test_fraction:
        yield f"test_fraction is {data.test_fraction:g}; {data.name} has its own test"
    if data.val_fraction and data.profile != "natural" and source.n_max is not None:
        yield f"val_fraction is {data.val_fraction:g}; on {data.name} cut to a profile use val_per_class"
    if data.val_fraction + data.test_fraction >= 1:
        yield f"val_fraction is {data.val_fraction:g} and test_fraction {data.test_fraction:g}; they must leave some"


def _about_pixels(data: Data, source: Source) -> Iterator[str]:
    allowed = _augments(source)
    if data.augment not in allowed:
        yield f"augment is {data.augment}; on {data.name} it may be: {', '.join(allowed)}"
    for field, preset in (("normalise", data.normalise), ("normalise_test", data.normalise_test)):
        if source.channels == 1 and preset in PRESETS and len(PRESETS[preset].mean) != 1:
            yield f"{field} is {preset}, which is for 3 channels; {data.name} has 1"


def _augments(source: Source) -> tuple[str, ...]:
    if source.name == "egtea":
        return ("none", "clip_crop_rotate")
    in_memory = ("none", "crop_flip", "crop_flip_reflect")
    return (*in_memory, "random_resized_crop", "random_resized_crop_jitter") if source.files else in_memory


def _about_meta(data: Data) -> Iterator[str]:
    needed = data.meta_source in ("heldout", "train")
    if needed != (data.meta_per_class > 0):
        allowed = "must be above 0" if needed else "must be 0"
        yield f"meta_per_class is {data.meta_per_class}; with meta_source {data.meta_source} it {allowed}"
    if data.meta_source == "val" and data.has_val is False:
        yield f"meta_source is val, but {data.name} has no val images here: set val_per_class"
    if data.meta_source == "returned" and (
        not data.val_per_class or data.val_from != "before_cut" or data.profile == "natural"
    ):
        said = "meta_source is returned, which trains on val's images"
        yield f"{said}: set val_per_class, a profile and val_from before_cut"


def _about_counts(data: Data, source: Source) -> Iterator[str]:
    held, counts = data._held_out, data.counts
    field = "val_per_class" if held == data.val_per_class else "val_per_class + meta_per_class"
    if source.n_max is not None and held >= source.n_max:
        yield f"{field} is {held}; it must be below {source.n_max} on {data.name}"
    elif data.name == "mnist-4-9" and held > MNIST_4_9_SPARE:
        yield f"{field} is {held}; mnist-4-9 has {MNIST_4_9_SPARE} images a class beside the training ones"
    elif counts is not None and min(counts) < 1:
        yield f"imbalance is {data.imbalance:g}; it leaves a class of {data.name} without an image"
    elif counts is not None and data.meta_source == "train" and min(counts) <= data.meta_per_class:
        yield f"meta_per_class is {data.meta_per_class}; the smallest class has {min(counts)} images"


MNIST_4_9_SPARE = 5842 - MNIST_4_9_TRAIN  # MNIST has 5,842 fours to train on and 5,949 nines


@dataclass(frozen=True)
class Parts:
    """What one training sees: four sets of images (meta, val and test may be empty) and what belongs to them.

    class_counts: training images per class. normalise_test: the same as normalise unless the config says otherwise.
    """

    train: Part
    meta: Part
    val: Part
    test: Part
    class_counts: tuple[int, ...]
    class_names: tuple[str, ...]
    channels: int
    image_size: int
    normalise: Normalisation
    normalise_test: Normalisation

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @cached_property
    def id(self) -> str:
        """12 hexadecimal digits of the tensors used; of files, of their relative paths, labels and sizes.

        A meta part that is val, or empty, adds nothing: a training that does not read it is the same.
        """
        digest = hashlib.sha256()
        meta = () if self.meta is self.val or not len(self.meta) else (self.meta,)
        for part in (self.train, *meta, self.val, self.test):
            if isinstance(part, Images):
                digest.update(str(tuple(part.pixels.shape)).encode())
                digest.update(part.pixels.numpy().tobytes())
            else:
                digest.update(repr((part.kind, part.image_size, part.paths, part.sizes)).encode())
            digest.update(part.labels.numpy().tobytes())
        return digest.hexdigest()[:12]


def load_parts(data: Data, root: Path | None = None) -> Parts:
    """The parts of a dataset, on the CPU. InputError where its files are missing or damaged under `root`."""
    return _load_parts(SOURCES[data.name].load(root, data.path), data.canonical().model_dump_json())


@lru_cache(maxsize=4)
def _load_parts(sets: Sets, settings: str) -> Parts:
    data = Data.model_validate_json(settings)
    if len(sets.class_names) < 2:
        raise InputError(
            f"{data.path or data.name} has one class, {''.join(sets.class_names)}; it must have two at least"
        )
    parts, counts = _cut(data, sets)
    size = data.image_size or SOURCES[data.name].image_size
    train, meta, val, test = (_ready(part, data, size) for part in parts)
    meta = val if data.meta_source == "val" else meta
    _check_shapes(data, train, meta, val, test)
    channels = train.pixels.shape[1] if isinstance(train, Images) else 3
    return Parts(
        train=train,
        meta=meta,
        val=val,
        test=test,
        class_counts=counts,
        class_names=sets.class_names,
        channels=channels,
        image_size=train.pixels.shape[-1] if isinstance(train, Images) else train.image_size,
        normalise=_normalisation(data, data.normalise, train, channels),
        normalise_test=_normalisation(data, data.normalise_test or data.normalise, train, channels),
    )


def _cut(data: Data, sets: Sets) -> tuple[tuple[Part, Part, Part, Part], tuple[int, ...]]:
    """Train, meta, val and test, and the training images per class."""
    for field, share, own in (
        ("val_per_class", data.val_per_class, sets.val),
        ("val_fraction", data.val_fraction, sets.val),
        ("test_fraction", data.test_fraction, sets.test),
    ):
        if share and own is not None:
            raise InputError(
                f"data.{field} is {share:g}, but {data.path or data.name} has its own {field.partition('_')[0]}"
            )
    draws = np.random.RandomState(data.subset_seed)
    indices = split(data, sets.train.labels.numpy(), sets.class_names, draws)
    train, meta, val, test = (sets.train[np.concatenate(part)] for part in indices)
    val = val if sets.val is None else sets.val
    if data.meta_source == "val" and not len(val):
        raise InputError(f"data.meta_source is val, but {data.path or data.name} has no val images: set val_fraction")
    test = test if sets.test is None else _test_of(data, sets.test, draws)
    return (train, val if data.meta_source == "val" else meta, val, test), tuple(map(len, indices.train))


def _test_of(data: Data, test: Part, draws: np.random.RandomState) -> Part:
    """The set's own test images; of mnist-4-9 as many of each class as the paper has, drawn like the subset."""
    if data.name != "mnist-4-9":
        return test
    orders = by_class(test.labels.numpy(), 2)
    if data.subset == "shuffled":
        for order in orders:
            draws.shuffle(order)
    return test[np.concatenate([order[:MNIST_4_9_TEST] for order in orders])]


def _ready(part: Part, data: Data, size: int | None) -> Part:
    """A part as it is trained on: in memory, or as files that know the size of their pixels."""
    if isinstance(part, Images):
        return part.resized(size)
    return replace(part, image_size=size or 224) if data.streams else part.decoded(size)


def _check_shapes(data: Data, train: Part, *others: Part) -> None:
    """InputError where parts in memory differ in channels or size."""
    for part in others:
        if isinstance(train, Images) and isinstance(part, Images) and len(part):
            (channels, size), other = train.pixels.shape[1:3], part.pixels.shape[1:3]
            if other != (channels, size):
                raise InputError(
                    f"{data.path or data.name} has training images of {channels} channels and size {size}, and others "
                    f"of {other[0]} and {other[1]}; they must be alike: set data.image_size"
                )


def _normalisation(data: Data, preset: str, train: Part, channels: int) -> Normalisation:
    if preset in PRESETS:
        found = PRESETS[preset]
    elif isinstance(train, Images):
        found = SOURCES[data.name].normalise or measured(train)
    else:
        found = SOURCES[data.name].normalise or IMAGENET
    if len(found.mean) not in (1, channels):
        raise InputError(
            f"data.normalise is {preset}, which is for {len(found.mean)} channels; the images have {channels}"
        )
    return found.over(channels)
