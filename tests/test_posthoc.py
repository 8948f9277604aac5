import pytest
import torch
from torch import nn

from lt_core.models import Outputs
from lt_core.posthoc import NoPostHoc, PostHocLogitAdjustment, TauNormalization

COUNTS = torch.tensor([90.0, 9.0, 1.0])
CLASSIFIER = nn.Linear(4, 3)
FEATURES = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))


def outputs():
    with torch.no_grad():
        return Outputs(CLASSIFIER(FEATURES), FEATURES)


def test_none_leaves_the_logits_alone():
    assert torch.equal(NoPostHoc()(outputs(), CLASSIFIER, COUNTS), outputs().logits)


@pytest.mark.parametrize("tau", [0.0, 1.0, 2.0])
def test_logit_adjustment_takes_the_prior_off(tau):
    found = PostHocLogitAdjustment(tau=tau)(outputs(), CLASSIFIER, COUNTS)
    prior = torch.tensor([0.90, 0.09, 0.01])
    torch.testing.assert_close(found.softmax(1), (outputs().logits.exp() / prior**tau).div(
        (outputs().logits.exp() / prior**tau).sum(1, keepdim=True)))  # fmt: skip


def test_tau_normalization_scales_each_classs_weights_and_drops_the_bias():
    with torch.no_grad():
        for tau in (0.0, 0.5, 1.0):
            found = TauNormalization(tau=tau)(outputs(), CLASSIFIER, COUNTS)
            for c in range(3):
                w = CLASSIFIER.weight[c]
                torch.testing.assert_close(found[:, c], FEATURES @ (w / w.norm() ** tau))
