"""Which settings mattered: PED-ANOVA by Optuna, over trials of full length only.

A score of fewer epochs is another quantity: mixed in, early stopping itself would look like an effect.
"""

import math
import warnings
from dataclasses import dataclass

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from tuning.log.results import Results, Trial
from tuning.reports.scales import Scale, scales

optuna.logging.set_verbosity(optuna.logging.ERROR)

FEWEST = 4  # trials, below which nothing can be said
ENOUGH = 20  # trials, below which importances are hardly more than noise
TOP_TRIALS = 5  # that PED-ANOVA wants above its quantile, as Optuna advises


@dataclass(frozen=True)
class Importance:
    """The share of each symbol, most important first; they sum to 1.

    trials: how many of full length it rests on. quantile: the share of them that counts as good. unjudged: symbols that
    only some trials have, and too few of them.
    """

    shares: dict[str, float]
    trials: int
    quantile: float
    unjudged: tuple[str, ...] = ()

    @property
    def is_enough(self) -> bool:
        """Whether it rests on enough trials to be more than noise."""
        return self.trials >= ENOUGH

    @property
    def caption(self) -> str:
        """What it rests on, with a warning where that is little."""
        about = f"PED-ANOVA: what makes a trial one of the best {self.quantile:.0%} of {self.trials} of full length"
        noise = "" if self.is_enough else f". Fewer than {ENOUGH} trials: hardly more than noise"
        left = f". Fewer than {ENOUGH} have {', '.join(self.unjudged)}: not judged" if self.unjudged else ""
        return f"{about}{noise}{left}"


def importance(results: Results) -> Importance | None:
    """The importance of each symbol for the score; None with fewer than 4 trials of full length, or equal scores.

    Of the symbols that only some trials have, a branch's, those that many have: over a handful, noise looks like all.
    """
    trials = [trial for trial in results.ranked if trial.stop_reason == "finished"]
    if len(trials) < FEWEST or len({trial.score for trial in trials}) < 2:
        return None
    quantile = min(0.5, max(0.1, TOP_TRIALS / len(trials)))
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler())
    study.add_trials([_frozen(trial, scales(results.study.space)) for trial in trials])
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=quantile)
    having = {symbol: sum(symbol in trial.settings for trial in trials) for symbol in results.study.space.symbols}
    judged = [symbol for symbol, n in having.items() if n == len(trials) or n >= ENOUGH]
    with warnings.catch_warnings():  # that few trials tell little is in our own caption
        warnings.simplefilter("ignore")
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator, params=judged)
    good = math.ceil(quantile * len(trials)) / len(trials)
    unjudged = tuple(symbol for symbol in having if symbol not in judged)
    return Importance(dict(sorted(shares.items(), key=lambda share: -share[1])), len(trials), good, unjudged)


def _frozen(trial: Trial, axes: dict[str, Scale]) -> optuna.trial.FrozenTrial:
    """A trial as Optuna has it, its numbers by their places on their axes."""
    known = {symbol: value for symbol, value in trial.settings.items() if symbol in axes}
    params = {s: value if axes[s].kind == "labels" else _inside(axes[s].position(value)) for s, value in known.items()}
    distributions = {symbol: _distribution(axes[symbol]) for symbol in known}
    return optuna.trial.create_trial(value=trial.score, params=params, distributions=distributions)


def _inside(place: float) -> float:
    return min(1.0, max(0.0, place))  # but for rounding, it is


def _distribution(scale: Scale) -> BaseDistribution:
    return CategoricalDistribution(scale.labels) if scale.kind == "labels" else FloatDistribution(0.0, 1.0)
