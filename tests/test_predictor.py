import pytest
import torch

from lt_core import Data, Run, SmallCNN, TrainConfig, override
from lt_core.metrics import confusion_matrix
from search_spaces import baselines
from search_spaces.demo import DIGITS_IB

SHORT = override(DIGITS_IB, {"epochs": 2, "phases.1.start": 1})
CE = TrainConfig(data=SHORT.data, model=SmallCNN(), batch_size=16, epochs=2)
CONFIGS = {
    "IB": SHORT,
    "LDAM-DRW": baselines.ldam_drw(CE),
    "LA": baselines.post_hoc_adjusted(CE),
    "tau-norm": baselines.tau_normalised(CE),
    "cRT": baselines.crt(CE, epochs=1),
    "no val": override(CE, {"data.val_per_class": 0}),
    "channels last": override(CE, {"channels_last": True}),
}


def trained(config):
    run = Run(config)
    list(run.epochs())
    return run


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_it_predicts_what_the_evaluation_of_its_epoch_judged(config):
    run = trained(config)
    pixels, labels = run.parts.test.pixels, run.parts.test.labels
    found = run.predictor()(pixels)
    evaluated = run.evaluations()
    expected = evaluated.get("best_val", evaluated["last"]).confusion
    assert torch.equal(confusion_matrix(found.argmax(1), labels, 10), expected)
    assert torch.allclose(found.sum(1), torch.ones(len(found))) and 0.1 < found.max(1).values.mean() < 1


def test_it_is_a_copy_of_the_best_epoch_which_further_training_leaves_alone():
    run = Run(SHORT)
    run.step()
    pixels = run.parts.test.pixels[:20]
    before = run.predictor()
    first = before(pixels)
    run.step()
    assert torch.equal(before(pixels), first)
    assert not torch.equal(run.predictor()(pixels), first)


def test_it_needs_no_gradient_and_one_image_is_as_good_as_many():
    run = trained(override(CE, {"model": {"kind": "resnet32"}, "epochs": 1}))
    predictor, pixels = run.predictor(), run.parts.test.pixels[:8]
    found = predictor(pixels)
    assert not found.requires_grad
    assert torch.allclose(predictor(pixels[:1]), found[:1], atol=1e-6)


def test_it_normalises_as_val_is_normalised():
    data = Data(name="digits", imbalance=20, val_per_class=30, normalise="half", normalise_test="signed")
    run = trained(CE.replaced(data=data))
    pixels, labels = run.parts.val.pixels, run.parts.val.labels
    right = (run.predictor()(pixels).argmax(1) == labels).double().mean().item()
    assert right == max(epoch.val["acc"] for epoch in run.history)
