"""Base configs: plain CE by dataset and by repository, whose recipe each docstring names.

The methods that are put on them stand in one file per paper. Class counts, schedules and normalisations are those of
the official code, which the papers' texts do not always repeat.
"""

from typing import Literal

from lt_core import LeNet5, ResNet, ResNet32, ResNeXt3D, SmallCNN, TrainConfig, override
from lt_core.config import Evaluation
from lt_core.data import Data
from lt_core.metrics import Groups
from lt_core.optim import SGD, Cosine, Step

Cifar = Literal["cifar10", "cifar100"]
Profile = Literal["exp", "step"]


def literature(base: TrainConfig) -> TrainConfig:
    """The literature's exact subset, which leaves no val image, tested after every epoch: papers report the best."""
    return override(base, {"data.val_per_class": 0, "evaluation.test_every_epoch": True})


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
    )


def cifar_lt(name: Cifar, imbalance: float, profile: Profile = "exp") -> TrainConfig:
    """CIFAR with ResNet-32, 200 epochs, as the code of LDAM (Cao et al., NeurIPS 2019) and IB.

    Batch 128, 0.1 after 5 epochs of warm-up, times 0.01 at 160 and 180; CIFAR-10's normalisation on both sets.
    """
    data = Data(name=name, imbalance=imbalance, profile=profile, augment="crop_flip", normalise="cifar10")
    return TrainConfig(data=data, model=ResNet32())


def cifar_cb(name: Cifar, imbalance: float) -> TrainConfig:
    """CIFAR with the TensorFlow ResNet-32 of Class-Balanced (Cui et al., CVPR 2019): warm-up by step, x / 128 - 1.

    Glorot initialisation and average-pooled shortcuts.
    """
    return TrainConfig(
        data=Data(name=name, imbalance=imbalance, augment="crop_flip", normalise="signed"),
        model=ResNet32(init="glorot", shortcut="average_pool"),
        optimizer=SGD(warmup="per_step"),
    )


def cifar100_cdb(imbalance: float) -> TrainConfig:
    """CIFAR-100 as the code of CDB (Sinha et al., ACCV 2020): 240 epochs, the last 25 images of each class are val.

    The test images are normalised otherwise than the rest, and batch statistics are of 32 images, as on its 4 GPUs.
    The paper says 200 epochs and 50 val images a class.
    """
    data = Data(
        name="cifar100",
        imbalance=imbalance,
        subset="file_order",
        val_from="before_cut",
        val_per_class=25,
        meta_source="val",
        augment="crop_flip",
        normalise="imagenet",
        normalise_test="cifar10",
    )
    schedule = Step(milestones=(160, 210), gamma=0.01)
    return TrainConfig(
        data=data,
        model=ResNet32(init="kaiming_body", bias_init="prior", ghost_batch=32),
        optimizer=SGD(weight_decay=5e-4, decay="no_final_bias", warmup_epochs=0, schedule=schedule),
        epochs=240,
    )


def cifar_mwnet(name: Cifar, imbalance: float) -> TrainConfig:
    """CIFAR as the code of Meta-Weight-Net (Shu et al., NeurIPS 2019): 100 epochs of batch 100, 10 meta images a class.

    Meta images come off before the cut, which leaves a head class of 4,990 or 490; Nesterov, reflected padding.
    """
    data = Data(
        name=name,
        imbalance=imbalance,
        val_from="before_cut",
        val_per_class=0,
        meta_source="heldout",
        meta_per_class=10,
        augment="crop_flip_reflect",
        normalise="meta_weight_net",
    )
    schedule = Step(milestones=(79, 89), gamma=0.1)
    return TrainConfig(
        data=data,
        model=ResNet32(),
        optimizer=SGD(weight_decay=5e-4, nesterov=True, warmup_epochs=0, schedule=schedule),
        batch_size=100,
        epochs=100,
    )


def mnist_4_9(majority_ratio: float, split: int = 0) -> TrainConfig:
    """Fours against nines, 5,000 in all, LeNet-5, 4,000 epochs as CDB's text says (Sinha et al., ACCV 2020, 4.1).

    split: train, val and test are drawn from it, ten in the paper. val's 500 a class are the meta part, too.
    """
    data = Data(
        name="mnist-4-9",
        imbalance=round(majority_ratio / (1 - majority_ratio), 6),
        subset_seed=split,
        val_per_class=500,
        meta_source="val",
    )
    schedule = Step(milestones=(3000,), gamma=0.1)
    return TrainConfig(
        data=data,
        model=LeNet5(),
        optimizer=SGD(lr=1e-3, weight_decay=5e-4, warmup_epochs=0, schedule=schedule),
        batch_size=100,
        epochs=4000,
    )


def mnist_lt(imbalance: float) -> TrainConfig:
    """Long-tailed MNIST with LeNet-5, 30 epochs; minutes on a laptop. A recipe of this project's own."""
    schedule = Step(milestones=(24, 27))
    return TrainConfig(
        data=Data(name="mnist", imbalance=imbalance, val_per_class=400),
        model=LeNet5(),
        optimizer=SGD(lr=0.05, warmup_epochs=1, schedule=schedule),
        epochs=30,
    )


def tiny_imagenet_lt(imbalance: float, profile: Profile = "exp") -> TrainConfig:
    """Tiny ImageNet at 224 with an ImageNet-pretrained ResNet-18, 100 epochs, as the code of IB.

    The weights are torchvision's file `resnet18.pth` in the data folder. The code drops the rate at 90 only; the
    paper says at 50 and 90.
    """
    return TrainConfig(
        data=Data(
            name="tiny-imagenet",
            imbalance=imbalance,
            profile=profile,
            augment="random_resized_crop",
            image_size=224,
            normalise="imagenet",
        ),
        model=ResNet(depth=18, weights="resnet18.pth", head="linear"),
        optimizer=SGD(schedule=Step(milestones=(90,), gamma=0.1)),
        epochs=100,
    )


def imagenet_lt() -> TrainConfig:
    """ImageNet-LT with ResNet-10, 90 epochs of batch 512, cosine from 0.2, as the code of CDB, after Kang et al."""
    return TrainConfig(
        data=Data(name="imagenet-lt", augment="random_resized_crop_jitter", meta_source="val"),
        model=ResNet(depth=10),
        optimizer=SGD(lr=0.2, warmup_epochs=0, schedule=Cosine()),
        batch_size=512,
        epochs=90,
        evaluation=Evaluation(top5=True),
    )


def inaturalist2018_ib() -> TrainConfig:
    """iNaturalist 2018 with ResNet-50, 200 epochs, as the text of IB says; batch and weight decay are not told."""
    return TrainConfig(
        data=Data(name="inaturalist2018", augment="random_resized_crop"),
        model=ResNet(depth=50),
        optimizer=SGD(lr=0.01, warmup_epochs=0, schedule=Step(milestones=(30, 180), gamma=0.1)),
        epochs=200,
        evaluation=Evaluation(top5=True),
    )


def large_scale_cb(
    name: Literal["inaturalist2017", "inaturalist2018", "imagenet"], depth: Literal[50, 101, 152] = 50
) -> TrainConfig:
    """iNaturalist and ImageNet as Class-Balanced: 90 epochs of batch 1024, times 0.1 at 30, 60 and 80.

    The base rate of the script, 0.4 or on ImageNet 0.2, is for batch 256, so it is 4 times that.
    """
    return TrainConfig(
        data=Data(name=name, augment="random_resized_crop"),
        model=ResNet(depth=depth),
        optimizer=SGD(
            lr=0.8 if name == "imagenet" else 1.6,
            weight_decay=1e-4,
            decay="no_norm_bias",
            warmup="per_step",
            schedule=Step(milestones=(30, 60, 80), gamma=0.1),
        ),
        batch_size=1024,
        epochs=90,
        evaluation=Evaluation(top5=True),
    )


def egtea() -> TrainConfig:
    """EGTEA Gaze+ verbs with a Kinetics-pretrained 3D-ResNeXt-101, 100 epochs, as the code of CDB: no momentum.

    The weights are the file `resnext-101-kinetics.pth` in the data folder. Batch 8 on each of 8 GPUs.
    """
    return TrainConfig(
        data=Data(name="egtea", meta_source="val"),
        model=ResNeXt3D(weights="resnext-101-kinetics.pth"),
        optimizer=SGD(
            lr=1e-3, momentum=0.0, weight_decay=5e-4, warmup_epochs=0, schedule=Step(milestones=(60,), gamma=0.1)
        ),
        batch_size=64,
        epochs=100,
        evaluation=Evaluation(groups=Groups(majority=400)),
    )
