import pytest
import torch
import torch.nn.functional as F

from lt_core import LeNet5, Outputs, ResNet32, SmallCNN
from lt_core.influence import influence

CLASSES = 5


@pytest.fixture
def images():
    return torch.randn(7, 3, 16, 16, generator=torch.Generator().manual_seed(0))


TARGETS = torch.tensor([0, 1, 2, 3, 4, 0, 1])


def built(settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return settings.build(3, 16, CLASSES)


@pytest.mark.parametrize("settings", [ResNet32(), LeNet5(), SmallCNN()], ids=str)
def test_influence_is_the_size_of_the_classifiers_gradient(settings, images):
    model = built(settings).eval()
    expected = []
    for x, y in zip(images, TARGETS, strict=True):
        loss = F.cross_entropy(model(x[None]).logits, y[None])
        (gradient,) = torch.autograd.grad(loss, model.classifier.weight)
        expected.append(gradient.abs().sum().item())
    found = influence(model, [(images, TARGETS)])
    assert found.shape == (7,) and found.tolist() == pytest.approx(expected, rel=1e-4)


def test_influence_is_the_distance_of_p_to_y_times_the_size_of_h(images):
    model = built(ResNet32()).eval()
    logits, features = model(images)
    distance = (logits.softmax(1) - F.one_hot(TARGETS, CLASSES)).abs().sum(1)
    expected = distance * features.abs().sum(1)
    assert torch.allclose(influence(model, [(images, TARGETS)]), expected, rtol=1e-5)


def test_influence_keeps_the_order_of_the_batches(images):
    model = built(ResNet32())
    whole = influence(model, [(images, TARGETS)])
    cut = influence(model, zip(images.split(3), TARGETS.split(3), strict=True))
    assert torch.allclose(whole, cut, rtol=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_influence_leaves_the_network_as_it_was(images, training):
    model = built(ResNet32()).train(training)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = influence(model, [(images, TARGETS)])
    assert model.training == training and not found.requires_grad
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_well_learnt_sample_has_an_exact_influence():
    class Sure(torch.nn.Module):
        def forward(self, x):
            return Outputs(torch.tensor([[40.0, 0.0, 0.0]]), torch.tensor([[3.0, 0.0, 2.0]]))

    found = influence(Sure(), [(torch.zeros(1), torch.tensor([0]))]).item()
    assert found == pytest.approx(
        2 * 5 * 2 * 4.248354255291589e-18, rel=1e-5, abs=0
    )  # 1 - p_y is below float32's rounding
