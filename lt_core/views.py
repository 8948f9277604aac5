"""One image or clip from its files to pixels: decoding, and the crops of ImageNet's and EGTEA's recipes.

Draws come from a numpy generator that the caller keys. Not here: augmentation of batches in memory (batches.py).
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

from lt_core.value import InputError

FRAMES = 10  # of a clip; CDB's n_frames_per_clip
CLIP_CROP = 480  # pixels of a frame, before it is resized
BILINEAR = Image.Resampling.BILINEAR


def read_image(path: Path, *, rgb: bool = True) -> Image.Image:
    """An image file as RGB, or in its own mode; InputError names a file that is missing or cannot be decoded."""
    with _named(path), Image.open(path) as image:
        return image.convert("RGB") if rgb else image.copy()


def size_of(path: Path) -> tuple[int, int]:
    """Width and height, from the file's head; InputError as for read_image."""
    with _named(path), Image.open(path) as image:
        return image.size


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # what Pillow raises on damage
        said = "there is no such file" if isinstance(error, FileNotFoundError) else "it is damaged or no image"
        raise InputError(f"cannot read the image {path}: {said}") from None


def to_pixels(image: Image.Image, size: int) -> Tensor:
    """An image resized to size x size, as uint8 [3, size, size]; a greyscale one [1, size, size]."""
    resized = image if image.size == (size, size) else image.resize((size, size), BILINEAR)
    return torch.from_numpy(np.atleast_3d(np.array(resized))).permute(2, 0, 1)


# --- images -----------------------------------------------------------------------------------------


def still_image(path: Path, size: int) -> Tensor:
    """The centre of an image whose shorter side is resized to 8/7 of size (256 for 224). [3, size, size]"""
    image = read_image(path)
    scale = round(size * 8 / 7) / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    return to_pixels(_centre(image.resize((width, height), BILINEAR), size), size)


def random_image(path: Path, size: int, draws: np.random.Generator, *, jitter: bool) -> Tensor:
    """RandomResizedCrop, a random flip and, if asked, ColorJitter(.4, .4, .4, 0), in torchvision's sense and order."""
    image = read_image(path)
    view = image.crop(crop_box(*image.size, draws)).resize((size, size), BILINEAR)
    if draws.random() < 0.5:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return to_pixels(_jittered(view, draws) if jitter else view, size)


def crop_box(width: int, height: int, draws: np.random.Generator) -> tuple[int, int, int, int]:
    """RandomResizedCrop's box: 8 to 100 % of the area, aspect 3/4 to 4/3, ten attempts, else the centre."""
    for _ in range(10):
        area = width * height * draws.uniform(0.08, 1)
        aspect = math.exp(draws.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(draws.integers(width - w + 1)), int(draws.integers(height - h + 1))
            return left, top, left + w, top + h
    w, h = min(width, round(height * 4 / 3)), min(height, round(width * 4 / 3))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def _jittered(image: Image.Image, draws: np.random.Generator) -> Image.Image:
    """Brightness, contrast and saturation, each times .6 to 1.4, in random order."""
    kinds = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    factors = draws.uniform(0.6, 1.4, len(kinds))
    for i in draws.permutation(len(kinds)):
        image = kinds[i](image).enhance(float(factors[i]))
    return image


def _centre(image: Image.Image, size: int) -> Image.Image:
    left, top = (round((side - size) / 2) for side in image.size)
    return image.crop((left, top, left + size, top + size))


# --- clips ------------------------------------------------------------------------------------------


def still_clip(folder: Path, frames: int, size: int) -> Tensor:
    """The middle frame of each of 10 segments, the centre 480 x 480 resized. uint8 [3, 10, size, size], BGR."""
    starts, ends = _segments(frames)
    return _clip([_centre(frame, _side(frame)) for frame in _frames(folder, (starts + ends) // 2)], size)


def random_clip(folder: Path, frames: int, size: int, draws: np.random.Generator) -> Tensor:
    """One frame of each of 10 segments, one crop 480 x 480, rotation within 10 degrees and flip for all, resized.

    CDB's EGTEA_train.py; uint8 [3, 10, size, size], BGR as cv2 reads it. A clip with fewer than 11 frames repeats
    some (that code stops); a frame smaller than 480 is cropped to its shorter side.
    """
    starts, ends = (edges.astype(int) for edges in _segments(frames))
    images = _frames(folder, draws.integers(starts, np.maximum(ends, starts + 1)))
    side = _side(images[0])
    left, top = (int(draws.integers(length - side + 1)) for length in images[0].size)
    angle, flip = draws.uniform(-10, 10), draws.random() < 0.5
    views = [image.crop((left, top, left + side, top + side)).rotate(angle, BILINEAR) for image in images]
    return _clip([v.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else v for v in views], size)


def _segments(frames: int) -> tuple[np.ndarray, np.ndarray]:
    edges = np.linspace(0, frames - 1, FRAMES + 1)
    return edges[:-1], edges[1:]


def _frames(folder: Path, numbers: np.ndarray) -> list[Image.Image]:
    return [read_image(folder / f"{int(number):06d}.jpg") for number in numbers]


def _side(frame: Image.Image) -> int:
    return min(CLIP_CROP, *frame.size)


def _clip(images: list[Image.Image], size: int) -> Tensor:
    return torch.stack([to_pixels(image, size).flip(0) for image in images], 1)
