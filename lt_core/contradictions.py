"""Which parts of a config make no sense together: one sentence each, which begins with the path of what to change.

They are told when the config is built.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lt_core.losses import LDAM, Equalization, SigmoidEqualization
from lt_core.meta import NoReweighting
from lt_core.posthoc import NoPostHoc
from lt_core.weights import ClassDifficulty

if TYPE_CHECKING:
    from lt_core.config import TrainConfig
    from lt_core.phases import Phase


def contradictions(config: "TrainConfig") -> Iterator[str]:
    """What is wrong with a config whose fields are each right."""
    for i, phase in enumerate(config.phases):
        yield from _about_head(config, phase, f"phases.{i}")
        yield from _about_meta(config, phase, f"phases.{i}")
        yield from _about_rare_classes(config, phase, f"phases.{i}")
        yield from _about_restart(phase, f"phases.{i}")
    yield from _about_clips(config)
    yield from _about_evaluation(config)


def _about_head(config: "TrainConfig", phase: "Phase", path: str) -> Iterator[str]:
    if isinstance(phase.loss, LDAM) and config.model.head is None:
        yield (
            f"{path}.loss is ldam, whose margins are between cosines: set model.head to cosine, "
            "or state linear as IB's Tiny ImageNet code does"
        )


def _about_meta(config: "TrainConfig", phase: "Phase", path: str) -> Iterator[str]:
    has_meta = config.data.meta_source not in ("none", "returned")
    said = f"data.meta_source is {config.data.meta_source}"
    if isinstance(phase.weights, ClassDifficulty) and not has_meta:
        yield f"{path}.weights is class_difficulty, which reads accuracies on the meta part: {said}"
    if not isinstance(phase.reweighting, NoReweighting):
        if not has_meta:
            yield f"{path}.reweighting is {phase.reweighting.kind}, which reads the meta part: {said}"
        if config.data.mixup:
            yield f"{path}.reweighting is {phase.reweighting.kind}, which has no mixup: data.mixup must be 0"


def _about_rare_classes(config: "TrainConfig", phase: "Phase", path: str) -> Iterator[str]:
    counts, loss = config.data.counts, phase.loss
    if not isinstance(loss, Equalization | SigmoidEqualization) or loss.equals_ce or counts is None:
        return
    rarest = min(counts) / sum(counts)
    if rarest >= loss.lambda_:
        yield (
            f"{path}.loss.lambda is {loss.lambda_:g}, which leaves no rare class: the rarest has a frequency of "
            f"{rarest:.3g}; state equals_ce: true if it is to equal CE"
        )


def _about_restart(phase: "Phase", path: str) -> Iterator[str]:
    if phase.restart and not phase.warmup and phase.restart.optimizer.warmup_epochs:
        yield f"{path}.warmup is false, but its restart has warmup_epochs {phase.restart.optimizer.warmup_epochs}"


def _about_clips(config: "TrainConfig") -> Iterator[str]:
    if config.model.clips != (config.data.name == "egtea"):
        reads = "clips" if config.model.clips else "images"
        yield f"model.kind is {config.model.kind}, which reads {reads}; {config.data.name} has the other"
    if config.model.clips and config.channels_last:
        yield f"channels_last is true; {config.model.kind} reads clips, for which torch has no such layout"


def _about_evaluation(config: "TrainConfig") -> Iterator[str]:
    classes = config.data.classes
    if config.evaluation.top5 and classes is not None and classes <= 5:
        yield f"evaluation.top5 is true, but {config.data.name} has {classes} classes: each is among the first five"
    post_hoc = config.evaluation.post_hoc
    if not isinstance(post_hoc, NoPostHoc) and config.model.head == "cosine":
        yield f"evaluation.post_hoc is {post_hoc.kind}, which is for the logits of a linear head: model.head is cosine"
