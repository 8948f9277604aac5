"""What a trained network gets right, class by class, as plain data for the record."""

from collections.abc import Mapping
from typing import Any

from lt_core.metrics import Evaluated, measures
from lt_core.train import Run

CONFUSION_CLASSES = 200  # above it, a confusion matrix is more than the record should hold


def evaluations(run: Run, found: Mapping[str, Evaluated]) -> dict[str, Any]:
    """The test part by selection (`last`, `best_val`, ...; Run.evaluations): every measure, the accuracy of each class
    (None without an image), and the confusion matrix, true class by row. Nothing where nothing was evaluated."""
    if not found:
        return {}
    return {
        "classes": list(run.parts.class_names),
        "train_images": list(run.parts.class_counts),
        "test": {selection: _evaluation(run, each) for selection, each in found.items()},
    }


def _evaluation(run: Run, found: Evaluated) -> dict[str, Any]:
    values = measures(found, run.parts.class_counts, run.config.evaluation.groups)
    plain: dict[str, Any] = {name: value for name, value in values.items() if not name.startswith("acc[")}
    plain["class_acc"] = [values.get(f"acc[{c}]") for c in range(run.parts.classes)]
    if run.parts.classes <= CONFUSION_CLASSES:
        plain["confusion"] = found.confusion.tolist()
    return plain
