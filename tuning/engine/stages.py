"""What one pass over a study is for: searching, then confirming. Each says which trainings it wants. Not here: Ray."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from lt_core.config import TrainConfig
from lt_core.data import load_parts
from lt_core.value import InputError, override
from search_spaces.controls import plain_cross_entropy
from search_spaces.study import Study
from tuning.engine.rungs import stops
from tuning.engine.suggest import Adviser
from tuning.log import limits
from tuning.log.events import Asked, History, Kind, StopReason, TrialRecord
from tuning.log.results import of_history
from tuning.record.identity import Identity
from tuning.record.identity import params as params_of


class Stage(Protocol):
    """Which trainings are wanted, and what is made of their results."""

    kind: Kind

    @property
    def over(self) -> bool:
        """Whether it will propose nothing more."""
        ...

    def propose(self, number: int) -> Sequence[Asked]:
        """The next trainings wanted, numbered from `number` on; none while it must wait for others."""
        ...

    def told(self, trial: TrialRecord) -> None:
        """Hear of a training's end."""
        ...

    def verdict(self, trial: TrialRecord) -> StopReason | None:
        """Why a training is to end after its last epoch; None where it goes on."""
        ...


class SearchStage:
    """The trials of a study: the paper's setting, the user's points, then what Optuna advises."""

    kind: Kind = "trial"

    def __init__(self, study: Study, history: History, identity: Identity, share: float = 1.0) -> None:
        """share: the part of a device that a trial has."""
        self._study, self._history, self._identity, self._share = study, history, identity, share
        classes = load_parts(study.space.base.data, identity.root).classes
        self._adviser = Adviser(study, history.of_kind("trial"), 1 / classes)
        self._rungs = study.effective_rungs

    @property
    def over(self) -> bool:
        """Whether it has its trials, or a limit is reached."""
        return bool(limits.end(self._study, self._history, self._share))

    def propose(self, number: int) -> list[Asked]:
        """The sampler's next point, or a batch of them once the last batch has ended.

        The rest of a batch that an end cut is asked for at once, as it would have been: with nothing known of it.
        """
        trials = self._history.of_kind("trial")
        size = self._study.batch or 1
        whole = len(trials) % size == 0
        if self.over or (size > 1 and whole and any(trial.told is None for trial in trials)):
            return []
        size = min(size - len(trials) % size, self._study.wanted - len(trials))
        return [self._asked(number + i, "paper" if len(trials) + i == 0 else "") for i in range(size)]

    def told(self, trial: TrialRecord) -> None:
        """Tell Optuna."""
        self._adviser.tell(trial)

    def verdict(self, trial: TrialRecord) -> StopReason | None:
        """Stopped at a rung, or by the budget. At a rung the paper's setting goes on: all is compared with it."""
        if limits.used_up(self._study, self._history, self._share):
            return "budget"
        if trial.asked.role != "paper" and self._is_behind(trial):
            return "early_stopped"
        return None

    def _is_behind(self, trial: TrialRecord) -> bool:
        arm = self._study.branch[0] if self._study.per_branch and self._study.branch else None
        return stops(self._rungs, self._history, trial, self._study.batch, arm)

    def _asked(self, number: int, role: str) -> Asked:
        settings = self._adviser.ask(number)
        return asked(number, "trial", role, settings, self._study.space.config(settings), self._study, self._identity)


class ConfirmStage:
    """The best configs, the paper's setting and plain CE on the same fresh seeds, test values included.

    What failed in an earlier start is asked for again: an error may have been the machine's.
    """

    kind: Kind = "confirm"

    def __init__(self, study: Study, history: History, identity: Identity) -> None:
        self._study, self._history, self._identity = study, history, identity
        known = {(t.asked.role, t.config.id) for t in history.of_kind("confirm") if t.stop_reason != "failed"}
        wanted = confirmations(study, history)
        self._wanted = [found for found in wanted if (found[0], found[2].id) not in known]

    @property
    def over(self) -> bool:
        """Whether all are asked for."""
        return not self._wanted

    def propose(self, number: int) -> list[Asked]:
        """The next one."""
        if not self._wanted:
            return []
        role, settings, config = self._wanted.pop(0)
        return [asked(number, "confirm", role, settings, config, self._study, self._identity)]

    def told(self, trial: TrialRecord) -> None:
        """Nothing follows from a single one."""

    def verdict(self, trial: TrialRecord) -> StopReason | None:
        """None: a mean needs whole trainings."""
        return None


Confirmation = tuple[str, dict[str, Any], TrainConfig]


def confirmations(study: Study, history: History) -> Iterator[Confirmation]:
    """Role, settings and config of each training that confirms; a best trial that is the paper's is not repeated."""
    paper = study.space.config(study.space.paper)
    top = [history.trials[trial.number] for trial in of_history("", study, history).top[: study.confirm_top]]
    roles = ["best", *(f"best-{rank}" for rank in range(2, len(top) + 1))]
    wanted: list[Confirmation] = [
        *((role, t.asked.settings, t.config) for role, t in zip(roles, top, strict=False)),
        ("paper", study.space.paper, paper),
        ("CE", {}, plain_cross_entropy(paper)),
    ]
    wanted += _exact(wanted[0]) if study.confirm_full else []
    for k in range(1, study.confirm + 1):
        for role, settings, config in wanted:
            yield role, settings, _reseeded(config, k, study.resample and role != "exact")


def _exact(winner: Confirmation) -> list[Confirmation]:
    """The winner on the literature's exact subset, without val; none where its method reads val or a meta part."""
    try:
        return [("exact", winner[1], override(winner[2], {"data.val_per_class": 0}))]
    except InputError:
        return []


def _reseeded(config: TrainConfig, k: int, resample: bool) -> TrainConfig:
    """A config on its k-th fresh seed: of all draws, and, to resample, of the images, too."""
    changes = {"seed": config.seed + k}
    if resample:
        changes["data.subset_seed"] = config.data.subset_seed + k
    return override(config, changes)


def asked(
    number: int,
    kind: Kind,
    role: str,
    settings: Mapping[str, Any],
    config: TrainConfig,
    study: Study,
    identity: Identity,
) -> Asked:
    """The event that asks for one training of a study."""
    symbols = {symbol: settings.get(symbol, "none") for symbol in study.space.symbols}
    params = symbols | params_of(config) | dict(settings)  # a space's own `method` or `epochs` is what it says
    return Asked(
        trial=number,
        kind=kind,
        role=role,
        settings=dict(settings),
        config=config.plain(),
        params=params,
        tags={**identity.tags(config), "lt.role": role or "none"},
    )
