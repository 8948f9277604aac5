"""Base configs by dataset, each with the recipe of the repository that its docstring names."""

from lt_core import SGD, Data, Phase, ResNet32, SmallCNN, Step, TrainConfig


def digits_lt(imbalance: float) -> TrainConfig:
    """Long-tailed digits, 16 epochs of a small CNN: seconds on a laptop. Plain CE reaches a val accuracy near .9.

    The milestones are those of the LDAM and IB code (160 and 180 of 200) at 16 epochs.
    """
    return TrainConfig(
        data=Data(name="digits", imbalance=imbalance, val_per_class=30),
        model=SmallCNN(),
        optimizer=SGD(lr=0.05, warmup_epochs=1, schedule=Step(milestones=(13, 14))),
        batch_size=16,
        epochs=16,
        phases=(Phase(),),
    )


def cifar10_lt(imbalance: float) -> TrainConfig:
    """Long-tailed CIFAR-10 with ResNet-32, 200 epochs, as the code of LDAM (Cao et al., NeurIPS 2019) and IB."""
    return TrainConfig(
        data=Data(name="cifar10", imbalance=imbalance, augment="crop_flip"),
        model=ResNet32(),
        phases=(Phase(),),
    )
