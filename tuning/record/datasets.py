"""What the record says of a dataset: its name, its profile, how many images each part has of each class, a digest."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lt_core.data import Data, load_parts
from lt_core.images import Part


def described(data: Iterable[Data], root: Path) -> dict[str, dict[str, Any]]:
    """Datasets by `lt.data_id`, as plain data."""
    return dict(_described(each, root) for each in data)


def _described(data: Data, root: Path) -> tuple[str, dict[str, Any]]:
    parts = load_parts(data, root)
    counts = {name: _counts(part, parts.classes) for name, part in (("val", parts.val), ("test", parts.test))}
    measured = max(parts.class_counts) / max(1, min(parts.class_counts))
    return parts.id, {
        "name": _name(data),
        "digest": parts.id,
        "source": json.dumps(data.plain()),
        "profile": {
            "num_rows": sum(parts.class_counts),
            "imbalance": round(measured, 2),
            "classes": list(parts.class_names),
            "train": list(parts.class_counts),
            **counts,
        },
    }


def _name(data: Data) -> str:
    """Short enough for a column: the set, and how it is cut."""
    name = Path(data.path).stem if data.path else data.name
    return f"{name}-{data.profile}" if data.profile == "natural" else f"{name}-{data.profile}-{data.imbalance:g}"


def _counts(part: Part, classes: int) -> list[int]:
    return part.labels.bincount(minlength=classes).tolist()
