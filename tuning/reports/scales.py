"""Where a setting stands on an axis from 0 to 1: linear, logarithmic, or one label after the other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.ticker import MaxNLocator

from search_spaces.domains import AnyDomain, Branch, Choice, Float, Setting, everywhere
from search_spaces.space import Space
from tuning.reports.grid import setting as short

TOO_CLOSE = 0.08  # of an axis, for two ticks
MOST_POWERS = 4  # of ten, on one axis


@dataclass(frozen=True)
class Scale:
    """The axis of one symbol, from `low` to `high`, or over `labels`.

    log: logarithmic; complement: logarithmic in 1 - value.
    """

    symbol: str
    kind: Literal["linear", "log", "complement", "labels"]
    low: float = 0.0
    high: float = 1.0
    labels: tuple[str, ...] = ()

    def position(self, setting: Setting) -> float:
        """A setting's place, in [0, 1] for those inside the domain."""
        if self.kind == "labels":
            return (self.labels.index(str(setting)) + 0.5) / len(self.labels)
        low, high = self._warped(self.low), self._warped(self.high)
        return (self._warped(float(setting)) - low) / (high - low)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places and their texts: both ends, and round values between them."""
        if self.kind == "labels":
            return [(self.position(label), label) for label in self.labels]
        found = [(0.0, short(self.low)), (1.0, short(self.high))]
        for value in self._round_values():
            place = self.position(value)
            if all(abs(place - other) > TOO_CLOSE for other, _ in found):
                found.append((place, short(value)))
        return sorted(found)

    def _warped(self, value: float) -> float:
        if self.kind == "log":
            return math.log10(value)
        return -math.log10(1 - value) if self.kind == "complement" else value

    def _round_values(self) -> list[float]:
        """Powers of ten, 0.9, 0.99, ..., or what a linear axis shows, inside the domain."""
        if self.kind == "linear":
            values = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)
            return [float(value) for value in values if self.low < value < self.high]
        low, high = self._warped(self.low), self._warped(self.high)
        powers = range(math.ceil(low), math.floor(high) + 1)
        every = math.ceil(len(powers) / MOST_POWERS)
        return [10.0**power if self.kind == "log" else 1 - 10.0**-power for power in powers[:: max(1, every)]]


def scales(space: Space) -> dict[str, Scale]:
    """The axis of each symbol of a space; one that several arms of a branch have spans all of them."""
    domains = list(everywhere(space.domains))
    return {symbol: _scale(symbol, [d for name, d in domains if name == symbol]) for symbol in space.symbols}


def _scale(symbol: str, domains: Sequence[AnyDomain]) -> Scale:
    labels = dict.fromkeys(label for d in domains if isinstance(d, Choice | Branch) for label in d.labels)
    if labels:
        return Scale(symbol, "labels", labels=tuple(labels))
    numbers = [domain for domain in domains if not isinstance(domain, Choice | Branch)]
    complement = any(isinstance(domain, Float) and domain.log_complement for domain in numbers)
    kind = "complement" if complement else "log" if any(domain.log for domain in numbers) else "linear"
    return Scale(symbol, kind, min(domain.low for domain in numbers), max(domain.high for domain in numbers))
