import io

import pytest
import torch

from lt_core import Run, fit, override
from search_spaces.demo import DIGITS_IB
from tuning.exports.trained import Retraining
from tuning.log.store import Store

CONFIG = override(DIGITS_IB, {"epochs": 4, "phases.1.start": 2})


def checkpoint(config, epochs):
    run = Run(config)
    for _ in range(epochs):
        run.step()
    stream = io.BytesIO()
    run.save(stream)
    return stream.getvalue()


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path))


def seen(found):
    """Everything of some epochs but how long they took."""
    return [(epoch.epoch, epoch.train_loss, epoch.val, epoch.score) for epoch in found]


def test_a_kept_checkpoint_is_not_trained_again(store, tmp_path):
    store.write("00003.pt", checkpoint(CONFIG, 4))
    found = Retraining(CONFIG, tmp_path, "cpu", store, "00003.pt")
    assert found.kept and list(found.epochs()) == []
    whole = Run(CONFIG)
    assert seen(found.run.history) == seen(whole.epochs())
    assert found.run.test() == whole.test()


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_what_is_left_is_trained_to_the_same_numbers_and_kept(store, tmp_path, kept):
    if kept:
        store.write("00003.pt", checkpoint(CONFIG, kept))
    found = Retraining(CONFIG, tmp_path, "cpu", store, "00003.pt")
    epochs = list(found.epochs())
    assert found.kept == (kept > 0) and [epoch.epoch for epoch in epochs] == list(range(kept + 1, 5))
    assert seen(found.run.history) == seen(fit(CONFIG))
    again = Retraining(CONFIG, tmp_path, "cpu", store, "00003.pt")
    assert list(again.epochs()) == [] and seen(again.run.history) == seen(found.run.history)


def test_an_interrupted_one_goes_on(store, tmp_path):
    epochs = Retraining(CONFIG, tmp_path, "cpu", store, "00003.pt").epochs()
    next(epochs), next(epochs)
    again = Retraining(CONFIG, tmp_path, "cpu", store, "00003.pt")
    assert [epoch.epoch for epoch in again.epochs()] == [3, 4]


def test_the_checkpoint_of_another_training_is_not_used(store, tmp_path):
    store.write("00003.pt", checkpoint(override(CONFIG, {"seed": 1}), 4))
    found = Retraining(CONFIG, tmp_path, "cpu", store, "00003.pt")
    assert not found.kept and len(list(found.epochs())) == 4
    assert torch.load(io.BytesIO(store.read("00003.pt") or b""))["config_id"] == CONFIG.id


def test_without_a_store_nothing_is_kept(tmp_path):
    found = Retraining(CONFIG, tmp_path, "cpu", None, "00003.pt")
    assert len(list(found.epochs())) == 4 and not list(tmp_path.iterdir())
