import numpy as np
import pytest
import torch

from lt_core.batches import Batches
from lt_core.images import Images


def noise(n, channels, size):
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (n, channels, size, size), generator=draw, dtype=torch.uint8)
    return Images(pixels, torch.arange(n))


def augmentation(seed=1):
    return torch.Generator().manual_seed(seed)


def permutation(n, seed=0):
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def epoch(images, augment, order, batch_size=7, seed=1):
    pixels, labels = zip(*Batches(images, augment).epoch(order, batch_size, augmentation(seed)), strict=True)
    return torch.cat(pixels), torch.cat(labels)


@pytest.mark.parametrize("augment", ["none", "crop_flip", "crop_flip_reflect"])
def test_an_epoch_gives_the_order_in_batches(augment):
    order = torch.tensor([3, 3, 0, 9, 1, 2, 3, 7, 8, 3])
    batches = list(Batches(noise(10, 3, 8), augment).epoch(order, 4, augmentation()))
    assert [len(labels) for _, labels in batches] == [4, 4, 2]
    assert [tuple(pixels.shape) for pixels, _ in batches] == [(4, 3, 8, 8)] * 2 + [(2, 3, 8, 8)]
    assert torch.equal(torch.cat([labels for _, labels in batches]), order)


def test_without_augmentation_an_epoch_is_the_images():
    images, order = noise(50, 1, 8), permutation(50)
    pixels, labels = epoch(images, "none", order)
    assert torch.equal(pixels, images.pixels[order]) and torch.equal(labels, order)


@pytest.mark.parametrize(("augment", "mode"), [("crop_flip", "constant"), ("crop_flip_reflect", "reflect")])
def test_an_augmented_batch_is_the_explicit_pad_crop_and_flip(augment, mode):
    n, size = 40, 8
    images, order = noise(n, 3, size), permutation(n)
    pixels, labels = epoch(images, augment, order, 16)
    draws = augmentation()
    top, left = torch.randint(0, 9, (2, n, 1), generator=draws).squeeze(2).tolist()
    flip = torch.randint(0, 2, (n, 1), generator=draws).flatten().tolist()
    assert torch.equal(labels, order)
    for found, i in zip(pixels.numpy(), labels.tolist(), strict=True):
        padded = np.pad(images.pixels[i].numpy(), ((0, 0), (4, 4), (4, 4)), mode=mode)
        crop = padded[:, top[i] : top[i] + size, left[i] : left[i] + size]
        assert np.array_equal(found, crop[:, :, ::-1] if flip[i] else crop)


def test_each_occurrence_of_an_image_has_draws_of_its_own():
    pixels, _ = epoch(noise(2, 1, 16), "crop_flip", torch.zeros(64, dtype=torch.int64))
    assert len({p.numpy().tobytes() for p in pixels}) > 32


def test_all_shifts_and_both_flips_occur_about_equally_often():
    n = 4000
    image = torch.zeros(1, 1, 9, 9, dtype=torch.uint8)
    image[0, 0, 4, 4], image[0, 0, 4, 5] = 1, 2  # where the 1 is tells the shift, where the 2 is the flip
    images = Images(image.expand(n, -1, -1, -1).contiguous(), torch.zeros(n, dtype=torch.int64))
    pixels, _ = epoch(images, "crop_flip", permutation(n), n)
    rows = (pixels == 1).flatten(1).int().argmax(1) // 9
    assert set(rows.tolist()) == set(range(9))
    assert rows.bincount().max() < 1.4 * n / 9
    ones, twos = ((pixels == v).any(2).squeeze(1).int() for v in (1, 2))
    both = ones.any(1) & twos.any(1)
    right = (twos.argmax(1) > ones.argmax(1))[both].float().mean()
    assert 0.45 < right.item() < 0.55


def test_the_generator_alone_decides_the_crops_and_not_the_order():
    images = noise(30, 1, 8)
    first, other_crops = (epoch(images, "crop_flip", permutation(30), seed=s)[0] for s in (1, 99))
    assert not torch.equal(first, other_crops)
    assert torch.equal(first, epoch(images, "crop_flip", permutation(30), batch_size=30)[0])
    again = epoch(images, "crop_flip", permutation(30, seed=5))[0]
    assert torch.equal(first[permutation(30).argsort()], again[permutation(30, seed=5).argsort()])
