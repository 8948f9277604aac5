import json
import pickle
from pathlib import Path
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from lt_core import (
    CrossEntropy,
    EffectiveNumber,
    Focal,
    InfluenceBalanced,
    InverseFrequency,
    NoWeights,
    Outputs,
)
from lt_core.losses import Loss
from lt_core.weights import reduce

CASES = json.loads((Path(__file__).parent / "golden" / "losses.json").read_text())["cases"]
GOLDEN = {
    "ce": (CrossEntropy(), NoWeights()),
    "ce_ifw_weighted_mean": (CrossEntropy(), InverseFrequency(reduction="weighted_mean")),
    "ib_alpha1000_eps1e-3_ifw": (InfluenceBalanced(), InverseFrequency()),
    "ib_alpha1000_eps1e-3_cb0.9999": (InfluenceBalanced(), EffectiveNumber()),
    "ib_alpha50_eps1e-3_noweight": (InfluenceBalanced(alpha=50), NoWeights()),
    **{f"focal_softmax_gamma{g}": (Focal(gamma=g), NoWeights()) for g in (0.5, 1.0, 2.0)},
    **{f"cb_softmax_beta{b}": (CrossEntropy(), EffectiveNumber(beta=b)) for b in (0.99, 0.999, 0.9999)},
}
MEMBERS = get_args(get_args(Loss)[0])
LOSSES = [
    *(cls() for cls in MEMBERS),
    Focal(gamma=0),
    Focal(gamma=0.5),
    Focal(gamma=2),
    InfluenceBalanced(detach_weight=True),
]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)


def drawn(n, classes, width=8, seed=0, dtype=torch.float64):
    """Outputs of a network that was never trained, and targets."""
    draw = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, classes, generator=draw, dtype=dtype)
    features = torch.rand(n, width, generator=draw, dtype=dtype)
    return Outputs(logits, features), torch.randint(classes, (n,), generator=draw)


def gradients(value, outputs):
    return torch.autograd.grad(value, outputs, allow_unused=True, materialize_grads=True)


def tracked(outputs):
    return Outputs(*(tensor.detach().clone().requires_grad_() for tensor in outputs))


@pytest.mark.parametrize("case", CASES, ids=["rho100", "rho10"])
@pytest.mark.parametrize("key", GOLDEN)
def test_value_and_gradients_equal_the_official_code(case, key):
    loss, weights = GOLDEN[key]
    expected = case["expected"][key]
    outputs = tracked(Outputs(*(torch.tensor(case[k], dtype=torch.float64) for k in ("logits", "features"))))
    targets = torch.tensor(case["targets"])
    numerator, denominator = reduce(loss(outputs, targets), weights(case["class_counts"])[targets], weights.reduction)
    value = numerator / denominator
    found = dict(zip(("grad_logits", "grad_features"), gradients(value, outputs), strict=True))
    assert value.item() == pytest.approx(expected["loss"], rel=1e-9, abs=1e-9)
    for name in {"grad_logits", "grad_features"} & set(expected):
        wanted = torch.tensor(expected[name], dtype=torch.float64)
        torch.testing.assert_close(found[name], wanted, rtol=1e-9, atol=1e-9)
    assert "grad_logits" in expected


def test_the_influence_balanced_value_of_the_reference():
    logits = torch.tensor([[2, 0.5, -1], [0.1, 0.2, 0.3]], dtype=torch.float64)
    features = torch.tensor([[4.0, 0.0], [1.5, -1.0]], dtype=torch.float64)
    targets = torch.tensor([0, 2])
    weights = InverseFrequency()([100, 10, 5])
    outputs = Outputs(logits, features)
    factor = InfluenceBalanced()(outputs, targets) / CrossEntropy()(outputs, targets)
    value = (weights[targets] * InfluenceBalanced()(outputs, targets)).mean()
    assert weights.tolist() == pytest.approx([0.09677, 0.96774, 1.93548], abs=5e-6)
    assert factor.tolist() == pytest.approx([582.675, 315.939], abs=1e-3)
    assert value.item() == pytest.approx(313.1445, abs=5e-5)


def test_detached_the_gradient_is_that_of_ce_times_the_constant_weight():
    outputs, targets = drawn(6, 4)
    outputs = tracked(outputs)
    ce = CrossEntropy()(outputs, targets)
    detached = InfluenceBalanced(detach_weight=True)(outputs, targets)
    logits, features = gradients(detached.sum(), outputs)
    of_ce = gradients(ce.sum(), outputs)[0]
    torch.testing.assert_close(logits, of_ce * (detached / ce).detach()[:, None])
    assert not features.any()


def test_attached_the_gradient_also_flows_through_the_weight():
    outputs, targets = drawn(6, 4)
    outputs = tracked(outputs)
    attached, detached = (InfluenceBalanced(detach_weight=d)(outputs, targets) for d in (False, True))
    torch.testing.assert_close(attached, detached)
    logits, features = gradients(attached.sum(), outputs)
    assert ((logits - gradients(detached.sum(), outputs)[0]).abs().sum(1) > 1e-3).all()
    assert (features < 0).all()  # it rewards larger features


def test_influence_is_the_gradient_norm_of_the_classifier():
    outputs, targets = drawn(6, 4)
    p = outputs.logits.softmax(1)
    norm = (p - F.one_hot(targets, 4)).abs().sum(1) * outputs.features.abs().sum(1)
    expected = CrossEntropy()(outputs, targets) * 1000 / (norm + 1e-3)
    torch.testing.assert_close(InfluenceBalanced()(outputs, targets), expected)


def test_gamma_0_is_cross_entropy():
    outputs, targets = drawn(20, 5)
    outputs = tracked(outputs)
    focal, ce = Focal(gamma=0)(outputs, targets), CrossEntropy()(outputs, targets)
    torch.testing.assert_close(focal, ce)
    torch.testing.assert_close(gradients(focal.sum(), outputs)[0], gradients(ce.sum(), outputs)[0])


@every_loss
def test_one_loss_per_sample(loss):
    outputs, targets = drawn(6, 4)
    together = loss(outputs, targets)
    alone = [loss(Outputs(outputs.logits[i, None], outputs.features[i, None]), targets[i, None]) for i in range(6)]
    assert together.shape == (6,)
    torch.testing.assert_close(together, torch.cat(alone))


@every_loss
@settings(max_examples=25, deadline=None, derandomize=True)
@given(n=st.integers(1, 6), classes=st.integers(2, 6), seed=st.integers(0, 99))
def test_losses_follow_permutations_of_samples_and_classes(loss, n, classes, seed):
    outputs, targets = drawn(n, classes, seed=seed)
    draw = torch.Generator().manual_seed(seed)
    samples, order = torch.randperm(n, generator=draw), torch.randperm(classes, generator=draw)
    renamed = order.argsort()[targets]
    permuted = Outputs(outputs.logits[:, order][samples], outputs.features[samples])
    torch.testing.assert_close(loss(permuted, renamed[samples]), loss(outputs, targets)[samples])


@every_loss
@pytest.mark.parametrize("size", [1e4, 100.0, 20.0, 0.0])
@pytest.mark.parametrize("width", [1.0, 0.0])
def test_value_and_gradients_stay_finite_on_extreme_logits(loss, size, width):
    logits = torch.tensor([[size, -size, 0], [-size, size, 0], [size, size, size], [0, -size, -size]])
    outputs = tracked(Outputs(logits.repeat(3, 1), torch.full((12, 8), width)))
    targets = torch.arange(3).repeat_interleave(4)
    losses = loss(outputs, targets)
    assert losses.isfinite().all() and (losses >= 0).all()
    assert all(gradient.isfinite().all() for gradient in gradients(losses.sum(), outputs))


@pytest.mark.parametrize("lead", range(6, 14))
def test_the_weight_is_precise_where_a_sample_is_fitted(lead):
    found = []
    for dtype in (torch.float32, torch.float64):
        outputs = tracked(Outputs(torch.tensor([[lead, 0, 0]], dtype=dtype), torch.ones(1, 8, dtype=dtype)))
        losses = InfluenceBalanced(detach_weight=True)(outputs, torch.tensor([0]))
        found.append(gradients(losses.sum(), outputs)[0][0, 1].item())
    assert found[0] == pytest.approx(found[1], rel=1e-5)


@every_loss
def test_a_shift_of_all_logits_changes_nothing(loss):
    outputs, targets = drawn(6, 4)
    shifted = Outputs(outputs.logits + 1000, outputs.features)
    torch.testing.assert_close(loss(shifted, targets), loss(outputs, targets), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if not getattr(loss, "detach_weight", False)], ids=str)
def test_gradcheck(loss):
    outputs, targets = drawn(4, 3)
    assert torch.autograd.gradcheck(lambda *tensors: loss(Outputs(*tensors), targets), tuple(tracked(outputs)))


@every_loss
def test_a_loss_pickles_hashes_and_reads_back(loss):
    assert pickle.loads(pickle.dumps(loss)) == loss == type(loss).load(loss.dump())
    assert hash(loss) == hash(type(loss).load(loss.dump()))


def test_every_loss_has_its_own_symbol_and_kind():
    assert len({cls.symbol for cls in MEMBERS}) == len({cls().kind for cls in MEMBERS}) == len(MEMBERS)
