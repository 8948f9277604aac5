"""The images of a part: in memory (Images), or in files that are decoded when they are needed (Files).

Not here: which images a part has (split.py), where they lie (layouts.py, own.py), how an epoch visits them
(batches.py).
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from lt_core.stream import stream
from lt_core.value import InputError
from lt_core.views import read_image, size_of, still_clip, still_image, to_pixels

CPU = torch.device("cpu")
MAX_OWN_SIZE = 256  # in memory at their own size; above it a size must be stated


@dataclass(frozen=True, eq=False)
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

    def batches(self, size: int, workers: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Pixels and labels in order, `size` at a time; nothing where there are no images."""
        if len(self):
            yield from zip(self.pixels.split(size), self.labels.split(size), strict=True)

    def resized(self, size: int | None) -> "Images":
        """The same images at another size (bilinear with antialiasing, as torchvision's Resize); null keeps it."""
        if size is None or tuple(self.pixels.shape[-2:]) == (size, size) or not len(self):
            return self
        floats = (
            torch.nn.functional.interpolate(part.float(), (size, size), mode="bilinear", antialias=True)
            for part in self.pixels.split(1000)
        )
        return Images(torch.cat([part.round().clamp(0, 255).byte() for part in floats]), self.labels)


@dataclass(frozen=True, eq=False)
class Files:
    """Image files, or folders of frames (clips), decoded when a batch needs them.

    paths: relative to `folder`.
    sizes: bytes of each image, frames of each clip; with paths and labels they identify the data.
    image_size: height and width of what `batches` gives; 0 before it is decided.
    """

    folder: Path
    paths: tuple[str, ...]
    labels: Tensor
    sizes: tuple[int, ...]
    kind: Literal["image", "clip"] = "image"
    image_size: int = 0
    device: torch.device = CPU

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, indices: np.ndarray) -> "Files":
        paths, sizes = (tuple(field[i] for i in indices) for field in (self.paths, self.sizes))
        return replace(self, paths=paths, sizes=sizes, labels=self.labels[torch.from_numpy(indices)])

    def to(self, device: torch.device) -> "Files":
        """The same files, whose batches and labels will be on a device."""
        return replace(self, labels=self.labels.to(device), device=device)

    def batches(self, size: int, workers: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Pixels uint8 and labels in order, `size` at a time, without any draw: what evaluation sees.

        Images: resized to 8/7 of image_size (256 for 224), then the centre. Clips: the middle frame of each of the
        10 segments, centre crop; CDB's code draws frames at random there, too, so its own numbers differ each time.
        """
        for at, pixels in stream(self.still, len(self), size, workers):
            yield pixels.to(self.device), self.labels[at : at + len(pixels)]

    def still(self, index: int) -> Tensor:
        """The pixels of one image or clip, without any draw. [3, S, S] or [3, T, S, S]"""
        path = self.folder / self.paths[index]
        if self.kind == "clip":
            return still_clip(path, self.sizes[index], self.image_size)
        return still_image(path, self.image_size)

    def decoded(self, size: int | None) -> Images:
        """All images in memory, RGB, squeezed to size x size; null: their own size, which must be one and square."""
        if not len(self):
            return Images(torch.empty(0, 3, size or 0, size or 0, dtype=torch.uint8), self.labels)
        size = size or self.common_size()
        pixels = torch.empty(len(self), 3, size, size, dtype=torch.uint8)
        with ThreadPoolExecutor(4) as pool:
            for i, image in enumerate(pool.map(lambda path: self._squeezed(path, size), self.paths)):
                pixels[i] = image
        return Images(pixels, self.labels)

    def common_size(self) -> int:
        """The size that all images share; InputError where they do not, or are too large to be kept in memory."""
        first = size_of(self.folder / self.paths[0])
        for path in self.paths:
            size = size_of(self.folder / path)
            if size != first or size[0] != size[1] or size[0] > MAX_OWN_SIZE:
                raise InputError(
                    f"{self.folder / path} is {size[0]} x {size[1]}, and the first image {first[0]} x {first[1]}: "
                    f"set data.image_size, which may be null only for square images of one size up to {MAX_OWN_SIZE}"
                )
        return first[0]

    def _squeezed(self, path: str, size: int) -> Tensor:
        return to_pixels(read_image(self.folder / path), size)


Part = Images | Files


@dataclass(frozen=True, eq=False)
class Sets:
    """All images of a dataset: to train on, and its own val and test where it has them (null where not)."""

    train: Part
    val: Part | None
    test: Part | None
    class_names: tuple[str, ...]
