import json
from decimal import Decimal, localcontext
from pathlib import Path
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from lt_core import EffectiveNumber, InverseFrequency, NoWeights
from lt_core.weights import Weights, reduce

CASES = json.loads((Path(__file__).parent / "golden" / "losses.json").read_text())["cases"]
MEMBERS = get_args(get_args(Weights)[0])
GOLDEN = {
    "inverse_frequency": InverseFrequency(),
    **{f"effective_number_beta{beta}": EffectiveNumber(beta=beta) for beta in (0.9, 0.99, 0.999, 0.9999)},
}
COUNTS = st.lists(st.integers(1, 10_000), min_size=1, max_size=20)
examples = settings(max_examples=100, deadline=None, derandomize=True)


@pytest.mark.parametrize("case", CASES, ids=["rho100", "rho10"])
@pytest.mark.parametrize("key", GOLDEN)
def test_weights_equal_the_golden_values(case, key):
    weights = GOLDEN[key](case["class_counts"])
    expected = torch.tensor(case["weights"][key], dtype=torch.float64)
    torch.testing.assert_close(weights, expected, rtol=1e-9, atol=1e-9)


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
