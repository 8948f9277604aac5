"""The methods that the papers compare to, each put on a base config of plain CE. Names: those of the papers' tables."""

from lt_core import Phase, TrainConfig, override
from lt_core.losses import (
    LDAM,
    CrossEntropy,
    Equalization,
    Focal,
    LogitAdjusted,
    Loss,
    SigmoidCrossEntropy,
    SigmoidFocal,
    VectorScaling,
)
from lt_core.meta import LearningToReweight, MetaWeightNet
from lt_core.optim import Cosine
from lt_core.phases import Restart
from lt_core.posthoc import PostHocLogitAdjustment, TauNormalization
from lt_core.weights import EffectiveNumber, InverseFrequency, NoWeights, Weights
from search_spaces.domains import Float, Int
from search_spaces.presets import cifar_lt
from search_spaces.space import Space


def plain(base: TrainConfig) -> TrainConfig:
    """CE, which a base config is."""
    return base


def with_loss(base: TrainConfig, loss: Loss, weights: Weights | None = None) -> TrainConfig:
    """One loss, with or without class weights, from the first epoch to the last."""
    return base.replaced(phases=(Phase(loss=loss, weights=weights or NoWeights()),))


def inverse_frequency(base: TrainConfig, power: float = 1.0) -> TrainConfig:
    """CE weighted by inverse class frequency (IFW), or a power of it, 0.5 is the square root; torch's weighted mean."""
    return with_loss(base, CrossEntropy(), InverseFrequency(power=power, reduction="weighted_mean"))


def focal(base: TrainConfig, gamma: float = 1.0) -> TrainConfig:
    """Softmax focal loss (Lin et al., ICCV 2017), without the factor and the weights of the IB code."""
    return with_loss(base, Focal(gamma=gamma))


def sigmoid_loss(base: TrainConfig, loss: SigmoidCrossEntropy | SigmoidFocal, weights: Weights) -> TrainConfig:
    """A sum of binary losses, whose final bias starts at -ln(C - 1), free of weight decay (Class-Balanced code)."""
    decay = "no_final_bias" if base.optimizer.decay == "all" else base.optimizer.decay  # the other scope has no bias
    return with_loss(override(base, {"model.bias_init": "prior", "optimizer.decay": decay}), loss, weights)


def equalization(base: TrainConfig, lambda_: float = 0.005, gamma: float = 0.9) -> TrainConfig:
    """Softmax equalization loss (Tan et al., CVPR 2020), with the settings of CIFAR-100-LT."""
    return with_loss(base, Equalization(lambda_=lambda_, gamma=gamma))


def balanced_softmax(base: TrainConfig) -> TrainConfig:
    """Balanced Softmax (Ren et al., NeurIPS 2020): the logit-adjusted loss at tau 1."""
    return with_loss(base, LogitAdjusted())


def vector_scaling(base: TrainConfig, gamma: float = 0.15, tau: float = 1.25) -> TrainConfig:
    """VS loss (Kini et al., NeurIPS 2021), with its settings of CIFAR-10."""
    return with_loss(base, VectorScaling(gamma=gamma, tau=tau))


def ldam(base: TrainConfig) -> TrainConfig:
    """LDAM (Cao et al., NeurIPS 2019) with its cosine head."""
    return with_loss(_cosine(base), LDAM())


def ldam_drw(base: TrainConfig, start: int | None = None, beta: float = 0.9999) -> TrainConfig:
    """LDAM-DRW (Cao et al., NeurIPS 2019): LDAM, with class weights in a second phase, from epoch 161 of 200."""
    weighted = Phase(
        start=_deferred(base, start), loss=LDAM(), weights=EffectiveNumber(beta=beta, reduction="weighted_mean")
    )
    return _cosine(base).replaced(phases=(Phase(loss=LDAM()), weighted))


def ce_drw(base: TrainConfig, start: int | None = None, beta: float = 0.9999) -> TrainConfig:
    """CE with deferred re-weighting (Cao et al., NeurIPS 2019)."""
    weighted = Phase(start=_deferred(base, start), weights=EffectiveNumber(beta=beta, reduction="weighted_mean"))
    return base.replaced(phases=(Phase(), weighted))


def ce_drs(base: TrainConfig, start: int | None = None) -> TrainConfig:
    """CE with deferred re-sampling (Cao et al., NeurIPS 2019): class-balanced batches in a second phase."""
    return base.replaced(phases=(Phase(), Phase(start=_deferred(base, start), sampler="class_balanced")))


def crt(base: TrainConfig, epochs: int = 10) -> TrainConfig:
    """Classifier re-training (Kang et al., ICLR 2020): after CE, a new classifier on class-balanced batches."""
    optimizer = base.optimizer.replaced(warmup_epochs=0, schedule=Cosine())
    again = Phase(start=base.epochs, sampler="class_balanced", train="classifier", restart=Restart(optimizer=optimizer))
    return base.replaced(epochs=base.epochs + epochs, phases=(Phase(), again))


def tau_normalised(base: TrainConfig, tau: float = 1.0) -> TrainConfig:
    """CE, evaluated with a tau-normalised classifier (Kang et al., ICLR 2020)."""
    return override(base, {"evaluation.post_hoc": TauNormalization(tau=tau).plain()})


def post_hoc_adjusted(base: TrainConfig, tau: float = 1.0) -> TrainConfig:
    """CE, evaluated with adjusted logits (Menon et al., ICLR 2021): costs nothing, so every loss must beat it."""
    return override(base, {"evaluation.post_hoc": PostHocLogitAdjustment(tau=tau).plain()})


def l2rw(base: TrainConfig) -> TrainConfig:
    """L2RW (Ren et al., ICML 2018); 5 + 5 meta images out of the counted ones, unless the base holds some out."""
    return _reweighted(base, Phase(reweighting=LearningToReweight()), meta_per_class=5)


def meta_weight_net(base: TrainConfig) -> TrainConfig:
    """Meta-Weight-Net (Shu et al., NeurIPS 2019); 10 meta images a class, unless the base holds some out."""
    return _reweighted(base, Phase(reweighting=MetaWeightNet()), meta_per_class=10)


def _deferred(base: TrainConfig, start: int | None) -> int:
    """Where the second phase begins: at 160 of 200 epochs, and at that share of any other length."""
    return round(0.8 * base.epochs) if start is None else start


def _reweighted(base: TrainConfig, phase: Phase, meta_per_class: int) -> TrainConfig:
    own = {"meta_source": "train", "meta_per_class": meta_per_class}
    data = base.data if base.data.meta_source == "heldout" else base.data.replaced(**own)
    return base.replaced(data=data, phases=(phase,))


def _cosine(base: TrainConfig) -> TrainConfig:
    """The base with a cosine head, unless it states which."""
    return override(base, {"model.head": base.model.head or "cosine"})


LDAM_DRW = Space(
    name="ldam-drw",
    about="LDAM-DRW on CIFAR-10, imbalance 100, ResNet-32: DRW's epoch, beta, margin, scale",
    base=ldam_drw(cifar_lt("cifar10", imbalance=100)),
    domains={
        "drw_epoch": Int(path="phases.1.start", low=100, high=180),
        "beta": Float(path="phases.1.weights.beta", low=0.9, high=0.99999, log_complement=True),
        "ldam_m": Float(path="phases.0.loss.max_m", low=0.1, high=1, also=("phases.1.loss.max_m",)),
        "ldam_s": Float(path="phases.0.loss.s", low=5, high=60, log=True, also=("phases.1.loss.s",)),
    },
)
