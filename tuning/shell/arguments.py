"""What is typed on the command line -> values; InputError repeats what was typed and says what is expected."""

import math
import re
from collections.abc import Collection, Iterable
from typing import Any

from lt_core.value import InputError, read_yaml


def assignments(option: str, texts: Iterable[str] | None) -> dict[str, Any]:
    """`name=value` texts as a dict; the values are read as YAML."""
    found: dict[str, Any] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InputError(f"{option} `{text}` must have the form NAME=VALUE")
        if name.strip() in found:
            raise InputError(f"{option} `{text}`: {name.strip()} is given twice")
        try:
            found[name.strip()] = read_yaml(value)
        except InputError as error:
            raise InputError(f"{option} `{text}`: {error}") from None
    return found


def scale_factor(scale: float | None, epochs: int | None, own: int) -> float | None:
    """What --scale, or --epochs for a config of `own` epochs, multiplies epochs by; None where neither is given."""
    if scale is not None and epochs is not None:
        raise InputError("--scale and --epochs say the same: give one of them")
    if epochs is not None and epochs < 1:
        raise InputError(f"--epochs is {epochs}; it must be at least 1")
    if scale is not None and not 0 < scale < math.inf:
        raise InputError(f"--scale is {scale:g}; it must be a number above 0")
    return scale if epochs is None else epochs / own


def labels(text: str | None, known: Collection[str]) -> list[str]:
    """`A,B` as labels of rows or columns, known ones whole, whatever commas they have; empty where none are given."""
    parts, found = text.split(",") if text else [], []
    while parts:
        longest = next((n for n in range(len(parts), 0, -1) if ",".join(parts[:n]).strip() in known), 1)
        found.append(",".join(parts[:longest]).strip())
        parts = parts[longest:]
    return [label for label in found if label]


def points(texts: Iterable[str] | None) -> list[dict[str, Any]] | None:
    """`T1=80,alpha=500` texts as points of a space."""
    return [assignments("--try", text.split(",")) for text in texts] if texts else None


def ranges(texts: Iterable[str] | None) -> dict[str, tuple[float, float]]:
    """`alpha=100..1e4` texts as bounds by symbol."""
    return {name: _bounds(name, str(value)) for name, value in assignments("--range", texts).items()}


def _bounds(name: str, text: str) -> tuple[float, float]:
    low, dots, high = text.partition("..")
    try:
        return float(low if dots else ""), float(high)
    except ValueError:
        raise InputError(f"--range `{name}={text}` must have the form {name}=LOW..HIGH") from None


def rungs(text: str | None) -> dict[str, Any] | None:
    """`none`, `20,40` or `phase:20,40` as the fields of a study's rungs."""
    if text is None:
        return None
    since, colon, epochs = text.rpartition(":")
    if text == "none":
        return {"epochs": []}
    if not all(part.strip().isdecimal() for part in epochs.split(",")) or since + colon not in ("", "phase:"):
        raise InputError(f"--rungs `{text}` must be none, epochs such as 20,40, or phase:20,40")
    return {"epochs": [int(part) for part in epochs.split(",")], "since": "switch" if colon else "start"}


_BUDGETS = {"m": ("wall_hours", 1 / 60), "h": ("wall_hours", 1.0), "dh": ("device_hours", 1.0), "ep": ("epochs", 1.0)}


def budget(texts: Iterable[str] | None) -> dict[str, float] | None:
    """`90m`, `2h` (wall time), `10dh` (device hours), `3000ep` (epochs) as the fields of a study's budget."""
    found: dict[str, float] = {}
    for text in texts or ():
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(m|h|dh|ep)", text)
        if not match or (match[2] == "ep" and "." in match[1]):
            raise InputError(f"--budget `{text}` must be wall time (90m, 2h), device hours (10dh) or epochs (3000ep)")
        field, factor = _BUDGETS[match[2]]
        if field in found:
            raise InputError(f"--budget `{text}`: {field.replace('_', ' ')} are given twice")
        found[field] = int(match[1]) if field == "epochs" else float(match[1]) * factor
    return found or None


def constraints(texts: Iterable[str] | None) -> list[dict[str, Any]] | None:
    """`val_acc_head>=0.7` texts as the constraints of a study."""
    found: list[dict[str, Any]] = []
    for text in texts or ():
        match = re.fullmatch(r"\s*(\w+)\s*(>=|<=)\s*([-+.\deE]+)\s*", text)
        if not match:
            raise InputError(f"--constraint `{text}` must have the form METRIC>=VALUE or METRIC<=VALUE")
        found.append({"metric": match[1], "at_least" if match[2] == ">=" else "at_most": read_yaml(match[3])})
    return found or None


def names(text: str | None) -> list[str] | None:
    """`score,val_acc_tail` as names."""
    return [name.strip() for name in text.split(",")] if text is not None else None
