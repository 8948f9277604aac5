import json
from decimal import Decimal, localcontext
from pathlib import Path
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from lt_core.weights import (
    CifarCodeTau,
    ClassDifficulty,
    EffectiveNumber,
    FixedTau,
    ImageNetCodeTau,
    InverseFrequency,
    NoWeights,
    PaperTau,
    Weights,
    reduce,
)

CASES = json.loads((Path(__file__).parent / "golden" / "losses.json").read_text())["cases"]
MEMBERS = get_args(get_args(Weights)[0])
GOLDEN = {
    "inverse_frequency": InverseFrequency(),
    "sqrt_inverse_frequency": InverseFrequency(power=0.5),
    **{f"cdb_tau_{tau}": ClassDifficulty(tau=FixedTau(value=tau)) for tau in (0.5, 1.0, 1.5, 2.0, 5.0)},
    "cdb_tau_dynamic_official_cifar_code": ClassDifficulty(tau=CifarCodeTau()),
    "cdb_tau_dynamic_paper_sum_C": ClassDifficulty(tau=PaperTau()),
    "cdb_tau_dynamic_paper_raw": ClassDifficulty(tau=PaperTau(), sum_to_c=False),
    **{f"effective_number_beta{beta}": EffectiveNumber(beta=beta) for beta in (0.9, 0.99, 0.999, 0.9999)},
}
COUNTS = st.lists(st.integers(1, 10_000), min_size=1, max_size=20)
examples = settings(max_examples=100, deadline=None, derandomize=True)


@pytest.mark.parametrize("case", CASES, ids=["rho100", "rho10"])
@pytest.mark.parametrize("key", GOLDEN)
def test_weights_equal_the_golden_values(case, key):
    weights = GOLDEN[key](case["class_counts"], torch.tensor(case["class_accuracy"], dtype=torch.float64))
    expected = torch.tensor(case["weights"][key], dtype=torch.float64)
    torch.testing.assert_close(weights, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", CASES, ids=["rho100", "rho10"])
def test_every_golden_value_is_compared(case):
    assert set(case["weights"]) - {"ldam_margins_max0.5"} == set(GOLDEN)  # those are a loss's


@pytest.mark.parametrize("cls", MEMBERS)
@examples
@given(counts=COUNTS)
def test_weights_are_positive_and_sum_to_the_number_of_classes(cls, counts):
    weights = cls()(counts)
    assert weights.shape == (len(counts),) and weights.dtype == torch.float64
    assert (weights > 0).all() and weights.sum().item() == pytest.approx(len(counts))


@pytest.mark.parametrize("cls", MEMBERS)
@examples
@given(counts=COUNTS)
def test_a_rarer_class_never_weighs_less(cls, counts):
    by_count = cls()(sorted(counts))
    assert (by_count.diff() <= 1e-12).all()


@pytest.mark.parametrize("cls", MEMBERS)
@examples
@given(counts=COUNTS, draw=st.randoms(use_true_random=False))
def test_weights_follow_a_permutation_of_the_classes(cls, counts, draw):
    order = draw.sample(range(len(counts)), len(counts))
    torch.testing.assert_close(cls()([counts[i] for i in order]), cls()(counts)[order])


@pytest.mark.parametrize("cls", MEMBERS)
def test_equal_counts_weigh_one(cls):
    torch.testing.assert_close(cls()([37] * 10), torch.ones(10, dtype=torch.float64))


def test_beta_0_gives_ones():
    assert torch.equal(EffectiveNumber(beta=0)([1, 10, 5000]), torch.ones(3, dtype=torch.float64))


def test_tiny_beta_comes_close_to_ones():
    torch.testing.assert_close(EffectiveNumber(beta=1e-12)([1, 10]), torch.ones(2, dtype=torch.float64))


def test_beta_close_to_1_is_inverse_frequency():
    counts = [5000, 387, 50, 1]
    torch.testing.assert_close(EffectiveNumber(beta=1 - 1e-15)(counts), InverseFrequency()(counts), rtol=1e-9, atol=0)


def test_weights_are_precise_where_beta_to_the_n_is_close_to_1():
    beta, counts = 1 - 1e-10, [5000, 387, 50, 1]
    with localcontext(prec=60):
        exact = [1 / (1 - Decimal(beta) ** n) for n in counts]
        expected = [float(w * len(counts) / sum(exact)) for w in exact]
    assert EffectiveNumber(beta=beta)(counts).tolist() == pytest.approx(expected, rel=1e-12)


def test_mean_divides_by_n_and_weighted_mean_by_the_sum_of_weights():
    losses, weights = torch.tensor([1.0, 2.0, 6.0]), torch.tensor([0.5, 1.0, 0.25])
    assert [t.item() for t in reduce(losses, weights, "mean")] == [4.0, 3.0]
    assert [t.item() for t in reduce(losses, weights, "weighted_mean")] == [4.0, 1.75]


def test_weighted_mean_is_torchs_weighted_cross_entropy():
    draw = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(50, 4, generator=draw), torch.randint(4, (50,), generator=draw)
    w = InverseFrequency()([100, 50, 20, 5]).float()
    numerator, denominator = reduce(F.cross_entropy(logits, targets, reduction="none"), w[targets], "weighted_mean")
    torch.testing.assert_close(numerator / denominator, F.cross_entropy(logits, targets, weight=w))


def test_reduction_is_the_mean_unless_told():
    assert {cls().reduction for cls in MEMBERS} == {"mean"}
    assert InverseFrequency(reduction="weighted_mean").reduction == "weighted_mean"
    assert "reduction" not in NoWeights().plain()


# --- class difficulty -------------------------------------------------------------------------------

ACCURACY = torch.tensor([0.9, 0.6, 0.2, 0.0], dtype=torch.float64)
BY_TAU = {
    0.5: [0.44490, 0.88981, 1.25838, 1.40691],
    1.0: [0.17391, 0.69565, 1.39130, 1.73913],
    1.5: [0.06324, 0.50593, 1.43098, 1.99985],
    2.0: [0.02210, 0.35359, 1.41436, 2.20994],
}


@pytest.mark.parametrize("tau", BY_TAU)
def test_difficulty_weights_equal_the_references(tau):
    weights = ClassDifficulty(tau=FixedTau(value=tau))([1] * 4, ACCURACY)
    assert weights.tolist() == pytest.approx(BY_TAU[tau], abs=5e-6)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [(PaperTau(), [1.941, 1.10, 2.0]), (ImageNetCodeTau(), [1.928, 1.09, 2.0]), (CifarCodeTau(), [0.986, 0.76, 1.0])],
)
def test_the_three_rules_of_dynamic_tau_give_the_references_values(rule, expected):
    pairs = [(0.9, 0.2), (0.6, 0.5), (0.9, 0.0)]
    found = [rule(torch.tensor(pair, dtype=torch.float64)) for pair in pairs]
    assert found == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize("weights", [ClassDifficulty(), ClassDifficulty(tau=PaperTau())])
def test_before_the_first_epoch_and_where_all_is_perfect_classes_weigh_the_same(weights):
    for accuracy in (None, torch.ones(4)):
        assert torch.equal(weights([9, 5, 2, 1], accuracy), torch.ones(4, dtype=torch.float64))


def test_left_as_they_are_weights_fall_to_0_as_classes_become_perfect():
    raw = ClassDifficulty(sum_to_c=False)
    assert raw([9, 5], None).tolist() == [1, 1]
    assert raw([9, 5], torch.tensor([1.0, 0.75])).tolist() == [0, 0.25]
    assert raw([9, 5], torch.ones(2)).tolist() == [0, 0]


def test_a_perfect_class_weighs_nothing_and_tau_0_weighs_all_the_same():
    accuracy = torch.tensor([1.0, 0.5, 0.0])
    assert ClassDifficulty()([1] * 3, accuracy)[0] == 0
    assert torch.equal(ClassDifficulty(tau=FixedTau(value=0))([1] * 3, accuracy), torch.ones(3, dtype=torch.float64))


@examples
@given(accuracy=st.lists(st.floats(0, 1), min_size=2, max_size=20), tau=st.floats(0.1, 7))
def test_a_harder_class_never_weighs_less(accuracy, tau):
    accuracy = torch.tensor(sorted(accuracy), dtype=torch.float64)
    weights = ClassDifficulty(tau=FixedTau(value=tau))([1] * len(accuracy), accuracy)
    assert weights.isfinite().all() and (weights >= 0).all()
    assert (weights.diff() <= 1e-12).all() and weights.sum().item() == pytest.approx(len(accuracy))


def test_a_batch_of_classes_of_weight_0_has_the_loss_0():
    numerator, denominator = reduce(torch.tensor([3.0, 4.0]), torch.zeros(2), "weighted_mean")
    assert (numerator / denominator).item() == 0
