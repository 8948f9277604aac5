"""All methods in one space, by a branch: each with the hyperparameters that its paper names, all with equal domains for
learning rate and weight decay. Imports the papers' files; none of them imports this one.
"""

from lt_core import TrainConfig
from search_spaces import baselines
from search_spaces.cb2019 import class_balanced
from search_spaces.cdb2020 import class_difficulty, tau_rules
from search_spaces.domains import AnyDomain, Arm, Branch, Float, Int, Patch
from search_spaces.ib2021 import influence_balanced
from search_spaces.presets import cifar_lt, digits_lt
from search_spaces.space import Space


def difference(base: TrainConfig, config: TrainConfig) -> Patch:
    """The patch that makes one config of another, by whole fields."""
    old, new = base.plain(), config.plain()
    return {field: new[field] for field in new if new[field] != old[field]}


def beta(path: str) -> Float:
    """CB's beta: the number of nines counts."""
    return Float(path=path, low=0.9, high=0.99999, log_complement=True)


def method_space(name: str, about: str, base: TrainConfig, T1: int, switches: tuple[int, int]) -> Space:
    """Every method on a base of plain CE that has a meta part; IB's T1 and DRW's epoch lie between the `switches`."""
    low, high = switches
    start = Int(path="phases.1.start", low=low, high=high)
    deferred = round(0.8 * base.epochs)
    arms: list[tuple[TrainConfig, dict[str, AnyDomain]]] = [
        (base, {}),
        (baselines.focal(base), {"gamma": Float(path="phases.0.loss.gamma", low=0.0, high=5.0)}),
        (class_balanced(base), {"beta": beta("phases.0.weights.beta")}),
        (
            influence_balanced(base, T1=T1, lr_scale=0.1),
            {
                "T1": start,
                "epsilon": Float(path="phases.1.loss.epsilon", low=1e-8, high=1e-1, log=True),
                "alpha": Float(path="phases.1.loss.alpha", low=10, high=1e5, log=True),
                "lr_scale": Float(path="phases.1.lr_scale", low=1e-3, high=1, log=True),
            },
        ),
        (class_difficulty(base), {"tau_rule": tau_rules("paper")}),
        (
            baselines.ldam_drw(base, start=deferred),
            {
                "drw_epoch": start,
                "beta": beta("phases.1.weights.beta"),
                "ldam_m": Float(path="phases.0.loss.max_m", low=0.1, high=1, also=("phases.1.loss.max_m",)),
            },
        ),
        (baselines.ce_drw(base, start=deferred), {"drw_epoch": start, "beta": beta("phases.1.weights.beta")}),
        (baselines.balanced_softmax(base), {"la_tau": Float(path="phases.0.loss.tau", low=0.25, high=3)}),
        (
            baselines.vector_scaling(base),
            {
                "vs_gamma": Float(path="phases.0.loss.gamma", low=0, high=0.5),
                "vs_tau": Float(path="phases.0.loss.tau", low=0, high=3),
            },
        ),
        (
            baselines.equalization(base, lambda_=0.03),
            {"eql_lambda": Float(path="phases.0.loss.lambda", low=0.02, high=0.2, log=True)},
        ),
        (
            baselines.post_hoc_adjusted(base),
            {"la_tau": Float(path="evaluation.post_hoc.tau", low=0.25, high=3)},
        ),
    ]
    labels = {config.method: Arm(patch=difference(base, config), domains=own) for config, own in arms}
    return Space(
        name=name,
        about=about,
        base=base,
        domains={
            "method": Branch(labels=labels),
            "lr": Float(path="optimizer.lr", low=0.01, high=0.5, log=True),
            "weight_decay": Float(path="optimizer.weight_decay", low=1e-5, high=1e-2, log=True),
        },
    )


def _with_meta(base: TrainConfig) -> TrainConfig:
    """The base with val as its meta part, which class difficulty reads."""
    return base.replaced(data=base.data.replaced(meta_source="val"))


METHODS = method_space(
    "methods",
    "all methods on CIFAR-10, imbalance 100, ResNet-32, each with its own hyperparameters",
    _with_meta(cifar_lt("cifar10", imbalance=100)),
    T1=100,
    switches=(0, 160),
)

DEMO_METHODS = method_space(
    "demo-methods",
    "all methods on handwritten digits, imbalance 20, 16 epochs, each with its own hyperparameters",
    _with_meta(digits_lt(imbalance=20)),
    T1=8,
    switches=(0, 13),
)
