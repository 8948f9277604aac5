from typing import get_args

import pytest
import torch

from lt_core import LeNet5, ResNet32
from lt_core.models import Model

MODELS = get_args(get_args(Model)[0])
INPUTS = [(1, 8), (1, 28), (3, 32)]


def built(settings, channels, size, classes, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return settings.build(channels, size, classes)


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("settings", "channels", "classes", "count"),
    [(ResNet32(), 3, 10, 464_154), (ResNet32(), 3, 100, 470_004), (LeNet5(), 1, 10, 61_706)],
)
def test_parameter_counts(settings, channels, classes, count):
    assert parameters(built(settings, channels, 32, classes)) == count


@pytest.mark.parametrize("cls", MODELS)
@pytest.mark.parametrize(("channels", "size"), INPUTS)
def test_logits_are_the_classifier_of_the_features(cls, channels, size):
    model = built(cls(), channels, size, 7).eval()
    x = torch.randn(3, channels, size, size, generator=torch.Generator().manual_seed(0))
    logits, features = model(x)
    assert logits.shape == (3, 7) and features.shape[0] == 3 and features.ndim == 2
    assert torch.equal(model.classifier(features), logits)
    assert (features >= 0).all() and features.std() > 0


@pytest.mark.parametrize("cls", MODELS)
def test_every_parameter_gets_a_gradient(cls):
    model = built(cls(), 1, 8, 4)
    model(torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))).logits.square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("cls", MODELS)
def test_the_initialisation_follows_the_seed(cls):
    a, b, c = (built(cls(), 1, 8, 4, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


@pytest.mark.parametrize("cls", MODELS)
def test_an_image_is_classified_alike_in_any_batch(cls):
    model = built(cls(), 1, 8, 4).eval()
    x = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(model(x).logits[2:3], model(x[2:3]).logits, atol=1e-5)


def test_resnet32_has_31_convolutions_and_shortcuts_without_parameters():
    model = built(ResNet32(), 3, 32, 10)
    kernels = [m.kernel_size for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    assert kernels == [(3, 3)] * 31


def test_resnet32_weights_have_the_kaiming_scale():
    model = built(ResNet32(), 3, 32, 10)
    deep = max((m for m in model.modules() if isinstance(m, torch.nn.Conv2d)), key=lambda m: m.in_channels)
    fan_in = deep.weight[0].numel()
    assert deep.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)


def test_resnet32_halves_the_image_twice_and_pads_the_shortcut_with_zeros():
    model = built(ResNet32(), 3, 32, 10).eval()
    block = next(b for b in model.blocks if b.stride == 2)
    torch.nn.init.zeros_(block.norm2.weight)  # leaves the shortcut alone
    x = torch.rand(2, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    y = block(x)
    assert torch.equal(y[:, 8:24], x[:, :, ::2, ::2])
    assert not y[:, :8].any() and not y[:, 24:].any()
    assert model.blocks(torch.zeros(1, 16, 32, 32)).shape == (1, 64, 8, 8)
