"""The datasets: what each is called, what is known of it without reading it, and how it is read.

A source gives all its images, in memory or as files; which of them are trained on is decided in data.py.
"""

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lt_core import layouts, own
from lt_core.batches import Augment
from lt_core.images import Images, Sets
from lt_core.normalisation import CIFAR10, IMAGENET, INATURALIST, NONE, Normalisation
from lt_core.value import InputError

Read = Callable[[Path | None, str | None], Sets]


@dataclass(frozen=True)
class Source:
    """A dataset. What only its files can tell is null.

    classes, channels: their number.
    n_max: images of a head class that a profile is cut from; null where the classes' own sizes say it.
    image_size: of its images; of files that are streamed, that of the papers' recipes.
    normalise: its own mean and deviation; null measures those of the training images (streamed: ImageNet's).
    val_per_class, augment: the defaults.
    own_val, own_test: whether it brings them.
    files: whether its images lie in files of their own.
    cut: whether a profile may be cut from it.
    """

    name: str
    about: str
    read: Read
    classes: int | None = None
    n_max: int | None = None
    channels: int | None = 3
    image_size: int | None = None
    normalise: Normalisation | None = None
    val_per_class: int = 0
    augment: Augment = "none"
    own_val: bool | None = False
    own_test: bool | None = True
    files: bool = False
    cut: bool = True
    home: str = ""

    def load(self, root: Path | None, path: str | None = None) -> Sets:
        """All images; InputError where files are missing or damaged."""
        stamp = _own_path(root, path) if path else None
        changed = stamp.stat().st_mtime_ns if stamp and stamp.is_file() else 0
        return _load(self.name, root, path, changed)


@lru_cache(maxsize=2)
def _load(name: str, root: Path | None, path: str | None, changed: int) -> Sets:
    return SOURCES[name].read(root, path)


# --- in memory --------------------------------------------------------------------------------------

DIGITS_TEST_PER_CLASS = 40


def _read_digits(root: Path | None, path: str | None) -> Sets:
    """scikit-learn's 1,797 digits; the last 40 of each class, in its order, are the test part."""
    table = np.loadtxt(_sklearn_folder() / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    pixels = np.floor(table[:, :-1].reshape(-1, 8, 8) * (255 / 16) + 0.5).astype(np.uint8)[:, None]
    labels = table[:, -1].astype(np.int64)
    per_class = [np.where(labels == c)[0] for c in range(10)]
    images = Images(torch.from_numpy(pixels), torch.from_numpy(labels))
    pool = np.sort(np.concatenate([indices[:-DIGITS_TEST_PER_CLASS] for indices in per_class]))
    test = np.sort(np.concatenate([indices[-DIGITS_TEST_PER_CLASS:] for indices in per_class]))
    return Sets(images[pool], None, images[test], _digits())


def _sklearn_folder() -> Path:
    """Where scikit-learn lies; importing it would take each worker process seconds."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise InputError("dataset digits lies in the package scikit-learn, which is not installed")
    return Path(spec.origin).parent


def _digits(classes: int = 10) -> tuple[str, ...]:
    return tuple(str(c) for c in range(classes))


# MD5 of the official idx files, unpacked; torchvision knows those of the archives only.
MNIST_FILES = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


def _read_mnist(root: Path | None, path: str | None) -> Sets:
    from torchvision.datasets import MNIST

    root = _checked("mnist", root, "MNIST/raw", MNIST_FILES)
    sets = [MNIST(str(root), train=train) for train in (True, False)]
    train, test = (Images(s.data[:, None].contiguous(), s.targets.long()) for s in sets)
    return Sets(train, None, test, _digits())


NINE_AND_FOUR = (9, 4)  # class 0, the majority, and class 1


def _read_mnist_4_9(root: Path | None, path: str | None) -> Sets:
    sets = SOURCES["mnist"].load(root)
    train, test = (_only(part, NINE_AND_FOUR) for part in (sets.train, sets.test))
    return Sets(train, None, test, tuple(map(str, NINE_AND_FOUR)))


def _only(images: Any, digits: tuple[int, ...]) -> Images:
    """The images of some classes, in their order, with those classes' places as labels."""
    place = torch.full((10,), -1)
    place[list(digits)] = torch.arange(len(digits))
    kept = images[np.where(place[images.labels].numpy() >= 0)[0]]
    return Images(kept.pixels, place[kept.labels])


def _read_cifar10(root: Path | None, path: str | None) -> Sets:
    from torchvision.datasets import CIFAR10

    return _from_cifar("cifar10", CIFAR10, root)


def _read_cifar100(root: Path | None, path: str | None) -> Sets:
    from torchvision.datasets import CIFAR100

    return _from_cifar("cifar100", CIFAR100, root)


def _from_cifar(name: str, kind: Any, root: Path | None) -> Sets:
    meta = (kind.meta["filename"], kind.meta["md5"])
    files = {file: md5 for file, md5 in [*kind.train_list, *kind.test_list, meta]}  # noqa: C416 (typed)
    root = _checked(name, root, kind.base_folder, files)
    train, test = (kind(str(root), train=train) for train in (True, False))
    images = (
        Images(torch.from_numpy(s.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(s.targets, dtype=torch.int64))
        for s in (train, test)
    )
    return Sets(next(images), None, next(images), tuple(train.classes))


def _checked(name: str, root: Path | None, folder: str, md5: dict[str, str]) -> Path:
    """The data folder, once every file is there and intact."""
    root = _needed(name, root, folder)
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


def _needed(name: str, root: Path | None, folder: str) -> Path:
    if root is None:
        raise InputError(f"dataset {name} needs a data folder: set LT_DATA to the one that holds {folder}")
    return root


# --- in files ---------------------------------------------------------------------------------------


def _in_folder(name: str, folder: str, read: Callable[[Path], Sets]) -> Read:
    """A reader of a dataset that lies in a folder of the data folder."""
    return lambda root, path: read(_needed(name, root, folder) / folder)


def _read_own(read: Callable[[Path], Sets]) -> Read:
    """A reader of what `path` says, relative to the data folder or absolute."""
    return lambda root, path: read(_own_path(root, path or ""))


def _own_path(root: Path | None, path: str) -> Path:
    if root is None and not Path(path).is_absolute():
        raise InputError(f"data.path is {path}, relative to a data folder: set LT_DATA to it, or give the whole path")
    return (root or Path()) / path


# --- fetching ---------------------------------------------------------------------------------------

BY_HAND = {
    "tiny-imagenet": "unpack cs231n.stanford.edu/tiny-imagenet-200.zip there",
    "imagenet": "fetch ILSVRC2012 from image-net.org into its folder imagenet, as train/WNID and val/WNID",
    "imagenet-lt": "put the lists ImageNet_LT_{train,val,test}.txt (github.com/zhmiao/OpenLongTailRecognition-OLTR) "
    "into the folder imagenet, beside train/WNID and val/WNID of image-net.org",
    "inaturalist2017": "unpack github.com/visipedia/inat_comp/tree/master/2017 into its folder inaturalist2017",
    "inaturalist2018": "unpack github.com/visipedia/inat_comp/tree/master/2018 into its folder inaturalist2018",
    "egtea": "fetch EGTEA Gaze+ from cbs.ic.gatech.edu/fpv, extract its frames into the folder egtea/extracted_frames, "
    "and put the three lists of github.com/hitachi-rd-cv/CDB-loss beside it",
}


def download(name: str, root: Path) -> None:
    """Fetch a dataset into the data folder, through torchvision; the embedded ones and the user's need nothing.

    InputError for one that must be fetched by hand, unless its folder is there: it says from where.
    """
    from torchvision import datasets

    kinds = {
        "mnist": datasets.MNIST,
        "mnist-4-9": datasets.MNIST,
        "cifar10": datasets.CIFAR10,
        "cifar100": datasets.CIFAR100,
    }
    if name in kinds:
        try:
            kinds[name](str(root), download=True)
        except (OSError, RuntimeError) as error:
            raise InputError(f"dataset {name} could not be downloaded into {root}: {error}") from None
    elif name in BY_HAND and not (root / SOURCES[name].home).is_dir():
        raise InputError(f"dataset {name} cannot be downloaded into {root}: {BY_HAND[name]}")


GREY_DIGITS = Normalisation((0.1307,), (0.3081,))

SOURCES = {
    source.name: source
    for source in (
        Source(
            "digits",
            "1,797 handwritten digits of scikit-learn (embedded); head class 100, test 40 a class",
            _read_digits,
            classes=10,
            n_max=100,
            channels=1,
            image_size=8,
            normalise=Normalisation((0.3053,), (0.3761,)),
            val_per_class=30,
        ),
        Source(
            "mnist",
            "MNIST (LeCun et al. 1998), 10 classes; head class 5,000",
            _read_mnist,
            classes=10,
            n_max=5000,
            channels=1,
            image_size=28,
            normalise=GREY_DIGITS,
            val_per_class=500,
        ),
        Source(
            "mnist-4-9",
            "MNIST's nines (majority) and fours (CDB): 5,000 to train on, test 800 a class, drawn by the subset's seed",
            _read_mnist_4_9,
            classes=2,
            channels=1,
            image_size=28,
            normalise=GREY_DIGITS,
            val_per_class=500,
        ),
        Source(
            "cifar10",
            "CIFAR-10 (Krizhevsky 2009), 10 classes; head class 5,000",
            _read_cifar10,
            classes=10,
            n_max=5000,
            image_size=32,
            normalise=CIFAR10,
            val_per_class=500,
        ),
        Source(
            "cifar100",
            "CIFAR-100 (Krizhevsky 2009), 100 classes; head class 500",
            _read_cifar100,
            classes=100,
            n_max=500,
            image_size=32,
            normalise=Normalisation((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
            val_per_class=50,
        ),
        Source(
            "tiny-imagenet",
            "Tiny ImageNet (Stanford CS231n), 200 classes of 64 x 64; head class 500",
            _in_folder("tiny-imagenet", "tiny-imagenet-200", layouts.tiny_imagenet),
            classes=200,
            n_max=500,
            image_size=64,
            normalise=IMAGENET,
            val_per_class=50,
            files=True,
            home="tiny-imagenet-200",
        ),
        Source(
            "imagenet",
            "ImageNet (ILSVRC 2012), 1,000 classes; its val is the test part",
            _in_folder("imagenet", "imagenet", layouts.imagenet),
            augment="random_resized_crop",
            image_size=224,
            normalise=IMAGENET,
            files=True,
            home="imagenet",
        ),
        Source(
            "imagenet-lt",
            "ImageNet-LT (Liu et al. 2019), 1,000 classes of 5 to 1,280 images, with its own val",
            _in_folder("imagenet-lt", "imagenet", layouts.imagenet_lt),
            augment="random_resized_crop_jitter",
            image_size=224,
            normalise=IMAGENET,
            own_val=True,
            files=True,
            cut=False,
            home="imagenet",
        ),
        *(
            Source(
                f"inaturalist{year}",
                f"iNaturalist {year}, {classes} classes with their natural counts; its val is the test part",
                _in_folder(f"inaturalist{year}", f"inaturalist{year}", partial(layouts.inaturalist, year=year)),
                augment="random_resized_crop",
                image_size=224,
                normalise=INATURALIST,
                files=True,
                cut=False,
                home=f"inaturalist{year}",
            )
            for year, classes in ((2017, "5,089"), (2018, "8,142"))
        ),
        Source(
            "egtea",
            "EGTEA Gaze+ (Li et al. 2018), clips of 19 verbs with their natural counts, split 1 with CDB's val",
            _in_folder("egtea", "egtea", layouts.egtea),
            augment="clip_crop_rotate",
            classes=19,
            image_size=224,
            normalise=NONE,
            own_val=True,
            files=True,
            cut=False,
            home="egtea",
        ),
        Source(
            "folder",
            "your own images in folders, PATH/train/CLASS/*.png; val and test alike, or taken from train",
            _read_own(own.read_folder),
            own_val=None,
            own_test=None,
            files=True,
        ),
        Source(
            "csv",
            "your own images, listed in a CSV with the columns path, label and, if wanted, split",
            _read_own(own.read_csv),
            own_val=None,
            own_test=None,
            files=True,
        ),
        Source(
            "npz",
            "your own images in an .npz: images uint8 [N, H, W, channels], labels and, if wanted, split or class_names",
            _read_own(own.read_npz),
            channels=None,
            own_val=None,
            own_test=None,
        ),
    )
}
