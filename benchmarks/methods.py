"""Every method on one short recipe, trained and tested; prints a Markdown table as it goes.

    LT_DATA=... python benchmarks/methods.py mnist [--splits 5]      CDB's task, 4 against 9: test error, mean and std
    LT_DATA=... python benchmarks/methods.py cifar10 [--seed 0]      imbalance 100, 10 epochs: accuracy, head and tail

A run this short can neither confirm nor refute a paper.
"""

import argparse
import os
import statistics
from collections.abc import Callable
from pathlib import Path

from lt_core import EffectiveNumber, Run, TrainConfig, override, scaled
from lt_core.metrics import measures
from search_spaces import baselines
from search_spaces.cb2019 import class_balanced
from search_spaces.cdb2020 import class_difficulty
from search_spaces.ib2021 import influence_balanced
from search_spaces.presets import cifar_lt, mnist_4_9

Method = Callable[[TrainConfig], TrainConfig]

MNIST: dict[str, Method] = {
    "CE": lambda base: base,
    "IFW": baselines.inverse_frequency,
    "Focal": baselines.focal,
    "CB": class_balanced,
    "EQL": lambda base: baselines.equalization(base, lambda_=0.03),
    "L2RW": baselines.l2rw,
    "CDB-CE": class_difficulty,
}
CIFAR10: dict[str, Method] = {
    "CE": lambda base: base,
    "Focal": baselines.focal,
    "CB": class_balanced,
    "LDAM-DRW": lambda base: baselines.ldam_drw(base, start=7),
    "IB": lambda base: influence_balanced(base, T1=4),
    "IB+CB": lambda base: influence_balanced(base, T1=4, weights=EffectiveNumber()),
    "IB+Focal": lambda base: influence_balanced(base, T1=4, gamma=1.0),
    "CDB-CE": lambda base: class_difficulty(override(base, {"data.meta_source": "val"})),
    "BalSoft": baselines.balanced_softmax,
    "CE+LA": baselines.post_hoc_adjusted,
}


def tested(config: TrainConfig, root: Path) -> dict[str, dict[str, float]]:
    """All measures of the test part after a whole training, by selection."""
    run = Run(config, root)
    for _ in run.epochs():
        pass
    counts, groups = run.parts.class_counts, config.evaluation.groups
    return {selection: measures(found, counts, groups) for selection, found in run.evaluations().items()}


def mnist(root: Path, splits: int) -> None:
    """100 epochs of 50 steps, the rate times 0.1 after 75; errors in % at the best validation epoch."""
    print("| majority ratio | method | error, mean | std | minority error, mean | splits |\n|---|---|---|---|---|---|")
    for ratio in (0.98, 0.995):
        for name, method in MNIST.items():
            bases = [scaled(mnist_4_9(ratio, split), 100 / 4000) for split in range(splits)]
            found = [tested(override(method(base), {"seed": i}), root)["best_val"] for i, base in enumerate(bases)]
            errors, minority = ([100 * (1 - f[key]) for f in found] for key in ("acc", "acc[1]"))
            figures = (statistics.mean(errors), statistics.stdev(errors), statistics.mean(minority))
            print(f"| {ratio} | {name} | " + " | ".join(f"{f:.2f}" for f in figures) + f" | {splits} |", flush=True)


def cifar10(root: Path, seed: int) -> None:
    """10 epochs: one of warm-up by step, 0.1 up to 7, then 0.01; IB from 4, weights of DRW from 7."""
    base = override(
        cifar_lt("cifar10", imbalance=100),
        {
            "epochs": 10,
            "optimizer.warmup_epochs": 1,
            "optimizer.warmup": "per_step",
            "optimizer.schedule": {"kind": "step", "milestones": [7], "gamma": 0.1},
            "precision": "bf16",
            "channels_last": True,
            "seed": seed,
        },
    )
    print("| method | test acc, last | test acc, best val | head | tail | worst | ECE |\n|---|---|---|---|---|---|---|")
    for name, method in CIFAR10.items():
        found = tested(method(base), root)
        last = found["last"]
        rest = (last[key] for key in ("acc_head", "acc_tail", "acc_worst", "ece"))
        values = (last["acc"], found["best_val"]["acc"], *rest)
        print(f"| {name} | " + " | ".join(f"{100 * v:.2f}" for v in values) + " |", flush=True)


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["mnist", "cifar10"])
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    root = Path(os.environ["LT_DATA"])
    if options.task == "mnist":
        mnist(root, options.splits)
    else:
        cifar10(root, options.seed)


if __name__ == "__main__":
    main()
