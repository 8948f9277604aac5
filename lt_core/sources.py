"""Where images come from: the digits that scikit-learn carries, MNIST and CIFAR-10 in torchvision's folders.

A source gives all its images as uint8 tensors; which of them are trained on is decided in data.py.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lt_core.value import InputError


@dataclass(frozen=True)
class Images:
    """Pixels uint8 [N, channels, height, width] and labels int64 [N]."""

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, indices: np.ndarray) -> "Images":
        chosen = torch.from_numpy(indices)
        return Images(self.pixels[chosen], self.labels[chosen])

    def to(self, device: torch.device) -> "Images":
        """The same images on a device."""
        return Images(self.pixels.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Source:
    """A dataset: its classes, the size of a head class, its normalisation, how it is read."""

    name: str
    about: str
    classes: int
    n_max: int
    channels: int
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    read: Callable[[Path | None], tuple[Images, Images]]

    def load(self, root: Path | None) -> tuple[Images, Images]:
        """All training and all test images; InputError where files are missing or damaged."""
        return _load(self.name, root)


@lru_cache(maxsize=2)
def _load(name: str, root: Path | None) -> tuple[Images, Images]:
    return SOURCES[name].read(root)


DIGITS_TEST_PER_CLASS = 40


def _read_digits(root: Path | None) -> tuple[Images, Images]:
    """scikit-learn's 1,797 digits; the last 40 of each class, in its order, are the test part."""
    from sklearn.datasets import load_digits  # a second's import that no other dataset needs

    bunch: Any = load_digits()
    pixels = np.floor(bunch.images * (255 / 16) + 0.5).astype(np.uint8)[:, None]
    labels = bunch.target.astype(np.int64)
    per_class = [np.where(labels == c)[0] for c in range(10)]
    images = Images(torch.from_numpy(pixels), torch.from_numpy(labels))
    pool = np.sort(np.concatenate([indices[:-DIGITS_TEST_PER_CLASS] for indices in per_class]))
    test = np.sort(np.concatenate([indices[-DIGITS_TEST_PER_CLASS:] for indices in per_class]))
    return images[pool], images[test]


# MD5 of the official idx files, unpacked; torchvision knows those of the archives only.
MNIST_FILES = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def _read_mnist(root: Path | None) -> tuple[Images, Images]:
    from torchvision.datasets import MNIST

    root = _checked("mnist", root, "MNIST/raw", MNIST_FILES)
    sets = [MNIST(str(root), train=train) for train in (True, False)]
    train, test = (Images(s.data[:, None].contiguous(), s.targets.long()) for s in sets)
    return train, test


def _read_cifar10(root: Path | None) -> tuple[Images, Images]:
    from torchvision.datasets import CIFAR10

    meta = (CIFAR10.meta["filename"], CIFAR10.meta["md5"])
    files = {name: md5 for name, md5 in [*CIFAR10.train_list, *CIFAR10.test_list, meta]}  # noqa: C416 (typed)
    root = _checked("cifar10", root, CIFAR10.base_folder, files)
    train, test = (_from_cifar(CIFAR10(str(root), train=train)) for train in (True, False))
    return train, test


def _from_cifar(dataset: Any) -> Images:
    pixels = torch.from_numpy(dataset.data).permute(0, 3, 1, 2).contiguous()
    return Images(pixels, torch.tensor(dataset.targets, dtype=torch.int64))


def _checked(name: str, root: Path | None, folder: str, md5: dict[str, str]) -> Path:
    """The data folder, once every file is there and intact."""
    if root is None:
        raise InputError(f"dataset {name} needs a data folder: set LT_DATA to the one that holds {folder}")
    for file, expected in md5.items():
        path = root / folder / file
        if not path.is_file():
            raise InputError(
                f"dataset {name} is missing: no file {path}; set LT_DATA to the folder that holds {folder}, "
                "or download it with --download"
            )
        found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        if found != expected:
            raise InputError(f"dataset {name} is damaged: the MD5 of {path} is {found}, not {expected}; fetch it again")
    return root


def download(name: str, root: Path) -> None:
    """Fetch a dataset into the data folder, through torchvision; the embedded ones need nothing."""
    from torchvision import datasets

    kinds = {"mnist": datasets.MNIST, "cifar10": datasets.CIFAR10}
    if name in kinds:
        try:
            kinds[name](str(root), download=True)
        except (OSError, RuntimeError) as error:
            raise InputError(f"dataset {name} could not be downloaded into {root}: {error}") from None


SOURCES = {
    source.name: source
    for source in (
        Source(
            "digits",
            "1,797 handwritten digits of scikit-learn (embedded); head class 100, test 40 a class",
            classes=10,
            n_max=100,
            channels=1,
            image_size=8,
            mean=(0.3053,),
            std=(0.3761,),
            read=_read_digits,
        ),
        Source(
            "mnist",
            "MNIST (LeCun et al. 1998), 10 classes; head class 5,000",
            classes=10,
            n_max=5000,
            channels=1,
            image_size=28,
            mean=(0.1307,),
            std=(0.3081,),
            read=_read_mnist,
        ),
        Source(
            "cifar10",
            "CIFAR-10 (Krizhevsky 2009), 10 classes; head class 5,000",
            classes=10,
            n_max=5000,
            channels=3,
            image_size=32,
            mean=(0.4914, 0.4822, 0.4465),
            std=(0.2023, 0.1994, 0.2010),
            read=_read_cifar10,
        ),
    )
}
