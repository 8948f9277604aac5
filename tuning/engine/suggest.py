"""Spaces -> Optuna, and the searcher that Ray asks. The only importer of optuna and of ray.tune.search."""

import hashlib
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState
from ray.tune.search import Searcher

from search_spaces.domains import AnyDomain, Branch, Choice, Domains, Float, Int, Setting, active
from search_spaces.samplers import SAMPLERS
from search_spaces.study import Known, Study
from tuning.log.events import TrialRecord
from tuning.log.outcome import values, violations

WORST = 1.0  # violation of a bound on an accuracy: of trials that ended before they had one

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Adviser:
    """Optuna behind ask and tell, in memory, rebuilt from the trials of the log.

    A sampler is seeded anew from (study seed, n) before the n-th ask: what it suggests depends on the trials so far
    only, not on how often the study was interrupted. Samplers with a state are asked again for what they suggested
    before. With per_branch, each label has a sampler of its own.
    """

    def __init__(self, study: Study, trials: Sequence[TrialRecord], chance: float) -> None:
        """chance: the score of a diverged trial, for samplers that cannot be told so; 1/C."""
        self._study = study
        self._points = study.points
        symbol = study.branch[0] if study.branch else ""
        self._arms = [
            _Arm(study, space.domains, {symbol: label} if label else {}, chance) for label, space in study.arms.items()
        ]
        self._arm_of: dict[int, _Arm] = {}
        for known in study.known:
            self._arm(known.settings).add_known(known)
        for place, trial in sorted(_places(trials), key=lambda found: found[0]):
            self._again(trial, ended=place != trial.asked_at)

    def ask(self, number: int) -> dict[str, Setting]:
        """The point of the next trial, which will be known by this number."""
        n = len(self._arm_of)
        given = self._points[n] if n < len(self._points) else None
        arm = self._arm(given) if given else min(self._arms, key=lambda arm: arm.asked)
        self._arm_of[number] = arm
        return arm.ask(number, n, given)

    def tell(self, trial: TrialRecord) -> None:
        """What became of a trial: values, a last value where it was stopped, NaN where it diverged, or nothing."""
        self._arm_of[trial.asked.trial].tell(trial)

    @property
    def studies(self) -> list[optuna.Study]:
        """What Optuna knows: one study, or one for each label."""
        return [arm.optuna for arm in self._arms]

    def _arm(self, settings: Mapping[str, Setting]) -> "_Arm":
        return next(arm for arm in self._arms if arm.label.items() <= settings.items())

    def _again(self, trial: TrialRecord, *, ended: bool) -> None:
        """An ask or a tell of an earlier start."""
        if ended:
            self.tell(trial)
            return
        arm = self._arm(trial.asked.settings)
        arm.ask_again(trial, suggested=len(self._arm_of) >= len(self._points))
        self._arm_of[trial.asked.trial] = arm


def _places(trials: Sequence[TrialRecord]) -> Iterator[tuple[int, TrialRecord]]:
    """Trials with the places in the log at which they were asked for and told."""
    for trial in trials:
        yield trial.asked_at, trial
        if trial.told is not None:
            yield trial.told_at, trial


class _Arm:
    """One Optuna study: over the whole space, or over what exists under one label."""

    def __init__(self, study: Study, domains: Domains, label: Mapping[str, Setting], chance: float) -> None:
        self.label = label
        self._study, self._domains, self._chance = study, domains, chance
        self._traits = SAMPLERS[study.sampler]
        self.optuna = optuna.create_study(
            directions=[optuna.study.StudyDirection.MAXIMIZE] * len(study.objectives),
            sampler=_sampler(study, _seed(study.seed, 0)),
        )
        self._ids: dict[int, int] = {}  # trial number -> Optuna's id

    @property
    def asked(self) -> int:
        """How many trials it was asked for."""
        return len(self._ids)

    def ask(self, number: int, n: int, given: Mapping[str, Setting] | None) -> dict[str, Setting]:
        """A point for the n-th ask of all: the given one, or what the sampler suggests."""
        if given is not None:
            self.optuna.enqueue_trial(_optuna_params(self._domains, given))
        if not self._traits.stateful:
            self.optuna.sampler = _sampler(self._study, _seed(self._study.seed, n))
        trial = self.optuna.ask()
        self._ids[number] = trial._trial_id
        return {**self.label, **_suggested(trial, self._domains)}

    def ask_again(self, trial: TrialRecord, *, suggested: bool) -> None:
        """Take a trial of an earlier start in; a sampler with a state that suggested it is asked as it was then."""
        if self._traits.stateful and suggested:
            self.optuna.enqueue_trial(_optuna_params(self._domains, trial.asked.settings))
            again = self.optuna.ask()
            _ = again.relative_params  # Optuna draws only when it must, and a trial that is given need not be drawn
            _suggested(again, self._domains)
        else:
            self.optuna.add_trial(self._frozen(trial.asked.settings))
        self._ids[trial.asked.trial] = self.optuna.get_trials(deepcopy=False)[-1]._trial_id

    def add_known(self, known: Known) -> None:
        """Take a finished trial of another study in."""
        broken = {str(c): known.violations.get(str(c), 0.0) for c in self._study.constraints}
        self.optuna.add_trial(self._frozen(known.settings, known.values, broken))

    def tell(self, trial: TrialRecord) -> None:
        """Pass a trial's end on."""
        state, values = self._outcome(trial)
        asked = optuna.trial.Trial(self.optuna, self._ids[trial.asked.trial])
        found = violations(self._study, trial)
        for text in map(str, self._study.constraints):
            asked.set_constraint(text, found.get(text, WORST))  # a sampler may want all of them, of every trial
        if state is TrialState.PRUNED and values and len(self._study.objectives) == 1:
            asked.report(values[0], trial.last["epoch"])
        self.optuna.tell(asked, values if state is TrialState.COMPLETE else None, state)

    def _frozen(
        self,
        settings: Mapping[str, Setting],
        values: Sequence[float] | None = None,
        broken: Mapping[str, float] | None = None,
    ) -> optuna.trial.FrozenTrial:
        """A trial of the past: finished with values and the violations of its constraints, or running."""
        params = _optuna_params(self._domains, settings)
        known = active(self._domains, settings)
        return optuna.trial.create_trial(
            state=TrialState.RUNNING if values is None else TrialState.COMPLETE,
            values=values,
            params=params,
            distributions={symbol: _distribution(known[symbol]) for symbol in params},
            constraints=dict(broken or {}),
        )

    def _outcome(self, trial: TrialRecord) -> tuple[TrialState, Sequence[float] | None]:
        """How Optuna is told: told as FAIL, a diverged trial would teach TPE nothing of where the cliff is."""
        found = values(self._study, trial)
        match trial.stop_reason:
            case "finished" if found is not None:
                return TrialState.COMPLETE, found
            case "early_stopped":
                return TrialState.PRUNED, found
            case "diverged" if self._traits.sees_pruned and len(self._study.objectives) == 1:
                return TrialState.PRUNED, [math.nan]
            case "diverged" if self._traits.adapts:
                return TrialState.COMPLETE, [self._chance] * len(self._study.objectives)
            case _:
                return TrialState.FAIL, None


def _suggested(trial: optuna.trial.Trial, domains: Domains) -> dict[str, Setting]:
    """A setting of each domain, and of those that exist under the labels that were drawn."""
    point: dict[str, Setting] = {}
    for symbol, domain in domains.items():
        point[symbol] = _setting(domain, _drawn(trial, symbol, _distribution(domain)))
        if isinstance(domain, Branch):
            point |= _suggested(trial, domain.arm(point[symbol]).domains)
    return point


def _drawn(trial: optuna.trial.Trial, symbol: str, distribution: BaseDistribution) -> Any:
    match distribution:
        case FloatDistribution():
            return trial.suggest_float(symbol, distribution.low, distribution.high, log=distribution.log)
        case IntDistribution():
            return trial.suggest_int(symbol, distribution.low, distribution.high, log=distribution.log)
        case CategoricalDistribution():
            return trial.suggest_categorical(symbol, distribution.choices)
    raise TypeError(distribution)


def _optuna_params(domains: Domains, settings: Mapping[str, Setting]) -> dict[str, Any]:
    """A point as Optuna knows it; what these domains do not have is left out."""
    known = active(domains, settings)
    return {symbol: _param(known[symbol], setting) for symbol, setting in settings.items() if symbol in known}


def _setting(domain: AnyDomain, drawn: Any) -> Setting:
    """What Optuna drew, as a domain has it: the complement of a complement, kept within the bounds."""
    if isinstance(domain, Float) and domain.log_complement:
        return min(max(1 - drawn, domain.low), domain.high)
    return drawn


def _param(domain: AnyDomain, setting: Setting) -> Any:
    if isinstance(domain, Float) and domain.log_complement:
        return min(max(1 - float(setting), 1 - domain.high), 1 - domain.low)
    return setting


def _distribution(domain: AnyDomain) -> BaseDistribution:
    match domain:
        case Float() if domain.log_complement:
            return FloatDistribution(1 - domain.high, 1 - domain.low, log=True)
        case Float():
            return FloatDistribution(domain.low, domain.high, log=domain.log)
        case Int():
            return IntDistribution(domain.low, domain.high, log=domain.log)
        case Choice() | Branch():
            return CategoricalDistribution(list(domain.labels))


def _sampler(study: Study, seed: int) -> optuna.samplers.BaseSampler:
    """A fresh sampler. Those that draw at random first do so for at most a third of a small study."""
    trials = study.per_branch or study.wanted
    startup = min(10, max(2, trials // 3))
    match study.sampler:
        case "tpe":
            return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)
        case "gp":
            return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup, deterministic_objective=False)
        case "cmaes":
            return optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
        case "qmc":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                return optuna.samplers.QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False)
        case "random" | "grid":
            return optuna.samplers.RandomSampler(seed=seed)


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
