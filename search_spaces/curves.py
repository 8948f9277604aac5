"""Figures that follow from a formula alone: curves as functions, exact, with nothing to train."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Curves:
    """A figure of analytic curves: by name, what gives their points (x, y). log: the axes that are logarithmic."""

    name: str
    title: str
    x: str
    y: str
    curves: Mapping[str, Callable[[], Points]]
    log: tuple[str, ...] = ()

    def points(self) -> dict[str, Points]:
        """All points, by curve."""
        return {name: curve() for name, curve in self.curves.items()}
