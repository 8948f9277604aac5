import numpy as np
import pytest

from lt_core import Data, Run, SmallCNN, TrainConfig, override
from lt_core.metrics import evaluated, measures
from lt_core.sources import SOURCES
from search_spaces.demo import DIGITS_IB
from tuning.exports.model_card import LICENCES, Chosen, licence, model_card
from tuning.exports.program import About

CONFIG = override(DIGITS_IB, {"epochs": 4, "phases.1.start": 2, "evaluation.groups": {"many": 60, "few": 10}})
CHOSEN = Chosen("night", "The best of 9 trials.", "On 5 fresh seeds it has 90.")


def card_of(config):
    run = Run(config)
    list(run.epochs())
    predictor = run.predictor()
    test = evaluated(((predictor(x).log(), y) for x, y in run.parts.test.batches(200)), run.parts.classes)
    return run, test, model_card(run, About.of(run), test, CHOSEN)


@pytest.fixture(scope="module")
def made():
    return card_of(CONFIG)


def rows(card, section):
    """The cells of a section's table, without its head."""
    text = card.split(f"## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_it_has_every_section(made):
    _, _, card = made
    assert card.startswith("# IB on digits, imbalance 20 (exp), study night\n")
    heads = [line.removeprefix("## ") for line in card.splitlines() if line.startswith("## ")]
    assert heads == [
        *("The model", "Intended use", "How it was chosen", "Data", "Metrics", "Classes", "Limits"),
    ]
    assert CHOSEN.searched in card and CHOSEN.confirmed in card


def test_every_class_has_its_counts_and_its_measures(made):
    run, test, card = made
    found = rows(card, "Classes")
    assert [row[0] for row in found] == list("0123456789")
    assert [int(row[1]) for row in found] == list(run.parts.class_counts)
    assert {row[2] for row in found} == {"40"}
    named = measures(test, run.parts.class_counts)
    assert [row[3] for row in found] == [f"{named[f'acc[{c}]']:.4f}" for c in range(10)]
    predicted = test.confusion.sum(0)
    expected = [int(test.confusion[c, c]) / int(n) if n else None for c, n in enumerate(predicted)]
    assert [row[4] for row in found] == ["" if value is None else f"{value:.4f}" for value in expected]


def test_groups_are_measured_by_the_config_s_thresholds(made):
    run, test, card = made
    named = measures(test, run.parts.class_counts, CONFIG.evaluation.groups)
    found = dict(rows(card, "Metrics"))
    assert found["all images"] == f"{named['acc']:.4f}"
    assert found["few-shot classes"] == f"{named['acc_few']:.4f}"
    assert found["many-shot classes"] == f"{named['acc_many']:.4f}"
    assert "majority classes" not in found
    assert "more than 60 training images, few-shot ones fewer than 10." in card
    assert f"on the validation images, which chose it, it has {run.history[-1].score:.4f}".lower() in card.lower()


def test_the_worst_class_and_the_gap_are_told(made):
    run, test, card = made
    recall = test.confusion.diagonal() / test.confusion.sum(1)
    worst = int(recall.argmin())
    assert f"The worst class on test is {worst}, {recall[worst]:.4f}, with {run.parts.class_counts[worst]}" in card
    named = measures(test, run.parts.class_counts)
    assert f"{100 * (named['acc_head'] - named['acc_tail']):+.1f} points of test accuracy" in card


def test_the_data_and_their_licence_are_told(made):
    run, _, card = made
    assert f"Images: {len(run.parts.train)} training, 300 validation, 400 test." in card
    assert "CC BY 4.0" in card


def test_without_validation_images_the_last_epoch_is_named():
    _, _, card = card_of(override(CONFIG, {"data.val_per_class": 0}))
    assert "| weights | of epoch 4, the last |" in card and "validation images, which chose" not in card


def test_what_the_config_does_otherwise_is_a_limit():
    changes = {"data.normalise": "half", "data.normalise_test": "signed"}
    _, _, card = card_of(override(CONFIG, changes))
    assert "normalised test images otherwise than training images" in card


def test_licences_are_of_known_datasets_and_own_images_have_none():
    assert LICENCES.keys() <= SOURCES.keys()
    for own in ("folder", "csv", "npz"):
        assert licence(own).startswith("not known")


def test_own_images_of_classes_of_unequal_size_are_judged_by_the_mean_over_classes(tmp_path):
    draws = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [60, 30, 12])
    images = draws.integers(0, 100, (len(labels), 8, 8), dtype=np.uint8) + 50 * labels[:, None, None].astype(np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=labels, class_names=["a", "b|c", "d"])
    data = Data(name="npz", path=str(tmp_path / "own.npz"), val_fraction=0.2, test_fraction=0.2)
    run, _, card = card_of(TrainConfig(data=data, model=SmallCNN(), batch_size=16, epochs=2))
    assert f"which chose it, its mean over classes is {run.history[-1].score:.4f}" in card
    assert "own.npz, natural counts. The user's own images." in card and "not known to lt-tune" in card
    assert "| b\\|c | 18 | 6 |" in card
