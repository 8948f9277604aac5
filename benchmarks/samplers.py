"""Does the sampler find more than chance? TPE against random, on a made-up surrogate and on the digits.

    python benchmarks/samplers.py surrogate [--seeds 30] [--trials 100]
    python benchmarks/samplers.py digits [--seeds 20] [--trials 40] [--top 3]

The surrogate has IB's symbols, a branch, a cliff in alpha beyond which trials diverge, and noise of the size of a val
score; regret is the best mean there is less the mean at the point that scored best. On the digits the best of each
search is trained again on 5 fresh seeds, without early stopping. So are the best `top` and the paper's setting: the one
with the best mean is judged on 20 other seeds, which is what `search --confirm` and `export --by confirmed` come to.
Differences are in points of val accuracy.
"""

import argparse
import math
import random
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict

from scipy.stats import t as student

from lt_core import Run, override
from search_spaces import SPACES, Arm, Branch, Float, Space, Study
from search_spaces.demo import DIGITS_IB
from tuning.engine.suggest import Adviser
from tuning.log.events import Asked, EpochDone, History, Told

NOISE = 0.01
BEST = 0.8
CHANCE = 0.1
CLIFF = 2.5  # of log10 alpha + log10 lr / 2, beyond which trials diverge; the best point lies below at 1.75
CONFIRMING, OTHERS = range(1, 6), range(6, 26)  # seeds
SAMPLERS = ("tpe", "random")
Settings = dict[str, float | int | str]
Train = Callable[[Settings], float]  # a point's score; NaN where it diverges

SURROGATE = Space(
    name="surrogate",
    base=DIGITS_IB,
    domains={
        "loss": Branch(
            labels={
                "IB": Arm(domains={s: SPACES["demo"].domains[s] for s in ("T1", "epsilon", "alpha")}),
                "focal": Arm(
                    patch={"phases.1.loss": {"kind": "focal"}},
                    domains={"gamma": Float(path="phases.1.loss.gamma", low=0, high=5)},
                ),
            }
        ),
        "lr": Float(path="optimizer.lr", low=1e-3, high=1, log=True),
    },
)


def surrogate(settings: Settings) -> float:
    """The mean score of a point; NaN beyond the cliff."""
    lr = (math.log10(float(settings["lr"])) + 0.5) ** 2
    if settings["loss"] == "focal":
        return BEST - 0.1 - 0.05 * lr - 0.01 * (float(settings["gamma"]) - 1) ** 2
    T1, epsilon, alpha = (float(settings[symbol]) for symbol in ("T1", "epsilon", "alpha"))
    if math.log10(alpha) + 0.5 * math.log10(float(settings["lr"])) > CLIFF:
        return math.nan
    far = 0.04 * (math.log10(alpha) - 2) ** 2 + 0.004 * (math.log10(epsilon) + 6) ** 2 + 0.002 * (T1 - 3) ** 2
    return BEST - 0.05 * lr - far


def search(space: Space, sampler: str, seed: int, trials: int, train: Train) -> tuple[list[Settings], list[bool]]:
    """The points that were finished, the best score first, and which trials diverged."""
    study = Study.parse({"space": space.plain(), "sampler": sampler, "seed": seed, "trials": trials})
    adviser, history = Adviser(study, [], CHANCE), History()
    for number in range(trials):
        settings = adviser.ask(number)
        score = train(settings)
        diverged = math.isnan(score)
        result = {"epoch": 1, "train_loss": 0.0, "lr": 0.1, "seconds": 0.0, "val": {}, "diverged": diverged}
        result |= {"score": None if diverged else score, "best_epoch": None if diverged else 1}
        history.apply(Asked(number, "trial", "", settings, {}, {}, {}))
        history.apply(EpochDone(number, result, "made up"))
        history.apply(Told(number, "diverged" if diverged else "finished"))
        adviser.tell(history.trials[number])
    done = [trial for trial in history.trials.values() if trial.stop_reason == "finished"]
    ranked = sorted(done, key=lambda trial: -trial.last["score"])
    return [trial.asked.settings for trial in ranked], [
        trial.stop_reason == "diverged" for trial in history.trials.values()
    ]


def interval(values: list[float]) -> str:
    """Mean, its 95 % t interval, and its lower 95 % bound, of one side."""
    error = statistics.stdev(values) / math.sqrt(len(values))
    half, to_bound = (student.ppf(p, len(values) - 1) * error for p in (0.975, 0.95))
    mean = statistics.mean(values)
    return f"{mean:+.4f} [{mean - half:+.4f}, {mean + half:+.4f}], lower bound {mean - to_bound:+.4f}"


def halves(trials: int) -> tuple[slice, slice]:
    return slice(0, trials // 2), slice(trials // 2, None)


def on_surrogate(seeds: int, trials: int) -> None:
    regrets: dict[str, list[float]] = {sampler: [] for sampler in SAMPLERS}
    for sampler, found in regrets.items():
        cliffs = []
        for seed in range(seeds):
            noise = random.Random(seed)
            ranked, diverged = search(SURROGATE, sampler, seed, trials, lambda s: surrogate(s) + noise.gauss(0, NOISE))  # noqa: B023
            found.append(BEST - surrogate(ranked[0]))
            cliffs.append(diverged)
        half = trials // 2
        early, late = (
            statistics.mean(sum(d) / len(d) for d in parts)
            for parts in zip(*((d[:half], d[half:]) for d in cliffs), strict=True)
        )
        print(
            f"{sampler}: regret {interval(found)}; diverged {early:.0%} of the first half, {late:.0%} of the second",
            flush=True,
        )
    print("random - tpe:", interval([b - a for a, b in zip(regrets["tpe"], regrets["random"], strict=True)]))


def digits_score(settings: Settings, seed: int = 0) -> float:
    *_, last = Run(override(SPACES["demo"].config(settings), {"seed": seed})).epochs()
    return math.nan if last.diverged else float(asdict(last)["score"])


def confirmed(settings: Settings, seeds: range) -> float:
    return 100 * statistics.mean(digits_score(settings, seed) for seed in seeds)


def on_one_seed(seed: int, trials: int, top: int) -> list[tuple[float, float]]:
    """For each sampler: what its best by score reaches on fresh seeds, and what is the best confirmed on others."""
    found = []
    for sampler in SAMPLERS:
        ranked, _ = search(SPACES["demo"], sampler, seed, trials, digits_score)
        rivals = [*ranked[:top], SPACES["demo"].paper]
        means = [confirmed(settings, CONFIRMING) for settings in rivals]
        found.append((means[0], confirmed(rivals[means.index(max(means))], OTHERS)))
    return found


def on_digits(seeds: int, trials: int, top: int) -> None:
    """All seeds, as many at a time as there are cores."""
    with ProcessPoolExecutor() as pool:
        waiting = [pool.submit(on_one_seed, seed, trials, top) for seed in range(seeds)]
        found = []
        for seed, each in enumerate(waiting):
            found.append(each.result())
            shown = zip(SAMPLERS, found[-1], strict=True)
            print(f"seed {seed}:", *(f"{name} {score:.2f} {mean:.2f}" for name, (score, mean) in shown), flush=True)
    for i, what in enumerate(("the best by score", f"the best of {top} and the paper's by confirmed mean")):
        tpe, chance = ([each[place][i] for each in found] for place in range(2))
        print(
            f"{what}: tpe - random, in points: {interval([a - b for a, b in zip(tpe, chance, strict=True)])};", end=" "
        )
        print(f"tpe {statistics.mean(tpe):.2f}, random {statistics.mean(chance):.2f}")


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["surrogate", "digits"])
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--trials", type=int)
    parser.add_argument("--top", type=int, default=3)
    options = parser.parse_args()
    if options.task == "surrogate":
        on_surrogate(options.seeds or 30, options.trials or 100)
    else:
        on_digits(options.seeds or 20, options.trials or 40, options.top)


if __name__ == "__main__":
    main()
