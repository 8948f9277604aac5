"""Spaces -> Optuna, and the searcher that Ray asks. The only importer of optuna and of ray.tune.search."""

import hashlib
import math
from collections.abc import Mapping
from typing import Any, Protocol

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from ray.tune.search import Searcher

from search_spaces.space import Choice, Float, Int, Setting
from search_spaces.study import Study
from tuning.events import TrialRecord

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Adviser:
    """Optuna behind ask and tell, in memory, rebuilt from the finished and unfinished trials of the log.

    The sampler is seeded anew from (study seed, n) before the n-th ask: what it suggests depends on the trials so
    far only, not on how often the study was interrupted.
    """

    def __init__(self, study: Study, trials: list[TrialRecord]) -> None:
        self._study = study
        self._distributions = {s: _distribution(d) for s, d in study.space.domains.items()}
        self._optuna = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler())
        self._asked: dict[int, int] = {}  # trial number -> Optuna's id
        for trial in trials:
            self._optuna.add_trial(self._frozen(trial))
            self._asked[trial.asked.trial] = self._optuna.get_trials(deepcopy=False)[-1]._trial_id

    def ask(self, number: int) -> dict[str, Setting]:
        """The point of the next trial, which will be known by this number."""
        n = len(self._asked)
        if n < len(self._study.points):
            self._optuna.enqueue_trial(dict(self._study.points[n]))
        self._optuna.sampler = _sampler(self._study.sampler, _seed(self._study.seed, n))
        trial = self._optuna.ask(self._distributions)
        self._asked[number] = trial._trial_id
        return dict(trial.params)

    def tell(self, trial: TrialRecord) -> None:
        """What became of a trial: a score, a last value where it was stopped, NaN where it diverged, or nothing."""
        state, value = _outcome(trial)
        asked = optuna.trial.Trial(self._optuna, self._asked[trial.asked.trial])
        if state is TrialState.PRUNED and value is not None:
            asked.report(value, trial.last["epoch"])
        self._optuna.tell(asked, value if state is TrialState.COMPLETE else None, state)

    def _frozen(self, trial: TrialRecord) -> optuna.trial.FrozenTrial:
        state, value = _outcome(trial)
        pruned = state is TrialState.PRUNED and value is not None
        return optuna.trial.create_trial(
            state=state,
            value=value if state in (TrialState.COMPLETE, TrialState.PRUNED) and not _nan(value) else None,
            params=trial.asked.settings,
            distributions=self._distributions,
            intermediate_values={trial.last["epoch"]: value} if pruned and value is not None else {},
        )


def _outcome(trial: TrialRecord) -> tuple[TrialState, float | None]:
    """How Optuna is told: told as FAIL, a diverged trial would teach TPE nothing of where the cliff is."""
    score = trial.last["score"]
    match trial.stop_reason:
        case "running":
            return TrialState.RUNNING, None
        case "finished":
            return TrialState.COMPLETE, score
        case "early_stopped":
            return TrialState.PRUNED, score
        case "diverged":
            return TrialState.PRUNED, math.nan
        case _:
            return TrialState.FAIL, None


def _nan(value: float | None) -> bool:
    return value is not None and math.isnan(value)


def _distribution(domain: Float | Int | Choice) -> BaseDistribution:
    match domain:
        case Float():
            return FloatDistribution(domain.low, domain.high, log=domain.log)
        case Int():
            return IntDistribution(domain.low, domain.high, log=domain.log)
        case Choice():
            return CategoricalDistribution(list(domain.labels))


def _sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(seed=seed) if name == "tpe" else optuna.samplers.RandomSampler(seed=seed)


def _seed(study_seed: int, n: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{study_seed}/{n}".encode()).digest()[:4], "big")


class Source(Protocol):
    """What the searcher asks for trials; it alone says when there are no more."""

    def next(self) -> Mapping[str, Any] | None:
        """The next trial's assignment, None to be asked again later."""
        ...

    @property
    def over(self) -> bool:
        """Whether no trial will come any more."""
        ...

    def lost(self, number: int) -> None:
        """Ray gave a trial up."""
        ...


class RaySearcher(Searcher):
    """Ray's view of a source. Ray's snapshots are not used, so it pickles to nothing."""

    def __init__(self, source: Source) -> None:
        super().__init__(metric="epoch", mode="max")
        self._source = source
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> Any:
        """The next trial's assignment as Ray's config; None for later, FINISHED for never."""
        assignment = self._source.next()
        if assignment is None:
            return Searcher.FINISHED if self._source.over else None
        self._numbers[trial_id] = assignment["trial"]
        return dict(assignment)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Pass on that Ray gave a trial up, after its retries."""
        if error and trial_id in self._numbers:
            self._source.lost(self._numbers[trial_id])

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the event log is the truth."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the event log is the truth."""

    def __getstate__(self) -> dict[str, Any]:
        return {}
