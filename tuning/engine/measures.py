"""What a table reads of a trained network, and the names that the record has for it.

A read is `test_acc`, `test_acc[3]`, `test_top5`, `test_recall_macro[minority]`, `influence.top[0]`, `train_loss`; with
`@last` and the like it says of which epoch. MLflow's names have no brackets: `test_acc.3` is of the best validation
epoch (of the last where there is no val), `test_acc_best_val_micro.3` of the best by val's micro accuracy, where val is
not balanced, `test_acc_last.3` of the last, `test_acc_best_test.3` of the best test epoch.
"""

import math
import re
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any, Literal, NamedTuple

import numpy as np

from lt_core.train import Run

Selection = Literal["last", "best_val", "best_val_micro", "best_test"]
SUFFIXES: dict[Selection, str] = {
    "best_val": "",
    "best_val_micro": "_best_val_micro",
    "last": "_last",
    "best_test": "_best_test",
}
TOP = 50  # samples of a class in IB's figure 2
DRAWS = 1000  # of as many samples at random, for its control


class Read(NamedTuple):
    """A read, taken apart: `test_acc[3]@last` is `acc`, `3` at `last`. selection: '' for the table's own."""

    part: Literal["test", "influence", "train_loss"]
    name: str
    of: str
    selection: str


def is_series(read: str) -> bool:
    """Whether a read is one value an epoch, which a figure draws and no cell shows."""
    return parsed(read).part == "train_loss"


def parsed(read: str) -> Read:
    """A read, taken apart."""
    value, _, selection = read.partition("@")
    name, _, index = value.removesuffix("]").partition("[")
    if name == "train_loss":
        return Read("train_loss", name, "", "")
    if name.startswith("influence."):
        return Read("influence", name.replace(".", "_"), index, "")
    return Read("test", name.removeprefix("test_"), index, selection)


def metric_name(read: str, selection: Selection) -> str:
    """The record's name of a value, read at an epoch."""
    part, name, index, _ = parsed(read)
    base = f"test_{name}{SUFFIXES[selection]}" if part == "test" else name
    return f"{base}.{index}" if index else base


def named(evaluations: Mapping[str, Any], series: Mapping[str, list[float]], reads: Iterable[str]) -> dict[str, float]:
    """The values that a table reads of a training's end, at every epoch that there is, by the record's names."""
    found: dict[str, float] = {}
    for read in reads:
        part, name, index, _ = parsed(read)
        if part == "influence" and read in series:
            found[metric_name(read, "last")] = fmean(series[read])
        if part == "test":
            for selection in SUFFIXES:
                value = _value(_at(evaluations, selection), name, index)
                if value is not None:
                    found[metric_name(read, selection)] = value
    return found


def satisfied(evaluations: Mapping[str, Any], series: Mapping[str, list[float]], reads: Iterable[str]) -> bool:
    """Whether a training that ended has all that a table reads of it."""
    parts = {parsed(read).part: read for read in reads}
    return ("test" not in parts or bool(evaluations)) and all(
        read in series for read in reads if parsed(read).part == "influence"
    )


def _at(evaluations: Mapping[str, Any], selection: Selection) -> Mapping[str, Any]:
    test = evaluations.get("test", {})
    return test.get(selection, test.get("last", {}) if selection == "best_val" else {})


def _value(values: Mapping[str, Any], name: str, index: str) -> float | None:
    """A measure of an evaluation; None where it has none, as for a class that the data lack."""
    if name == "acc" and index:
        by_class = values.get("class_acc", [])
        return by_class[int(index)] if int(index) < len(by_class) else None
    return values.get(f"{name}[{index}]" if index else name)


def without_nan(evaluations: dict[str, Any]) -> dict[str, Any]:
    """An evaluation as JSON can hold it: a network that diverged has a calibration error that is no number."""
    test = evaluations.get("test", {})
    return {
        **evaluations,
        "test": {
            selection: {k: v for k, v in found.items() if not isinstance(v, float) or math.isfinite(v)}
            for selection, found in test.items()
        },
    }


# --- IB's figure 2 ----------------------------------------------------------------------------------


def influences(run: Run, reads: Iterable[str]) -> dict[str, list[float]]:
    """The influences that reads ask for of the training images, on the network as it is; nothing if none does."""
    wanted = [read for read in reads if parsed(read).part == "influence"]
    return courses(run.influences().numpy(), run.parts.train.labels.numpy(), wanted) if wanted else {}


def courses(influences: np.ndarray, labels: np.ndarray, reads: Iterable[str]) -> dict[str, list[float]]:
    """Influences of the classes that reads name, descending, scaled to [0, 1] over all samples of these classes.

    `influence.top[0]`: the 50 largest of class 0; `influence.any[0]`: the mean course of 50 at random, many times.
    """
    classes = {read: int(parsed(read).of) for read in reads}
    inside = np.concatenate([influences[labels == c] for c in sorted(set(classes.values()))])
    low, high = inside.min(), inside.max()
    scaled = {c: np.sort((influences[labels == c] - low) / (high - low))[::-1] for c in classes.values()}
    return {
        read: (scaled[c][:TOP] if re.match(r"influence\.top", read) else _any(scaled[c])).tolist()
        for read, c in classes.items()
    }


def _any(values: np.ndarray) -> np.ndarray:
    """The mean of many draws of 50 values without replacement, each in descending order."""
    draws = np.random.default_rng(0)
    size = min(TOP, len(values))
    return np.mean([np.sort(draws.permutation(values)[:size])[::-1] for _ in range(DRAWS)], axis=0)
