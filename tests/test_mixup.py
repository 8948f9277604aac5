import pytest
import torch

from lt_core.mixup import mixup

IMAGES = torch.arange(8.0).reshape(8, 1, 1, 1)


def test_each_image_is_blended_with_its_partner():
    mixed = mixup(IMAGES, 1.0, torch.Generator().manual_seed(0))
    assert sorted(mixed.partners.tolist()) == list(range(8))
    assert 0 < mixed.share < 1
    torch.testing.assert_close(mixed.images, mixed.share * IMAGES + (1 - mixed.share) * IMAGES[mixed.partners])


def test_the_draws_come_from_the_generator_alone():
    shares = [mixup(IMAGES, 0.2, torch.Generator().manual_seed(seed)).share for seed in (1, 1, 2)]
    assert shares[0] == shares[1] != shares[2]


@pytest.mark.parametrize(("alpha", "variance"), [(0.2, 1 / 5.6), (1.0, 1 / 12), (8.0, 1 / 68)])
def test_the_share_follows_the_beta_distribution(alpha, variance):
    draws = torch.Generator().manual_seed(0)
    shares = torch.tensor([mixup(IMAGES, alpha, draws).share for _ in range(2000)])
    assert shares.mean().item() == pytest.approx(0.5, abs=0.04)
    assert shares.var().item() == pytest.approx(variance, rel=0.1)
