import pytest
import torch

from lt_core.images import Images
from lt_core.normalisation import PRESETS, Normalisation, measured

RAW = torch.tensor([0.0, 64.0, 128.0, 255.0])


def normalised(preset):
    mean, std = PRESETS[preset]
    return ((RAW / 255 - mean[0]) / std[0]).tolist()


def test_signed_and_half_are_as_the_papers_say():
    assert normalised("signed") == pytest.approx((RAW / 128 - 1).tolist(), abs=1e-6)
    assert normalised("half") == pytest.approx((RAW / 255 - 0.5).tolist(), abs=1e-6)
    assert normalised("meta_weight_net") == pytest.approx(((RAW - 125.3) / 63.0).tolist(), abs=1e-5)


def test_one_value_serves_every_channel():
    assert Normalisation((0.5,), (1.0,)).over(3) == ((0.5,) * 3, (1.0,) * 3)
    assert PRESETS["imagenet"].over(3) == PRESETS["imagenet"]


def test_measured_is_the_mean_and_deviation_of_each_channel():
    pixels = torch.randint(0, 256, (20, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    pixels[:, 1] //= 3
    pixels[:, 2] = 7
    mean, std = measured(Images(pixels, torch.zeros(20)))
    flat = (pixels.double() / 255).transpose(0, 1).flatten(1)
    assert mean == pytest.approx(flat.mean(1).tolist(), abs=1e-4)
    assert std[:2] == pytest.approx(flat.std(1, correction=0)[:2].tolist(), abs=1e-4) and std[2] > 0
