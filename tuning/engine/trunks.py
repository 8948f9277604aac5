"""Which trainings share their beginning: one trains it and leaves its state, the others go on from there.

IB at any T1 goes on from the CE run of its seed, LDAM-DRW from LDAM's. What a training has of another is in its own
series, and its numbers are those that it would have had alone (lt_core: `prefix_id`, `Run.load`).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from lt_core.config import TrainConfig, prefix_id


@dataclass(frozen=True)
class Trunk:
    """Where a training goes on from: another's state after some epochs. id: of what the two share."""

    config: TrainConfig
    epochs: int
    id: str

    @property
    def name(self) -> str:
        """Of the state in the store."""
        return f"trunk-{self.id}-{self.config.id}.pt"


class Trunks:
    """The trunks of some trainings. Those that need not be trained (`at_hand`, by config id) leave no state, but what
    an interrupted start of theirs has left (`stored`, names in the store) serves the others.
    """

    def __init__(
        self, configs: Sequence[TrainConfig], at_hand: Collection[str] = (), stored: Collection[str] = ()
    ) -> None:
        self.order = _donors_first([config for config in configs if config.id not in at_hand])
        self._from: dict[str, Trunk] = {}
        self._exits: dict[str, dict[int, str]] = {}
        needed = {epochs for config in configs for epochs in _branches(config)}
        ended = [config for config in configs if config.id in at_hand] if stored else []
        left = [trunk for trunk in _trunks(ended, needed) if trunk.name in stored]
        self._left = [trunk.name for trunk in left]
        known = {trunk.id: trunk.config for trunk in left}  # by what a state after some epochs depends on
        for config in self.order:
            own = {epochs: prefix_id(config, epochs) for epochs in sorted(needed) if epochs <= config.epochs}
            branch = next((e for e in _branches(config) if own.get(e) in known), None)
            if branch is not None:
                trunk = Trunk(known[own[branch]], branch, own[branch])
                self._from[config.id] = trunk
                self._exits.setdefault(trunk.config.id, {})[branch] = trunk.name
            for epochs, prefix in own.items():
                if branch is None or epochs > branch:  # up to there, the state is another's
                    known.setdefault(prefix, config)

    def trunk_of(self, config_id: str) -> Trunk | None:
        """What a training goes on from; None where it begins at the beginning."""
        return self._from.get(config_id)

    def exits(self, config_id: str) -> dict[int, str]:
        """After which epochs a training leaves its state, and under which name."""
        return self._exits.get(config_id, {})

    @property
    def names(self) -> list[str]:
        """All states that are left, or were by an earlier start."""
        return list(dict.fromkeys([*self._left, *(name for own in self._exits.values() for name in own.values())]))

    @property
    def saved_epochs(self) -> int:
        """Epochs that are not trained twice."""
        return sum(trunk.epochs for trunk in self._from.values())


def _trunks(configs: Sequence[TrainConfig], needed: Collection[int]) -> Iterator[Trunk]:
    """All that trainings might leave after some epochs."""
    for config in configs:
        yield from (Trunk(config, epochs, prefix_id(config, epochs)) for epochs in needed if epochs <= config.epochs)


def _branches(config: TrainConfig) -> list[int]:
    """Where a training may branch off: before its last phase, since that is the one it chooses an epoch of."""
    start = config.used_phases[-1][0].start
    return [start] if start else []


def _donors_first(configs: Sequence[TrainConfig]) -> list[TrainConfig]:
    """Seed by seed, as they stand; within a seed by where they branch off, last first: each after what it may go on
    from. One phase only comes before all, since it may be anyone's trunk."""
    seeds = {seed: place for place, seed in enumerate(dict.fromkeys(config.seed for config in configs))}
    return sorted(configs, key=lambda config: (seeds[config.seed], -(_branches(config) or [config.epochs])[0]))
