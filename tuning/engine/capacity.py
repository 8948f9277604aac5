"""What a machine or a cluster holds, and how many trials of what they need fit on it.

Does not import Ray, which plans for this machine do not wait for.
"""

import os
import sys
from collections.abc import Mapping
from typing import Protocol, TypeVar

import torch

from lt_core.value import InputError
from search_spaces.ablation import Ablation
from search_spaces.study import Study

Needs = TypeVar("Needs", Study, Ablation)


class Resources(Protocol):
    """What trainings of a study or a table may have; None of gpus or concurrent: as the cluster has it."""

    @property
    def cpus(self) -> float:
        """Of a training."""
        ...

    @property
    def gpus(self) -> float | None:
        """Of a training."""
        ...

    @property
    def concurrent(self) -> int | None:
        """Trainings at a time."""
        ...


def check_fits(needs: Resources) -> None:
    """InputError where a trial needs more than this machine has; a cluster may grow, so it is not asked."""
    if lacking := too_big(needs):
        raise InputError(lacking)


def too_big(needs: Resources) -> str:
    """What a trial needs more of than this machine has, in words; '' where it fits."""
    total = _resources()
    lacking = [name for name, amount in needed(needs).items() if amount > total.get(name, 0)]
    asked, there = (
        " and ".join(f"{held.get(name, 0):g} {name}" for name in lacking) for held in (needed(needs), total)
    )
    return f"a trial needs {asked}, but this machine has {there}" if lacking else ""


def slots(needs: Resources) -> int:
    """How many trials run at a time: as asked, or as many as the cluster holds now."""
    return needs.concurrent or _fits(needs)


def held(needs: Needs) -> Needs:
    """The same with no more trials at a time than this machine holds: those that wait would be asked for blindly."""
    fits = _fits(needs)
    return needs.replaced(concurrent=fits) if needs.concurrent and needs.concurrent > fits else needs


def too_many(needs: Resources) -> list[str]:
    """That fewer trials run at a time on this machine than was asked for, in words; nothing where that is not so."""
    if needs.concurrent is None or needs.concurrent <= (fits := _fits(needs)):
        return []
    return [f"concurrent is {needs.concurrent}, but this machine holds {fits} at a time"]


def _fits(needs: Resources) -> int:
    total = _resources()
    return max(1, min(int(total.get(name, 0) / amount) for name, amount in needed(needs).items() if amount))


def _resources() -> Mapping[str, float]:
    """What the cluster holds now; before Ray is connected, what this machine does."""
    ray = sys.modules.get("ray")  # who is connected has imported it
    if ray is not None and ray.is_initialized():
        return ray.cluster_resources()
    return {"CPU": float(os.cpu_count() or 1), "GPU": float(torch.cuda.device_count())}


def needed(needs: Resources) -> dict[str, float]:
    """What a trial needs, by Ray's names."""
    return {"CPU": needs.cpus, "GPU": gpus_per_trial(needs)}


def gpus_per_trial(needs: Resources) -> float:
    """GPUs per trial: as asked, or one if the cluster has any."""
    return needs.gpus if needs.gpus is not None else float(_resources().get("GPU", 0) >= 1)


def device_share(needs: Resources) -> float:
    """The part of a GPU, or else of a CPU core, that a trial has."""
    return min(1.0, gpus_per_trial(needs) or needs.cpus)
