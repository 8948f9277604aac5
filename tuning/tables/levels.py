"""The kinds of training of a table, told by what each does at which learning rate."""

from collections.abc import Iterable, Sequence

from lt_core.config import TrainConfig
from search_spaces.short import levels


def levels_texts(configs: Iterable[TrainConfig]) -> list[str]:
    """The kinds of training by their levels, in words: epochs, phase, learning rate and, where known, steps of each."""
    steps: dict[tuple[tuple[int, str, float], ...], list[list[int | None]]] = {}
    for config in configs:
        found = levels(config)
        key = tuple((level.epochs, level.phase, level.rate) for level in found)
        steps.setdefault(key, []).append([level.steps for level in found])
    return [
        ", ".join(_level(*level, [each[i] for each in known]) for i, level in enumerate(key))
        for key, known in steps.items()
    ]


def _level(epochs: int, phase: str, rate: float, steps: Sequence[int | None]) -> str:
    known = sorted({number for number in steps if number is not None})
    many = f"{known[0]} to {known[-1]}" if len(known) > 1 else str(known[0]) if known else ""
    return f"{epochs} x {phase} at {rate:g}" + (f" ({many} steps)" if many else "")
