import json
import pickle
from pathlib import Path
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from lt_core import EffectiveNumber, InverseFrequency, NoWeights, Outputs
from lt_core.losses import (
    LDAM,
    CrossEntropy,
    Equalization,
    Focal,
    Given,
    InfluenceBalanced,
    LogitAdjusted,
    Loss,
    SigmoidCrossEntropy,
    SigmoidEqualization,
    SigmoidFocal,
    VectorScaling,
)
from lt_core.weights import reduce

CASES = json.loads((Path(__file__).parent / "golden" / "losses.json").read_text())["cases"]
CB = {beta: EffectiveNumber(beta=beta) for beta in (0.99, 0.999, 0.9999)}
GOLDEN = {
    "ce": (CrossEntropy(), NoWeights()),
    "ce_ifw_weighted_mean": (CrossEntropy(), InverseFrequency(reduction="weighted_mean")),
    "ib_alpha1000_eps1e-3_ifw": (InfluenceBalanced(), InverseFrequency()),
    "ib_alpha1000_eps1e-3_cb0.9999": (InfluenceBalanced(), EffectiveNumber()),
    "ib_alpha50_eps1e-3_noweight": (InfluenceBalanced(alpha=50), NoWeights()),
    "ib_focal_alpha1000_gamma1_ifw": (InfluenceBalanced(gamma=1), InverseFrequency()),
    **{f"focal_softmax_gamma{g}": (Focal(gamma=g), NoWeights()) for g in (0.5, 1.0, 2.0)},
    "focal_softmax_gamma1_ifw_weight_in_exponent": (Focal(weight_in_exponent=True), InverseFrequency()),
    "ldam_m0.5_s30": (LDAM(), NoWeights()),
    "ldam_m0.5_s30_cb0.9999_weighted_mean": (LDAM(), EffectiveNumber(reduction="weighted_mean")),
    **{f"cb_softmax_beta{beta}": (CrossEntropy(), weights) for beta, weights in CB.items()},
    **{f"cb_sigmoid_beta{beta}": (SigmoidCrossEntropy(), weights) for beta, weights in CB.items()},
    **{
        f"cb_focal_sigmoid_beta{beta}_gamma{g}": (SigmoidFocal(gamma=g), weights)
        for beta, weights in CB.items()
        for g in (0.5, 1.0, 2.0)
    },
}
MEMBERS = get_args(get_args(Loss)[0])
LOSSES = [
    *(cls() for cls in MEMBERS),
    Focal(gamma=0),
    Focal(gamma=0.5),
    Focal(gamma=2),
    Focal(weight_in_exponent=True, scale=10),
    Focal(detach_modulator=True),
    SigmoidFocal(gamma=0.5),
    InfluenceBalanced(detach_weight=True),
    InfluenceBalanced(gamma=1),
    InfluenceBalanced(gamma=0.5, weight_in_exponent=False),
    InfluenceBalanced(norm="l2"),
    InfluenceBalanced(norm="linf"),
    InfluenceBalanced(denominator="epsilon"),
    Equalization(lambda_=0.3, gamma=1),
    SigmoidEqualization(lambda_=0.3, gamma=1),
]
DETACHED = ("detach_weight", "detach_modulator")
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)


def long_tail(classes, dtype=torch.float64, **changed):
    """What a loss is given of classes that halve from 640 images on, with weights that grow."""
    counts = torch.tensor([640 / 2**c for c in range(classes)], dtype=dtype)
    weights = torch.linspace(0.2, 1.8, classes, dtype=dtype)
    return Given(counts, weights, torch.Generator().manual_seed(5))._replace(**changed)


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
    logits = "cosines" if isinstance(loss, LDAM) else "logits"
    outputs = tracked(Outputs(*(torch.tensor(case[k], dtype=torch.float64) for k in (logits, "features"))))
    targets, w = torch.tensor(case["targets"]), weights(case["class_counts"])
    counts = torch.tensor(case["class_counts"], dtype=torch.float64)
    losses = loss(outputs, targets, long_tail(10, counts=counts, weights=w))
    numerator, denominator = reduce(losses, w[targets], weights.reduction)
    value = numerator / denominator
    found = dict(zip(("grad_logits", "grad_features"), gradients(value, outputs), strict=True))
    assert value.item() == pytest.approx(expected["loss"], rel=1e-9, abs=1e-9)
    for name in {"grad_logits", "grad_features"} & set(expected):
        wanted = torch.tensor(expected[name], dtype=torch.float64)
        torch.testing.assert_close(found[name], wanted, rtol=1e-9, atol=1e-9)
    assert {"loss", "grad_logits"} <= set(expected) <= {"loss", "grad_logits", "grad_features"}


@pytest.mark.parametrize("case", CASES, ids=["rho100", "rho10"])
def test_every_golden_value_is_compared(case):
    assert set(case["expected"]) == set(GOLDEN)


def test_the_influence_balanced_values_of_the_reference():
    logits = torch.tensor([[2, 0.5, -1], [0.1, 0.2, 0.3]], dtype=torch.float64)
    features = torch.tensor([[4.0, 0.0], [1.5, -1.0]], dtype=torch.float64)
    targets = torch.tensor([0, 2])
    weights = InverseFrequency()([100, 10, 5])
    outputs, context = Outputs(logits, features), long_tail(3, weights=weights)
    losses = InfluenceBalanced()(outputs, targets, context)
    focal = InfluenceBalanced(gamma=1)(outputs, targets, context)
    factor = losses / CrossEntropy()(outputs, targets, context)
    assert weights.tolist() == pytest.approx([0.09677, 0.96774, 1.93548], abs=5e-6)
    assert factor.tolist() == pytest.approx([582.675, 315.939], abs=1e-3)
    assert (weights[targets] * losses).mean().item() == pytest.approx(313.1445, abs=5e-5)
    assert (weights[targets] * focal).mean().item() == pytest.approx(262.4423, abs=5e-5)


# --- IB: its weight is the gradient's norm ----------------------------------------------------------


def test_detached_the_gradient_is_that_of_ce_times_the_constant_weight():
    outputs, targets = drawn(6, 4)
    outputs, context = tracked(outputs), long_tail(4)
    ce = CrossEntropy()(outputs, targets, context)
    detached = InfluenceBalanced(detach_weight=True)(outputs, targets, context)
    logits, features = gradients(detached.sum(), outputs)
    of_ce = gradients(ce.sum(), outputs)[0]
    torch.testing.assert_close(logits, of_ce * (detached / ce).detach()[:, None])
    assert not features.any()


def test_attached_the_gradient_also_flows_through_the_weight():
    outputs, targets = drawn(6, 4)
    outputs, context = tracked(outputs), long_tail(4)
    attached, detached = (InfluenceBalanced(detach_weight=d)(outputs, targets, context) for d in (False, True))
    torch.testing.assert_close(attached, detached)
    logits, features = gradients(attached.sum(), outputs)
    assert ((logits - gradients(detached.sum(), outputs)[0]).abs().sum(1) > 1e-3).all()
    assert (features < 0).all()  # it rewards larger features


@pytest.mark.parametrize(("norm", "order"), [("l1", 1), ("l2", 2), ("linf", float("inf"))])
def test_influence_is_the_norm_of_the_classifiers_gradient(norm, order):
    """IB equation 4: the gradient of one sample's CE by the classifier's weights is (p - y) h^T."""
    outputs, targets = drawn(6, 4)
    weight = torch.randn(4, 8, dtype=torch.float64, requires_grad=True)
    logits = outputs.features @ weight.T
    losses = F.cross_entropy(logits, targets, reduction="none")
    by_autograd = [torch.autograd.grad(one, weight, retain_graph=True)[0] for one in losses]
    influence = torch.stack([gradient.flatten().norm(order) for gradient in by_autograd])
    found = InfluenceBalanced(norm=norm)(Outputs(logits, outputs.features), targets, long_tail(4))
    torch.testing.assert_close(found, losses * 1000 / (influence + 1e-3))


@pytest.mark.parametrize("order", [1, 2, float("inf")])
def test_the_closed_form_of_the_classifiers_gradient_holds_for_sigmoid_cross_entropy(order):
    outputs, targets = drawn(6, 4)
    weight = torch.randn(4, 8, dtype=torch.float64, requires_grad=True)
    logits = outputs.features @ weight.T
    losses = SigmoidCrossEntropy()(Outputs(logits, outputs.features), targets, long_tail(4))
    by_autograd = [torch.autograd.grad(one, weight, retain_graph=True)[0].flatten().norm(order) for one in losses]
    errors = logits.sigmoid() - F.one_hot(targets, 4)
    closed = torch.linalg.vector_norm(errors, order, dim=1) * torch.linalg.vector_norm(outputs.features, order, dim=1)
    torch.testing.assert_close(torch.stack(by_autograd), closed)


def test_without_the_influence_the_denominator_is_epsilon_alone():
    outputs, targets = drawn(6, 4)
    alone = InfluenceBalanced(denominator="epsilon")(outputs, targets, long_tail(4))
    torch.testing.assert_close(alone, 1e6 * CrossEntropy()(outputs, targets, long_tail(4)))


@pytest.mark.parametrize("lead", range(6, 14))
def test_the_weight_is_precise_where_a_sample_is_fitted(lead):
    found = []
    for dtype in (torch.float32, torch.float64):
        outputs = tracked(Outputs(torch.tensor([[lead, 0, 0]], dtype=dtype), torch.ones(1, 8, dtype=dtype)))
        losses = InfluenceBalanced(detach_weight=True)(outputs, torch.tensor([0]), long_tail(3, dtype))
        found.append(gradients(losses.sum(), outputs)[0][0, 1].item())
    assert found[0] == pytest.approx(found[1], rel=1e-5)


# --- special cases ----------------------------------------------------------------------------------

UNIFORM = torch.full((5,), 40.0, dtype=torch.float64)
SAME = [
    (Focal(gamma=0), CrossEntropy(), {}),
    (Focal(gamma=2, weight_in_exponent=True), Focal(gamma=2), {"weights": torch.ones(5, dtype=torch.float64)}),
    (SigmoidFocal(gamma=0), SigmoidCrossEntropy(), {}),
    (LDAM(max_m=0, s=1), CrossEntropy(), {}),
    (LogitAdjusted(tau=0), CrossEntropy(), {}),
    (LogitAdjusted(tau=2), CrossEntropy(), {"counts": UNIFORM}),
    (VectorScaling(gamma=0, tau=0), CrossEntropy(), {}),
    (VectorScaling(gamma=0, tau=1), LogitAdjusted(tau=1), {}),
    (VectorScaling(gamma=3, tau=2), CrossEntropy(), {"counts": UNIFORM}),
    (Equalization(lambda_=0.001), CrossEntropy(), {}),
    (Equalization(lambda_=0.9, gamma=0), CrossEntropy(), {}),
    (SigmoidEqualization(lambda_=0.001), SigmoidCrossEntropy(), {}),
    (SigmoidEqualization(lambda_=0.9, gamma=0), SigmoidCrossEntropy(), {}),
    (InfluenceBalanced(gamma=1, weight_in_exponent=True), InfluenceBalanced(gamma=1, weight_in_exponent=False),
     {"weights": torch.ones(5, dtype=torch.float64)}),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "other", "changed"), SAME, ids=lambda value: str(value)[:60])
def test_a_special_case_is_the_loss_it_reduces_to(loss, other, changed):
    outputs, targets = drawn(20, 5)
    outputs = tracked(outputs)
    found, expected = (one(outputs, targets, long_tail(5, **changed)) for one in (loss, other))
    torch.testing.assert_close(found, expected)
    for a, b in zip(gradients(found.sum(), outputs), gradients(expected.sum(), outputs), strict=True):
        torch.testing.assert_close(a, b)


def test_balanced_softmax_weighs_each_exponential_by_its_class_count():
    outputs, targets = drawn(20, 5)
    context = long_tail(5)
    exponentials = context.counts * outputs.logits.exp()
    expected = -(exponentials / exponentials.sum(1, keepdim=True)).gather(1, targets[:, None])[:, 0].log()
    torch.testing.assert_close(LogitAdjusted()(outputs, targets, context), expected)


def test_ldam_gives_the_rarest_class_the_largest_margin():
    margins = LDAM(max_m=0.3).margins(torch.tensor([5000.0, 387.0, 50.0], dtype=torch.float64))
    assert margins[-1].item() == pytest.approx(0.3)
    assert (margins / 0.3).tolist() == pytest.approx([(50 / n) ** 0.25 for n in (5000, 387, 50)])


@pytest.mark.parametrize("case", CASES, ids=["rho100", "rho10"])
def test_ldams_margins_equal_the_golden_values(case):
    found = LDAM().margins(torch.tensor(case["class_counts"], dtype=torch.float64))
    expected = torch.tensor(case["weights"]["ldam_margins_max0.5"], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_equalization_spares_rare_classes_the_samples_of_others_only():
    outputs, targets = drawn(400, 5)
    outputs, context = tracked(outputs), long_tail(5)
    loss = Equalization(lambda_=context.prior[2].item(), gamma=1)  # classes 3 and 4 are rare
    found = gradients(loss(outputs, targets, context).sum(), outputs)[0]
    rare, own = torch.arange(5) >= 3, F.one_hot(targets, 5).bool()
    assert not found[rare & ~own].any()
    assert found[~rare | own].all()


def test_equalization_draws_for_each_sample_and_class_and_detection_once_for_the_batch():
    outputs, targets = drawn(4000, 5)
    spared = []
    for seed in range(20):
        context = long_tail(5, draws=torch.Generator().manual_seed(seed))
        plain = SigmoidCrossEntropy()(outputs, targets, context)
        one_draw = SigmoidEqualization(lambda_=0.1, gamma=0.5)(outputs, targets, context)
        spared.append(bool((plain != one_draw).any()))
    assert 3 < sum(spared) < 17  # all or nothing, in about half of the batches
    drawn_each = Equalization(lambda_=0.1, gamma=0.5)(outputs, targets, long_tail(5))
    share = (drawn_each != CrossEntropy()(outputs, targets, long_tail(5)))[targets < 3].double().mean().item()
    assert 0.7 < share < 0.8  # two rare classes, each spared half of the time


# --- the contract of every loss ---------------------------------------------------------------------


@every_loss
def test_one_loss_per_sample(loss):
    outputs, targets = drawn(6, 4)
    together = loss(outputs, targets, long_tail(4))
    assert together.shape == (6,) and together.dtype == torch.float64
    if isinstance(loss, Equalization):
        return  # its draws differ by position
    alone = [
        loss(Outputs(outputs.logits[i, None], outputs.features[i, None]), targets[i, None], long_tail(4))
        for i in range(6)
    ]
    torch.testing.assert_close(together, torch.cat(alone))


@every_loss
@settings(max_examples=25, deadline=None, derandomize=True)
@given(n=st.integers(1, 6), classes=st.integers(2, 6), seed=st.integers(0, 99))
def test_losses_follow_permutations_of_samples_and_classes(loss, n, classes, seed):
    if isinstance(loss, Equalization):
        loss = loss.model_copy(update={"gamma": 1.0})  # no luck in it
    outputs, targets = drawn(n, classes, seed=seed)
    draw = torch.Generator().manual_seed(seed)
    samples, order = torch.randperm(n, generator=draw), torch.randperm(classes, generator=draw)
    renamed, context = order.argsort()[targets], long_tail(classes)
    permuted = Outputs(outputs.logits[:, order][samples], outputs.features[samples])
    reordered = long_tail(classes, counts=context.counts[order], weights=context.weights[order])
    found = loss(permuted, renamed[samples], reordered)
    torch.testing.assert_close(found, loss(outputs, targets, context)[samples])


@every_loss
@pytest.mark.parametrize("size", [1e4, 100.0, 20.0, 0.0])
@pytest.mark.parametrize("width", [1.0, 0.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_value_and_gradients_stay_finite_on_extreme_logits(loss, size, width, dtype):
    logits = torch.tensor([[size, -size, 0], [-size, size, 0], [size, size, size], [0, -size, -size]], dtype=dtype)
    outputs = tracked(Outputs(logits.repeat(3, 1), torch.full((12, 8), width, dtype=dtype)))
    targets = torch.arange(3).repeat_interleave(4)
    losses = loss(outputs, targets, long_tail(3, dtype))
    assert losses.isfinite().all() and (losses >= 0).all()
    assert all(gradient.isfinite().all() for gradient in gradients(losses.sum(), outputs))


@every_loss
@pytest.mark.parametrize("classes", [2, 100])
def test_float32_comes_close_to_float64(loss, classes):
    found = []
    for dtype in (torch.float32, torch.float64):
        outputs, targets = drawn(40, classes)
        outputs = tracked(Outputs(*(tensor.to(dtype) for tensor in outputs)))
        losses = loss(outputs, targets, long_tail(classes, dtype))
        found.append([losses.double(), gradients(losses.sum(), outputs)[0].double()])
    for single, double in zip(*found, strict=True):
        torch.testing.assert_close(single, double, rtol=2e-4, atol=2e-4 * double.abs().max().item())


SHIFTLESS = (SigmoidCrossEntropy, SigmoidFocal, SigmoidEqualization, VectorScaling)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if not isinstance(loss, SHIFTLESS)], ids=str)
def test_a_shift_of_all_logits_changes_nothing_in_a_softmax(loss):
    outputs, targets = drawn(6, 4)
    shifted = Outputs(outputs.logits + 1000, outputs.features)
    found, expected = (loss(one, targets, long_tail(4)) for one in (shifted, outputs))
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("loss", [x for x in LOSSES if not any(getattr(x, d, False) for d in DETACHED)], ids=str)
def test_gradcheck(loss):
    outputs, targets = drawn(4, 3)
    assert torch.autograd.gradcheck(
        lambda *tensors: loss(Outputs(*tensors), targets, long_tail(3)), tuple(tracked(outputs))
    )


@every_loss
def test_a_loss_pickles_hashes_and_reads_back(loss):
    assert pickle.loads(pickle.dumps(loss)) == loss == type(loss).load(loss.dump())
    assert hash(loss) == hash(type(loss).load(loss.dump()))


def test_every_loss_has_its_own_symbol_and_kind():
    assert len({cls().symbol for cls in MEMBERS}) == len({cls().kind for cls in MEMBERS}) == len(MEMBERS)


def test_lambda_is_spelled_as_in_the_paper():
    assert Equalization().plain()["lambda"] == 0.005
    assert Equalization.load("lambda: 0.1") == Equalization(lambda_=0.1)
