"""What a method must beat: the same training without the method."""

from lt_core import Phase, TrainConfig


def plain_cross_entropy(config: TrainConfig) -> TrainConfig:
    """Plain CE of the same length on the same data, network, optimizer and seed; no class weights, one phase.

    Its head is linear: CE has no scale for a cosine head's logits in [-1, 1].
    """
    model = config.model.model_copy(update={"head": None}) if config.model.head == "cosine" else config.model
    return config.replaced(phases=(Phase(),), model=model)
