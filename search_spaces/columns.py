"""Columns that several papers' tables have: CIFAR by dataset and imbalance."""

from collections.abc import Iterable

from search_spaces.presets import Cifar
from search_spaces.table import Column, Unit

RATIOS = (200, 100, 50, 20, 10)


def long_tailed(*names: Cifar, ratios: tuple[int, ...] = RATIOS, unit: Unit = "accuracy") -> tuple[Column, ...]:
    """Long-tailed CIFAR: `cifar10-lt-100`, one column for each dataset and imbalance."""
    return _columns(names, ratios, unit, "lt", "long-tailed", {})


def step(*names: Cifar, ratios: tuple[int, ...] = RATIOS, unit: Unit = "accuracy") -> tuple[Column, ...]:
    """Step-imbalanced CIFAR: `cifar10-step-100`."""
    return _columns(names, ratios, unit, "step", "step-imbalanced", {"profile": "step"})


def labels(columns: Iterable[Column]) -> tuple[str, ...]:
    """The columns' labels."""
    return tuple(column.label for column in columns)


def _columns(
    names: tuple[Cifar, ...], ratios: tuple[int, ...], unit: Unit, short: str, long: str, more: dict[str, str]
) -> tuple[Column, ...]:
    return tuple(
        Column(
            f"{name}-{short}-{ratio}",
            {"name": name, "imbalance": float(ratio), **more},
            unit=unit,
            group=f"{long} {name.replace('cifar', 'CIFAR-')}",
            head=str(ratio),
        )
        for name in names
        for ratio in ratios
    )
