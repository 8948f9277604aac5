from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from lt_core import LeNet5, ResNet32, SmallCNN
from lt_core.ghost_batch import GhostBatchNorm2d
from lt_core.heads import CosineHead
from lt_core.models import Model, ResNet, ResNeXt3D

MODELS = get_args(get_args(Model)[0])
IMAGES = [cls for cls in MODELS if not cls.clips]
SMALL = [ResNet32, LeNet5, SmallCNN]
INPUTS = [(1, 8), (1, 28), (3, 32)]


def built(settings, channels, size, classes, seed=0, **where):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return settings.build(channels, size, classes, **where)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def parameters(model):
    return sum(p.numel() for p in model.parameters())


# --- parameter counts: the reference's, torchvision's, and arithmetic ----------------------------------


@pytest.mark.parametrize(
    ("settings", "channels", "classes", "count"),
    [
        (ResNet32(), 3, 10, 464_154),
        (ResNet32(), 3, 100, 470_004),
        (ResNet32(head="cosine"), 3, 10, 464_144),
        (ResNet32(head="cosine"), 3, 100, 469_904),
        (ResNet32(shortcut="average_pool", init="glorot", ghost_batch=32), 3, 10, 464_154),
        (LeNet5(), 1, 10, 61_706),
        (LeNet5(), 1, 2, 61_026),
        (ResNet(depth=10), 3, 1000, 5_418_792),
        (ResNet(depth=18), 3, 1000, 11_689_512),
        (ResNet(depth=50), 3, 1000, 25_557_032),
        (ResNet(depth=101), 3, 1000, 44_549_160),
        (ResNet(depth=152), 3, 1000, 60_192_808),
        (ResNeXt3D(), 3, 19, 47_560_147),
        (ResNeXt3D(), 3, 400, 48_340_816),
    ],
    ids=str,
)
def test_parameter_counts(settings, channels, classes, count):
    with torch.device("meta"):
        assert parameters(settings.build(channels, 32, classes)) == count


def test_the_count_of_the_3d_resnext_by_arithmetic():
    count = 3 * 64 * 7**3 + 2 * 64
    width_in = 64
    for width, blocks in ((128, 3), (256, 4), (512, 23), (1024, 3)):
        count += width_in * 2 * width + 4 * width  # the first block's projection and its norm
        for _ in range(blocks):
            grouped = width * (width // 32) * 27
            count += width_in * width + 2 * width + grouped + 2 * width + width * 2 * width + 4 * width
            width_in = 2 * width
    with torch.device("meta"):
        assert parameters(ResNeXt3D().build(3, 224, 19)) == count + 2048 * 19 + 19


# --- what holds for every network ---------------------------------------------------------------------


@pytest.mark.parametrize("head", ["linear", "cosine"])
@pytest.mark.parametrize("cls", IMAGES)
@pytest.mark.parametrize(("channels", "size"), INPUTS)
def test_logits_are_the_classifier_of_the_features(cls, channels, size, head):
    model = built(cls(head=head), channels, size, 7).eval()
    logits, features = model(drawn(3, channels, size, size))
    assert logits.shape == (3, 7) and features.shape == (3, model.classifier.in_features)
    assert torch.equal(model.classifier(features), logits)
    assert (features >= 0).all() and features.std() > 0


def test_the_3d_resnext_reads_clips():
    model = built(ResNeXt3D(), 3, 32, 5).eval()
    with torch.no_grad():
        logits, features = model(drawn(2, 3, 10, 32, 32))
    assert logits.shape == (2, 5) and features.shape == (2, 2048)
    assert torch.equal(model.classifier(features), logits)
    assert (features >= 0).all() and features.std() > 0


@pytest.mark.slow
def test_every_parameter_of_the_3d_resnext_gets_a_gradient():
    model = built(ResNeXt3D(), 3, 32, 5)
    model(drawn(3, 3, 10, 32, 32)).logits.square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_the_deep_resnets_have_2048_features(depth):
    with torch.device("meta"):
        outputs = ResNet(depth=depth).build(3, 64, 5)(torch.empty(2, 3, 64, 64))
    assert outputs.logits.shape == (2, 5) and outputs.features.shape == (2, 2048)


@pytest.mark.parametrize("head", ["linear", "cosine"])
@pytest.mark.parametrize("cls", IMAGES)
def test_every_parameter_gets_a_gradient(cls, head):
    model = built(cls(head=head), 1, 8, 4)
    model(drawn(5, 1, 8, 8)).logits.square().sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("head", ["linear", "cosine"])
@pytest.mark.parametrize("cls", IMAGES)
def test_the_initialisation_follows_the_seed(cls, head):
    a, b, c = (built(cls(head=head), 1, 8, 4, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["classifier.weight"], c["classifier.weight"])
    assert not all(torch.equal(a[name], c[name]) for name in a if not name.startswith("classifier"))


@pytest.mark.parametrize("cls", IMAGES)
def test_an_image_is_classified_alike_in_any_batch(cls):
    model = built(cls(), 1, 8, 4).eval()
    x = drawn(6, 1, 8, 8)
    assert torch.allclose(model(x).logits[2:3], model(x[2:3]).logits, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("settings", [ResNet32(), ResNet32(shortcut="average_pool", ghost_batch=3), LeNet5()], ids=str)
def test_the_memory_layout_changes_nothing_beyond_rounding(settings, training):
    model = built(settings, 3, 32, 10).train(training)
    x = drawn(6, 3, 32, 32)
    plain = model(x)
    model = built(settings, 3, 32, 10).train(training).to(memory_format=torch.channels_last)
    last = model(x.contiguous(memory_format=torch.channels_last))
    for ours, theirs in zip(last, plain, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-4)


# --- heads --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", MODELS)
def test_no_head_stated_is_a_linear_one_and_the_canonical_form_says_so(cls):
    assert isinstance(cls().new_head(8, 3), torch.nn.Linear)
    assert cls().canonical() == cls(head="linear") == cls(head="linear").canonical()


@pytest.mark.parametrize("cls", MODELS)
def test_a_cosine_head_has_no_bias_to_initialise(cls):
    assert cls(head="cosine", bias_init="prior").canonical() == cls(head="cosine")
    assert cls(head="linear", bias_init="prior").canonical() == cls(head="linear", bias_init="prior")


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_a_cosine_head_gives_cosines(seed, features_scale, weight_scale):
    head = CosineHead(6, 4)
    with torch.no_grad():
        head.weight.copy_(weight_scale * drawn(4, 6, seed=seed))
    features = features_scale * drawn(5, 6, seed=seed + 1)
    logits = head(features)
    assert torch.allclose(logits, F.cosine_similarity(features[:, None], head.weight[None], dim=2), atol=1e-5)
    assert logits.abs().max() <= 1 + 1e-6


def test_a_cosine_head_of_no_feature_gives_zeros():
    assert not CosineHead(6, 4)(torch.zeros(2, 6)).any()


def test_the_weights_of_a_cosine_head_start_on_the_unit_sphere():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weight = CosineHead(64, 1000).weight
    assert torch.allclose(weight.norm(dim=1), torch.ones(1000), atol=1e-5)
    assert weight.abs().max() < (3 / 64) ** 0.5 * 1.35  # from a cube, not from a Gaussian
    assert abs(weight.mean().item()) < 0.005


@pytest.mark.parametrize("cls", MODELS)
@pytest.mark.parametrize(("classes", "bias"), [(2, 0.0), (10, -2.1972246), (100, -4.5951199)])
def test_the_prior_bias_starts_each_class_at_its_share(cls, classes, bias):
    head = cls(bias_init="prior").new_head(8, classes)
    assert head.bias.tolist() == pytest.approx([bias] * classes)
    assert head.bias.sigmoid().tolist() == pytest.approx([1 / classes] * classes)


@pytest.mark.parametrize("settings", [ResNet32(bias_init="prior"), LeNet5(bias_init="prior")], ids=str)
def test_a_network_is_built_with_the_prior_bias(settings):
    assert built(settings, 1, 28, 10).classifier.bias.tolist() == pytest.approx([-2.1972246] * 10)


@pytest.mark.parametrize("head", ["linear", "cosine"])
@pytest.mark.parametrize("cls", IMAGES)
def test_a_network_takes_a_new_head(cls, head):
    model = built(cls(head=head), 1, 8, 4).eval()
    old = model.classifier
    model.classifier = cls(head=head).new_head(old.in_features, 6)
    outputs = model(drawn(3, 1, 8, 8))
    assert type(model.classifier) is type(old) and outputs.logits.shape == (3, 6)
    assert torch.equal(model.classifier(outputs.features), outputs.logits)


@pytest.mark.parametrize("init", ["kaiming", "kaiming_body", "glorot"])
def test_a_new_head_of_resnet32_starts_as_a_built_one_does(init):
    settings = ResNet32(init=init)
    stds = [head.weight.std().item() for head in (settings.new_head(64, 500), built(settings, 3, 8, 500).classifier)]
    expected = {"kaiming": (2 / 64) ** 0.5, "kaiming_body": (1 / 64 / 3) ** 0.5, "glorot": (2 / 564) ** 0.5}
    assert stds == pytest.approx([expected[init]] * 2, rel=0.03)


# --- ResNet-32 ----------------------------------------------------------------------------------------


def test_resnet32_has_31_convolutions_and_shortcuts_without_parameters():
    model = built(ResNet32(), 3, 32, 10)
    kernels = [m.kernel_size for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    assert kernels == [(3, 3)] * 31


@pytest.mark.parametrize(
    ("init", "variance"), [("kaiming", 2 / 576), ("kaiming_body", 2 / 576), ("glorot", 2 / (576 + 576))]
)
def test_resnet32_weights_have_the_scale_of_their_initialisation(init, variance):
    model = built(ResNet32(init=init), 3, 32, 10)
    deep = [m.weight for m in model.modules() if isinstance(m, torch.nn.Conv2d) and m.in_channels == 64]
    assert len(deep) == 9
    for weight in deep:
        assert weight.std().item() == pytest.approx(variance**0.5, rel=0.03)
        assert (weight.abs().max() < (3 * variance) ** 0.5 * 1.001) == (init == "glorot")  # uniform or Gaussian


@pytest.mark.parametrize(("init", "zero"), [("kaiming", False), ("kaiming_body", False), ("glorot", True)])
def test_resnet32_bias_starts_at_zero_in_the_code_of_cb_only(init, zero):
    bias = built(ResNet32(init=init), 3, 32, 10).classifier.bias
    assert bias.abs().max() <= 1 / 8
    assert (not bias.any()) == zero


def shortcut_of(settings, size):
    """A block that doubles 16 channels, with its convolutions switched off, and what goes in and comes out."""
    model = built(settings, 3, 32, 10).eval()
    block = next(b for b in model.blocks if b.stride == 2)
    torch.nn.init.zeros_(block.norm2.weight)
    x = torch.rand(2, 16, size, size, generator=torch.Generator().manual_seed(0))
    y = block(x)
    assert not y[:, :8].any() and not y[:, 24:].any()
    return x, y[:, 8:24]


def test_resnet32_halves_the_image_twice_and_pads_the_shortcut_with_zeros():
    x, y = shortcut_of(ResNet32(), 8)
    assert torch.equal(y, x[:, :, ::2, ::2])
    assert built(ResNet32(), 3, 32, 10).blocks(torch.zeros(1, 16, 32, 32)).shape == (1, 64, 8, 8)


def test_the_pooled_shortcut_is_the_mean_of_2_by_2_pixels():
    x, y = shortcut_of(ResNet32(shortcut="average_pool"), 8)
    assert torch.allclose(y, x.reshape(2, 16, 4, 2, 4, 2).mean((3, 5)))


def test_the_pooled_shortcut_of_an_odd_image_averages_what_there_is():
    x, y = shortcut_of(ResNet32(shortcut="average_pool"), 7)
    assert y.shape == (2, 16, 4, 4)
    assert torch.allclose(y[:, :, :3, :3], x[:, :, :6, :6].reshape(2, 16, 3, 2, 3, 2).mean((3, 5)))
    assert torch.equal(y[:, :, 3, 3], x[:, :, 6, 6])


# --- ghost batches ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [6, 100])
def test_a_ghost_batch_that_holds_the_batch_is_plain_normalisation(size):
    plain, ghost = (built(ResNet32(ghost_batch=n), 3, 16, 10).train() for n in (None, size))
    x = drawn(6, 3, 16, 16)
    assert torch.equal(plain(x).logits, ghost(x).logits)
    for a, b in zip(plain.state_dict().values(), ghost.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_ghost_batches_are_the_batches_of_several_gpus():
    whole, *replicas = (built(ResNet32(ghost_batch=n), 3, 16, 10).train() for n in (4, None, None, None))
    x = drawn(10, 3, 16, 16)
    alone = [replica(chunk).logits for replica, chunk in zip(replicas, x.split(4), strict=True)]
    assert torch.allclose(whole(x).logits, torch.cat(alone), atol=1e-5)
    for name, buffer in whole.named_buffers():
        assert torch.allclose(buffer, replicas[0].get_buffer(name), atol=1e-6), name


def test_ghost_batches_give_the_gradients_of_several_gpus():
    ghost, plain = GhostBatchNorm2d(3, 2), torch.nn.BatchNorm2d(3)
    x, y = drawn(5, 3, 4, 4).requires_grad_(), drawn(5, 3, 4, 4).requires_grad_()
    y.data.copy_(x.data)
    ghost(x).pow(3).sum().backward()
    torch.cat([plain(chunk) for chunk in y.split(2)]).pow(3).sum().backward()
    assert torch.allclose(x.grad, y.grad, atol=1e-5)
    assert torch.allclose(ghost.weight.grad, plain.weight.grad, atol=1e-4)


def test_ghost_batches_are_for_training_only():
    plain, ghost = (built(ResNet32(ghost_batch=n), 3, 16, 10).eval() for n in (None, 2))
    x = drawn(5, 3, 16, 16)
    assert torch.equal(plain(x).logits, ghost(x).logits)


# --- ImageNet-size networks ---------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [10, 18])
def test_resnet_convolutions_start_at_their_fan_out(depth):
    model = built(ResNet(depth=depth), 3, 64, 10)
    for conv in (m for m in model.modules() if isinstance(m, torch.nn.Conv2d) and m.weight.numel() > 30_000):
        variance = 2 / (conv.kernel_size[0] ** 2 * conv.out_channels)
        assert conv.weight.std().item() == pytest.approx(variance**0.5, rel=0.03)


def test_a_resnet_for_grey_images_has_a_stem_of_one_channel_at_the_same_scale():
    stem = built(ResNet(), 1, 64, 10).body.conv1
    assert stem.weight.shape == (64, 1, 7, 7)
    assert stem.weight.std().item() == pytest.approx((2 / (49 * 64)) ** 0.5, rel=0.05)


def test_resnet_18_is_torchvisions():
    from torchvision.models import resnet18

    theirs = resnet18(num_classes=5).eval()
    ours = built(ResNet(depth=18), 3, 64, 5).eval()
    ours.body.load_state_dict({n: t for n, t in theirs.state_dict().items() if not n.startswith("fc.")})
    ours.classifier.load_state_dict(theirs.fc.state_dict())
    x = drawn(2, 3, 64, 64)
    assert torch.equal(ours(x).logits, theirs(x))


def test_the_3d_resnext_keeps_the_frames_in_its_stem_and_projects_where_the_width_grows():
    with torch.device("meta"):
        body = ResNeXt3D().build(3, 224, 19).body
        x = body.conv1(torch.empty(1, 3, 10, 224, 224))
        assert x.shape == (1, 64, 10, 112, 112)
        shapes = []
        x = F.max_pool3d(x, 3, stride=2, padding=1)
        for layer in (body.layer1, body.layer2, body.layer3, body.layer4):
            x = layer(x)
            shapes.append((len(layer), *x.shape[1:]))
            assert [block.downsample is not None for block in layer] == [True] + [False] * (len(layer) - 1)
            assert all(block.conv2.groups == 32 for block in layer)
    assert shapes == [(3, 256, 5, 56, 56), (4, 512, 3, 28, 28), (23, 1024, 2, 14, 14), (3, 2048, 1, 7, 7)]
