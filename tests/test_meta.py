import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from lt_core.meta import LearningToReweight, MetaWeightNet, virtual_step


class Task:
    """A small network with batch statistics in float64, a batch, and a meta batch."""

    def __init__(self, seed=0):
        torch.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3)).double()
        self.x, self.y = torch.randn(7, 4).double(), torch.randint(3, (7,))
        self.meta_x, self.meta_y = torch.randn(5, 4).double(), torch.randint(3, (5,))
        self.parameters = dict(self.model.named_parameters())

    def losses(self, parameters):
        return F.cross_entropy(self._logits(parameters, self.x), self.y, reduction="none")

    def meta_loss(self, parameters):
        return F.cross_entropy(self._logits(parameters, self.meta_x), self.meta_y)

    def _logits(self, parameters, x):
        buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
        return functional_call(self.model, {**parameters, **buffers}, (x,))

    def weights(self, reweighter, lr=0.1):
        return reweighter.weights(self.parameters, self.losses, self.meta_loss, lr)


def test_l2rw_weighs_by_the_numerical_derivative_of_the_meta_loss():
    task, h = Task(), 1e-5

    def meta_loss_after(epsilon):
        return task.meta_loss(virtual_step(task.parameters, (epsilon * task.losses(task.parameters)).sum(), 1.0)).item()

    steps = h * torch.eye(7, dtype=torch.float64)
    slopes = torch.tensor([(meta_loss_after(e) - meta_loss_after(-e)) / (2 * h) for e in steps], dtype=torch.float64)
    expected = (-slopes).clamp_min(0)
    assert 0 < (expected > 0).sum() < 7  # some samples help, some do not
    torch.testing.assert_close(task.weights(LearningToReweight().build(torch.device("cpu"))), expected / expected.sum())


def test_l2rw_gives_zeros_where_no_sample_helps():
    task = Task()
    task.meta_x, task.meta_y = task.x[:1], task.y[:1]
    task.model.eval()
    losses, task.losses = task.losses, lambda parameters: -losses(parameters)
    task.x, task.y = task.x[:1], task.y[:1]
    assert task.weights(LearningToReweight().build(torch.device("cpu"))).tolist() == [0.0]


def test_meta_weight_nets_gradient_is_the_numerical_derivative_through_the_virtual_step():
    task, h = Task(), 1e-6
    torch.manual_seed(1)
    reweighter = MetaWeightNet(hidden=5, lr=1.0, momentum=0.0, nesterov=False, weight_decay=0.0).build(
        torch.device("cpu")
    )
    net = reweighter.net.double()
    before = nn.utils.parameters_to_vector(net.parameters()).detach().clone()

    def meta_loss_at(vector):
        nn.utils.vector_to_parameters(vector, net.parameters())
        values = task.losses(task.parameters)
        w = net(values.detach()[:, None])[:, 0]
        return task.meta_loss(virtual_step(task.parameters, (w / w.sum() * values).sum(), 0.1)).item()

    steps = h * torch.eye(len(before), dtype=torch.float64)
    slopes = torch.tensor([(meta_loss_at(before + e) - meta_loss_at(before - e)) / (2 * h) for e in steps])
    nn.utils.vector_to_parameters(before.clone(), net.parameters())
    weights = task.weights(reweighter)
    moved = before - nn.utils.parameters_to_vector(net.parameters()).detach()
    torch.testing.assert_close(moved, slopes.double(), rtol=1e-4, atol=1e-9)
    assert slopes.abs().max() > 1e-6
    assert weights.sum().item() == pytest.approx(1) and not weights.requires_grad


@pytest.mark.parametrize("settings", [LearningToReweight(), MetaWeightNet()])
def test_weights_are_detached_and_leave_the_network_and_its_gradients_alone(settings):
    task = Task()
    task.model.float()
    task.x, task.meta_x = task.x.float(), task.meta_x.float()
    state = {name: tensor.clone() for name, tensor in task.model.state_dict().items()}
    weights = task.weights(settings.build(torch.device("cpu")))
    assert weights.shape == (7,) and not weights.requires_grad and (weights >= 0).all()
    assert all(parameter.grad is None for parameter in task.model.parameters())
    assert all(torch.equal(tensor, state[name]) for name, tensor in task.model.state_dict().items())


def test_a_saved_meta_weight_net_goes_on_where_it_was():
    found = []
    for stop in (False, True):
        task = Task()
        task.model.float()
        task.x, task.meta_x = task.x.float(), task.meta_x.float()
        torch.manual_seed(3)
        reweighter = MetaWeightNet(lr=0.1).build(torch.device("cpu"))
        task.weights(reweighter)
        if stop:
            state = reweighter.state_dict()
            torch.manual_seed(4)
            reweighter = MetaWeightNet(lr=0.1).build(torch.device("cpu"))
            reweighter.load_state_dict(state)
        found.append(task.weights(reweighter))
    assert torch.equal(*found)


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ValueError, match="nesterov: true needs momentum above 0"):
        MetaWeightNet(momentum=0.0)
