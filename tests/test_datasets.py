import json
from pathlib import Path

import numpy as np

from lt_core import Data
from lt_core.data import load_parts
from tuning.record.datasets import described

DIGITS = Data(name="digits", imbalance=20, val_per_class=30)


def test_a_dataset_is_counted_by_class_in_each_part():
    parts = load_parts(DIGITS)
    found = described([DIGITS], Path())[parts.id]
    profile = found["profile"]
    assert (found["name"], found["digest"]) == ("digits-exp-20", parts.id)
    assert profile["train"] == list(parts.class_counts) and profile["num_rows"] == len(parts.train)
    assert profile["val"] == [30] * 10 and sum(profile["test"]) == len(parts.test)
    assert profile["imbalance"] == round(max(parts.class_counts) / min(parts.class_counts), 2)
    assert Data.parse(json.loads(found["source"])) == DIGITS


def test_what_mlflow_allows_a_name_and_a_digest_is_kept_to():
    for found in described([DIGITS, Data(name="digits", imbalance=1.5)], Path()).values():
        assert len(found["name"]) <= 500 and len(found["digest"]) <= 36


def test_data_of_one_s_own_has_the_name_of_its_file(tmp_path):
    labels = np.repeat([0, 1], 20)
    np.savez(tmp_path / "leaves.npz", images=np.zeros((40, 8, 8), np.uint8), labels=labels)
    (found,) = described([Data(name="npz", path="leaves.npz", val_fraction=0.1, test_fraction=0.1)], tmp_path).values()
    assert found["name"] == "leaves-natural" and found["profile"]["train"] == [16, 16]
