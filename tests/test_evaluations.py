from dataclasses import replace

import torch

from lt_core import Run, TrainConfig, override
from search_spaces import CONFIGS
from tuning.engine import evaluations as module
from tuning.engine.evaluations import evaluations

CONFIG: TrainConfig = override(CONFIGS["demo-ce"], {"epochs": 1, "batch_size": 64})


def run() -> Run:
    found = Run(CONFIG)
    list(found.epochs())
    return found


def test_each_selection_has_every_measure_and_each_class():
    trained = run()
    given = trained.evaluations()
    found = evaluations(trained, given)
    assert found["test"].keys() == given.keys() == {"last", "best_val"}
    assert found["train_images"] == list(trained.parts.class_counts) and len(found["classes"]) == 10
    last = found["test"]["last"]
    assert torch.equal(torch.tensor(last["confusion"]), given["last"].confusion)
    assert last["acc"] == trained.test(given)["test_acc_last"] and {"acc_few", "ece", "recall_macro"} <= last.keys()
    assert not any(name.startswith("acc[") for name in last)


def test_a_class_without_an_image_has_no_accuracy():
    trained = run()
    confusion = trained.evaluations()["last"].confusion.clone()
    confusion[3] = 0
    given = {"last": replace(trained.evaluations()["last"], confusion=confusion)}
    accuracies = evaluations(trained, given)["test"]["last"]["class_acc"]
    assert [c for c, accuracy in enumerate(accuracies) if accuracy is None] == [3]


def test_many_classes_have_no_confusion_matrix(monkeypatch):
    monkeypatch.setattr(module, "CONFUSION_CLASSES", 9)
    trained = run()
    assert "confusion" not in evaluations(trained, trained.evaluations())["test"]["last"]


def test_nothing_evaluated_is_nothing():
    assert evaluations(run(), {}) == {}
