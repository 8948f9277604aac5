import math

import numpy as np
import pytest

from lt_core import Run
from search_spaces.presets import digits_lt, literature
from tuning.engine.evaluations import evaluations
from tuning.engine.measures import courses, influences, metric_name, named, parsed, satisfied, without_nan

LAST = {"acc": 0.5, "top5": 0.9, "recall_macro[minority]": 0.2, "class_acc": [0.4, None, 0.6], "ece": 0.1}
BEST = {**LAST, "acc": 0.7, "class_acc": [0.8, 0.1, 0.6]}
WHOLE = {"test": {"last": LAST, "best_test": BEST}}


def test_a_read_is_taken_apart():
    assert parsed("test_acc[3]@last") == ("test", "acc", "3", "last")
    assert parsed("test_recall_macro[minority]") == ("test", "recall_macro", "minority", "")
    assert parsed("influence.top[9]") == ("influence", "influence_top", "9", "")
    assert parsed("train_loss") == ("train_loss", "train_loss", "", "")


def test_the_record_s_names_have_no_brackets():
    names = [metric_name("test_acc[3]", selection) for selection in ("best_val", "last", "best_test")]
    assert names == ["test_acc.3", "test_acc_last.3", "test_acc_best_test.3"]
    assert metric_name("test_top5", "last") == "test_top5_last"
    assert metric_name("influence.top[0]", "last") == "influence_top.0"
    assert metric_name("train_loss", "best_test") == "train_loss"


def test_a_read_is_found_at_every_epoch_that_there_is():
    assert named(WHOLE, {}, ["test_acc"]) == {"test_acc": 0.5, "test_acc_last": 0.5, "test_acc_best_test": 0.7}
    with_val = {"test": {**WHOLE["test"], "best_val": {**LAST, "acc": 0.6}}}
    assert named(with_val, {}, ["test_acc"])["test_acc"] == 0.6
    assert "test_acc_best_val_micro" not in named(with_val, {}, ["test_acc"])  # val is balanced
    unlike = {"test": {**with_val["test"], "best_val_micro": {**LAST, "acc": 0.65}}}
    assert named(unlike, {}, ["test_acc"])["test_acc_best_val_micro"] == 0.65


def test_classes_and_groups_are_read_by_their_name():
    found = named(WHOLE, {}, ["test_acc[0]", "test_acc[1]", "test_acc[7]", "test_recall_macro[minority]", "test_top5"])
    assert found["test_acc_best_test.0"] == 0.8 and found["test_acc_last.0"] == 0.4
    assert "test_acc_last.1" not in found and found["test_acc_best_test.1"] == 0.1  # no image; one
    assert not any(name.endswith(".7") for name in found)
    assert found["test_recall_macro.minority"] == 0.2 and found["test_top5_last"] == 0.9


def test_a_figure_s_value_is_the_mean_of_its_course():
    assert named({}, {"influence.top[0]": [1.0, 0.5]}, ["influence.top[0]", "train_loss"]) == {"influence_top.0": 0.75}


def test_what_a_training_must_have_to_serve_a_table():
    assert satisfied(WHOLE, {}, ["test_acc", "test_acc[9]", "train_loss"])
    assert not satisfied({}, {}, ["test_acc"]) and satisfied({}, {}, ["train_loss"])
    assert not satisfied(WHOLE, {}, ["influence.top[0]"])
    assert satisfied(WHOLE, {"influence.top[0]": [1.0]}, ["influence.top[0]"])


def test_a_network_that_diverged_has_no_calibration_error():
    found = without_nan({"classes": ["a"], "test": {"last": {"acc": 0.1, "ece": math.nan, "class_acc": [0.1]}}})
    assert found == {"classes": ["a"], "test": {"last": {"acc": 0.1, "class_acc": [0.1]}}}


# --- influence --------------------------------------------------------------------------------------


def test_courses_fall_and_are_scaled_over_both_classes():
    draw = np.random.default_rng(0)
    values, labels = draw.gamma(2.0, size=600), np.repeat([0, 1, 9], [500, 60, 40])
    values[labels == 1] *= 100  # another class does not count
    found = courses(values, labels, ["influence.top[0]", "influence.top[9]", "influence.any[0]"])
    both = values[labels != 1]
    assert [len(found[name]) for name in found] == [50, 40, 50]
    for course in found.values():
        assert course == sorted(course, reverse=True) and 0 <= min(course) <= max(course) <= 1
    top = sorted(values[labels == 0], reverse=True)[:50]
    assert found["influence.top[0]"] == pytest.approx([(v - both.min()) / (both.max() - both.min()) for v in top])


def test_any_50_samples_have_the_mean_of_their_class_and_the_50_largest_have_more():
    draw = np.random.default_rng(1)
    values, labels = draw.random(5050), np.repeat([0, 9], [5000, 50])
    found = courses(values, labels, ["influence.top[0]", "influence.any[0]", "influence.any[9]"])
    assert np.mean(found["influence.any[0]"]) == pytest.approx(0.5, abs=0.01)
    assert np.mean(found["influence.top[0]"]) > 0.98
    assert np.mean(found["influence.any[9]"]) == pytest.approx(values[labels == 9].mean(), abs=0.01)


def test_a_run_gives_what_a_table_reads():
    run = Run(literature(digits_lt(imbalance=20).replaced(epochs=1)))
    run.step()
    whole = evaluations(run, run.evaluations())
    reads = ["test_acc", "test_acc[9]", "influence.top[0]", "influence.top[9]"]
    found = named(whole, influences(run, reads), reads)
    assert found["test_acc_last"] == whole["test"]["last"]["acc"]
    assert found["test_acc_last.9"] == whole["test"]["last"]["class_acc"][9]
    assert 0 <= found["influence_top.9"] <= 1 and satisfied(whole, influences(run, reads), reads)
    assert influences(run, ["test_acc"]) == {}
