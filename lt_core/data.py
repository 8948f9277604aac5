"""Image arrays -> train, val and test tensors: imbalance profiles, splits, batches on the training device.

Images live as uint8 tensors on the device; augmentation and normalisation are batched tensor work there.
Not here: losses, class weights, and how an epoch is trained.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from lt_core.sources import SOURCES, Images, Source
from lt_core.value import InputError, Value


class Data(Value):
    """Which images are trained on: a dataset cut to an imbalance profile, and where validation images come from.

    imbalance: rho, the largest class over the smallest; 1 is balanced.
    profile: `exp`, n_c = int(n_max * (1/rho)^(c / (C-1))), or `step`, the second half of the classes int(n_max / rho)
        (Cao et al., NeurIPS 2019; both truncate, as the code of CB, LDAM and IB does).
    subset_seed: which images; 0 is the literature's subset of CIFAR-10.
    val_from: `unused`, validation images are those that the cut discards, so that only classes with
        n_c > n_max - val_per_class lose any; `before_cut`, they are set aside first, and n_max shrinks (CDB).
    val_per_class: 0 trains on the literature's exact subset; such a config cannot be searched.
    augment: `crop_flip`, pad by 4 with black, crop at random, flip left-right at random.
    """

    name: Literal["digits", "mnist", "cifar10"]
    imbalance: Annotated[float, Field(ge=1)] = 100.0
    profile: Literal["exp", "step"] = "exp"
    subset_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    val_from: Literal["unused", "before_cut"] = "unused"
    val_per_class: Annotated[int, Field(ge=0)] = 500
    augment: Literal["none", "crop_flip"] = "none"

    @model_validator(mode="after")
    def _leaves_every_class(self) -> "Data":
        n_max = SOURCES[self.name].n_max
        if self.val_per_class >= n_max:
            raise ValueError(f"val_per_class is {self.val_per_class}; it must be below {n_max} on {self.name}")
        if min(self.counts) < 1:
            raise ValueError(f"imbalance is {self.imbalance:g}; it leaves a class of {self.name} without an image")
        return self

    @property
    def counts(self) -> tuple[int, ...]:
        """Training images of each class, before `val_from: unused` takes any."""
        source = SOURCES[self.name]
        n_max = source.n_max - (self.val_per_class if self.val_from == "before_cut" else 0)
        return profile_counts(self.profile, n_max, source.classes, self.imbalance)

    def canonical(self) -> "Data":
        """Without what has no effect: the profile of balanced data, the source of no validation images."""
        update: dict[str, object] = {}
        if self.imbalance == 1:
            update["profile"] = "exp"
        if self.val_per_class == 0:
            update["val_from"] = "unused"
        return self.model_copy(update=update)


@dataclass(frozen=True)
class Parts:
    """What one training sees: three sets of images (val may be empty), training images per class, normalisation."""

    train: Images
    val: Images
    test: Images
    class_counts: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @cached_property
    def id(self) -> str:
        """12 hexadecimal digits of the tensors used."""
        digest = hashlib.sha256()
        for images in (self.train, self.val, self.test):
            digest.update(str(tuple(images.pixels.shape)).encode())
            digest.update(images.pixels.numpy().tobytes())
            digest.update(images.labels.numpy().tobytes())
        return digest.hexdigest()[:12]


def profile_counts(profile: str, n_max: int, classes: int, imbalance: float) -> tuple[int, ...]:
    """Training images per class, truncated; class 0 is the head."""
    mu = 1 / imbalance
    if profile == "step":
        half = classes // 2
        return (n_max,) * half + (int(n_max * mu),) * (classes - half)
    return tuple(int(n_max * mu ** (c / (classes - 1.0))) for c in range(classes))


def load_parts(data: Data, root: Path | None = None) -> Parts:
    """The parts of a dataset, on the CPU. InputError where its files are missing or damaged under `root`."""
    return _load_parts(data.model_dump_json(), root)


@lru_cache(maxsize=4)
def _load_parts(settings: str, root: Path | None) -> Parts:
    data = Data.model_validate_json(settings)
    source = SOURCES[data.name]
    pool, test = source.load(root)
    train, val = _split(data, source, pool.labels.numpy())
    counts = tuple(len(indices) for indices in train)
    return Parts(
        train=pool[np.concatenate(train)],
        val=pool[np.concatenate(val)],
        test=test,
        class_counts=counts,
        mean=source.mean,
        std=source.std,
    )


def _split(data: Data, source: Source, labels: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Indices of the train and val images of each class.

    The literature's draw: seed the legacy generator, then shuffle class after class (LDAM and IB code). The first
    n_c are trained on; val takes the last of the same order, which the cut discards.
    """
    shuffle = np.random.RandomState(data.subset_seed).shuffle
    train, val = [], []
    for c, n in enumerate(data.counts):
        indices = np.where(labels == c)[0]
        shuffle(indices)
        end = len(indices) - data.val_per_class
        if end < 1:
            raise InputError(f"val_per_class is {data.val_per_class}; class {c} has {len(indices)} images")
        train.append(indices[: min(n, end)])
        val.append(indices[end:])
    return train, val


class Batches:
    """The training images of a run on its device, as one epoch of shuffled, augmented batches after another."""

    PAD = 4

    def __init__(self, images: Images, batch_size: int, augment: bool) -> None:
        self.labels = images.labels
        self.batch_size = batch_size
        self.size = images.pixels.shape[-1]
        self.augment = augment
        pad = self.PAD if augment else 0
        padded = torch.nn.functional.pad(images.pixels, (pad,) * 4)
        self.pixels = padded.permute(0, 2, 3, 1).contiguous()  # [N, height, width, channels]: a crop is one gather

    def epoch(self, order: torch.Generator, augmentation: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Pixels uint8 [B, channels, height, width] and labels [B]; both generators live on the CPU."""
        n, device = len(self.labels), self.labels.device
        permutation = torch.randperm(n, generator=order).to(device)
        rows, columns = (grid.to(device) for grid in self._grids(n, augmentation))
        for batch in permutation.split(self.batch_size):
            crop = self.pixels[batch[:, None, None], rows[batch][:, :, None], columns[batch][:, None, :]]
            yield crop.permute(0, 3, 1, 2), self.labels[batch]

    def _grids(self, n: int, augmentation: torch.Generator) -> tuple[Tensor, Tensor]:
        """Which rows and columns of each padded image make its crop, mirrored where it is flipped. [N, size]"""
        line = torch.arange(self.size).expand(n, -1)
        if not self.augment:
            return line, line
        top, left = torch.randint(0, 2 * self.PAD + 1, (2, n, 1), generator=augmentation)
        flip = torch.randint(0, 2, (n, 1), generator=augmentation).bool()
        return top + line, left + torch.where(flip, self.size - 1 - line, line)
