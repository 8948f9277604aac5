"""The training images of a run as one epoch of augmented batches after another, on the run's device.

Images in memory are augmented there, a batch at a time; files are decoded and augmented one by one, by a DataLoader.
The caller gives the order (a permutation, or class-balanced draws) and a generator, so that an epoch can be repeated.
"""

from collections.abc import Iterator
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from lt_core.images import Files, Images
from lt_core.stream import stream
from lt_core.views import random_clip, random_image

Augment = Literal[
    "none", "crop_flip", "crop_flip_reflect", "random_resized_crop", "random_resized_crop_jitter", "clip_crop_rotate"
]
PAD = 4


class Batches:
    """Training images with an augmentation; `workers` decode files."""

    def __init__(self, images: Images | Files, augment: Augment = "none", workers: int = 0) -> None:
        self._epochs = _Streamed(images, augment, workers) if isinstance(images, Files) else _InMemory(images, augment)

    def epoch(self, order: Tensor, batch_size: int, augmentation: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Pixels uint8 [B, C, H, W] (clips: [B, C, T, H, W]) and labels [B] of the images `order`, int64 [M].

        augmentation: a generator on the CPU. Each occurrence of an image in the order has draws of its own.
        """
        return self._epochs.epoch(order, batch_size, augmentation)


class _InMemory:
    """Crops and flips by one gather from the padded images."""

    def __init__(self, images: Images, augment: Augment) -> None:
        self.labels = images.labels
        self.size = images.pixels.shape[-1]
        self.augment = augment != "none"
        padded = _reflected(images.pixels) if augment == "crop_flip_reflect" else images.pixels
        if augment == "crop_flip":
            padded = torch.nn.functional.pad(padded, (PAD,) * 4)
        self.pixels = padded.permute(0, 2, 3, 1).contiguous()  # [N, height, width, channels]: a crop is one gather

    def epoch(self, order: Tensor, batch_size: int, augmentation: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        device = self.labels.device
        rows, columns = (grid.to(device) for grid in self._grids(len(order), augmentation))
        order, draws = order.to(device), _draw_of_each(order).to(device)
        for batch, draw in zip(order.split(batch_size), draws.split(batch_size), strict=True):
            crop = self.pixels[batch[:, None, None], rows[draw][:, :, None], columns[draw][:, None, :]]
            yield crop.permute(0, 3, 1, 2), self.labels[batch]

    def _grids(self, n: int, augmentation: torch.Generator) -> tuple[Tensor, Tensor]:
        """Which rows and columns of each padded image make its crop, mirrored where it is flipped. [n, size]"""
        line = torch.arange(self.size).expand(n, -1)
        if not self.augment:
            return line, line
        top, left = torch.randint(0, 2 * PAD + 1, (2, n, 1), generator=augmentation)
        flip = torch.randint(0, 2, (n, 1), generator=augmentation).bool()
        return top + line, left + torch.where(flip, self.size - 1 - line, line)


class _Streamed:
    """Draws are keyed by the epoch's own number, from the generator, and the position: any worker makes the same."""

    def __init__(self, files: Files, augment: Augment, workers: int) -> None:
        self.files, self.workers = files, workers
        self.augment: Augment = augment

    def epoch(self, order: Tensor, batch_size: int, augmentation: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        key = int(torch.randint(2**62, (), generator=augmentation))
        make = partial(_view, self.files.to(torch.device("cpu")), self.augment, order.cpu(), key)
        labels = self.files.labels[order.to(self.files.device)]
        for at, pixels in stream(make, len(order), batch_size, self.workers):
            yield pixels.to(self.files.device), labels[at : at + len(pixels)]


def _view(files: Files, augment: Augment, order: Tensor, key: int, position: int) -> Tensor:
    index = int(order[position])
    if augment == "none":
        return files.still(index)
    draws = np.random.default_rng([key, position])
    path = files.folder / files.paths[index]
    if files.kind == "clip":
        return random_clip(path, files.sizes[index], files.image_size, draws)
    return random_image(path, files.image_size, draws, jitter=augment == "random_resized_crop_jitter")


def _draw_of_each(order: Tensor) -> Tensor:
    """Which draw each position takes: in a permutation image i takes the i-th, whatever its position."""
    draws = torch.empty_like(order)
    draws[order.argsort(stable=True)] = torch.arange(len(order), device=order.device)
    return draws


def _reflected(pixels: Tensor) -> Tensor:
    """Padded by 4 with what lies inside, mirrored at the border pixels (Meta-Weight-Net's code)."""
    size = pixels.shape[-1]
    line = torch.arange(-PAD, size + PAD, device=pixels.device).abs()
    line = torch.where(line < size, line, 2 * (size - 1) - line)
    return pixels[:, :, line][:, :, :, line]
