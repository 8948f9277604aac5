"""What a method must beat: the same training without the method."""

from lt_core import Phase, TrainConfig


def plain_cross_entropy(config: TrainConfig) -> TrainConfig:
    """Plain CE of the same length on the same data, network, optimizer and seed; no class weights, one phase."""
    return config.replaced(phases=(Phase(),))
