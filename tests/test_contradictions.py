import pytest

from lt_core import InputError, ResNet32, TrainConfig
from lt_core.data import Data
from search_spaces import baselines
from search_spaces.cdb2020 import class_difficulty
from search_spaces.presets import digits_lt, mnist_4_9

BASE = digits_lt(imbalance=20).plain()
TAU_NORM = {"post_hoc": {"kind": "tau_normalization"}}
EQL = {"kind": "equalization", "lambda": 0.001}


def refused(**changes):
    with pytest.raises(InputError) as error:
        TrainConfig.parse({**BASE, **changes})
    return str(error.value)


def data(**changes):
    return {**BASE["data"], **changes}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"phases": [{"loss": {"kind": "ldam"}}]},
            "phases.0.loss is ldam, whose margins are between cosines: set model.head to cosine, or state linear as "
            "IB's Tiny ImageNet code does",
        ),
        (
            {"phases": [{}, {"start": 3, "weights": {"kind": "class_difficulty"}}]},
            "phases.1.weights is class_difficulty, which reads accuracies on the meta part: data.meta_source is none",
        ),
        (
            {"phases": [{"reweighting": {"kind": "l2rw"}}]},
            "phases.0.reweighting is l2rw, which reads the meta part: data.meta_source is none",
        ),
        (
            {"phases": [{"reweighting": {"kind": "l2rw"}}], "data": data(meta_source="val", mixup=0.2)},
            "phases.0.reweighting is l2rw, which has no mixup: data.mixup must be 0",
        ),
        (
            {"phases": [{"loss": EQL}]},
            "phases.0.loss.lambda is 0.001, which leaves no rare class: the rarest has a frequency of 0.0149; "
            "state equals_ce: true if it is to equal CE",
        ),
        (
            {"evaluation": TAU_NORM, "model": {"kind": "small_cnn", "head": "cosine"}},
            "evaluation.post_hoc is tau_normalization, which is for the logits of a linear head: model.head is cosine",
        ),
        (
            {"model": {"kind": "resnext3d"}},
            "model.kind is resnext3d, which reads clips; digits has the other",
        ),
        (
            {"phases": [{"restart": {}}]},
            "phases.0.restart must be null: epoch 1 has nothing to begin anew from",
        ),
        (
            {"phases": [{}, {"start": 3, "warmup": False, "restart": {}}]},
            "phases.1.warmup is false, but its restart has warmup_epochs 5",
        ),
        ({"phases": [{"train": "nothing"}]}, "`phases.0.train` is 'nothing'; allowed: all, classifier"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_together_is_refused_in_one_sentence(changes, sentence):
    assert refused(**changes) == sentence


def test_top_5_of_two_classes_is_refused():
    with pytest.raises(InputError, match=r"evaluation.top5 is true, but mnist-4-9 has 2 classes"):
        TrainConfig.parse({**mnist_4_9(0.9).plain(), "evaluation": {"top5": True}})


def test_ldam_takes_a_linear_head_that_is_stated():
    stated = TrainConfig.parse(
        {**BASE, "model": {"kind": "small_cnn", "head": "linear"}, "phases": [{"loss": {"kind": "ldam"}}]}
    )
    assert TrainConfig.load(stated.dump()) == stated


def test_equalization_may_be_declared_to_equal_ce():
    assert TrainConfig.parse({**BASE, "phases": [{"loss": {**EQL, "equals_ce": True}}]}).method == "EQL"


def test_methods_are_put_on_a_base_only_where_they_make_sense():
    with pytest.raises(InputError, match=r"^phases.0.weights is class_difficulty, .* data.meta_source is none$"):
        class_difficulty(digits_lt(imbalance=20))
    assert baselines.ldam(digits_lt(imbalance=20)).model.head == "cosine"
    assert TrainConfig(data=Data(name="cifar10"), model=ResNet32()).model.head is None
