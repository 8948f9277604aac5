"""What each sampler can search, and what it makes of trials that did not finish: the one table of it.

Read from Optuna 5's source and tried. Early-stopped trials are told as PRUNED with their last score, failed ones as
FAIL, which every sampler leaves out. Not here: Optuna.
"""

from dataclasses import dataclass
from typing import Literal

SamplerName = Literal["tpe", "gp", "qmc", "random", "cmaes", "grid"]


@dataclass(frozen=True)
class Traits:
    """One sampler.

    adapts: learns from results; the others draw whatever came out.
    sees_stopped: learns from early-stopped trials (of those that adapt).
    sees_pruned: diverged trials are told as PRUNED with NaN; else as COMPLETE at chance level, 1/C.
    labels, branches: searches a `Choice`, a `Branch`, and not at random.
    objectives: takes several. constraints: heeds them.
    stateful: what it suggests depends on its earlier suggestions, which are made again when a study goes on.
    """

    adapts: bool
    sees_stopped: bool
    sees_pruned: bool
    labels: bool
    branches: bool
    objectives: bool
    constraints: bool
    stateful: bool


SAMPLERS: dict[SamplerName, Traits] = {
    #               adapts stopped pruned labels branches objectives constraints stateful
    "tpe": Traits(True, True, True, True, True, True, True, False),
    "gp": Traits(True, False, False, True, False, True, True, False),
    "cmaes": Traits(True, False, False, False, False, False, False, True),
    "qmc": Traits(False, False, False, True, False, True, False, True),
    "random": Traits(False, False, False, True, True, True, False, False),
    "grid": Traits(False, False, False, True, True, True, False, False),
}
