"""Claims that papers make, as values: settings and ranges. Imports lt_core only."""

from lt_core import TrainConfig
from search_spaces import (
    baselines,
    cb2019,
    cb2019_tables,
    cdb2020,
    cdb2020_large,
    cdb2020_tables,
    controls_tables,
    ib2021,
    ib2021_figures,
    ib2021_tables,
)
from search_spaces.controls import plain_cross_entropy
from search_spaces.curves import Curves
from search_spaces.demo import DEMO, DIGITS_IB
from search_spaces.domains import Arm, Branch, Choice, Float, Int
from search_spaces.methods import DEMO_METHODS, METHODS
from search_spaces.presets import cifar100_cdb, cifar_cb, cifar_lt, cifar_mwnet, mnist_4_9, mnist_lt
from search_spaces.space import Space
from search_spaces.study import Rungs, Study
from search_spaces.table import Edition, Table

SPACES: dict[str, Space] = {
    space.name: space
    for space in (
        DEMO,
        DEMO_METHODS,
        ib2021.CIFAR10,
        ib2021.CIFAR100,
        cdb2020.MNIST,
        cdb2020.CIFAR100,
        cb2019.CIFAR10,
        baselines.LDAM_DRW,
        METHODS,
    )
}

_CIFAR10 = cifar_lt("cifar10", imbalance=100)
_MNIST_4_9 = mnist_4_9(majority_ratio=0.98)

CONFIGS: dict[str, TrainConfig] = {
    "demo": DIGITS_IB,
    "demo-ce": plain_cross_entropy(DIGITS_IB),
    "ib2021-cifar10": ib2021.CIFAR10_IB,
    "ib2021-cifar10-cb": ib2021.CIFAR10_IB_CB,
    "ib2021-cifar10-focal": ib2021.CIFAR10_IB_FOCAL,
    "ib2021-cifar100": ib2021.CIFAR100_IB,
    "ib2021-tiny-imagenet": ib2021.TINY_IMAGENET_IB,
    "ib2021-inaturalist2018": ib2021.INATURALIST2018_IB,
    "cdb2020-mnist": cdb2020.MNIST_CDB,
    "cdb2020-cifar100": cdb2020.CIFAR100_CDB,
    "cdb2020-imagenet-lt": cdb2020.IMAGENET_LT_CDB,
    "cdb2020-egtea": cdb2020.EGTEA_CDB,
    "cb2019-cifar10": cb2019.CIFAR10_CB,
    "cb2019-cifar100": cb2019.CIFAR100_CB,
    "cb2019-inaturalist2017": cb2019.INATURALIST2017_CB,
    "cb2019-inaturalist2018": cb2019.INATURALIST2018_CB,
    "cb2019-imagenet": cb2019.IMAGENET_CB,
    "ce-cifar10": _CIFAR10,
    "ce-cifar100": cifar_lt("cifar100", imbalance=100),
    "ce-cifar10-cb2019": cifar_cb("cifar10", imbalance=100),
    "ce-cifar100-cdb2020": cifar100_cdb(imbalance=100),
    "ifw-cifar10": baselines.inverse_frequency(_CIFAR10),
    "sqrt-ifw-cifar10": baselines.inverse_frequency(_CIFAR10, power=0.5),
    "focal-cifar10": baselines.focal(_CIFAR10),
    "cb-cifar10": cb2019.class_balanced(_CIFAR10),
    "ldam-cifar10": baselines.ldam(_CIFAR10),
    "ldam-drw-cifar10": baselines.ldam_drw(_CIFAR10),
    "ldam-drw-cifar100": baselines.ldam_drw(cifar_lt("cifar100", imbalance=100)),
    "ce-drw-cifar10": baselines.ce_drw(_CIFAR10),
    "ce-drs-cifar10": baselines.ce_drs(_CIFAR10),
    "crt-cifar10": baselines.crt(_CIFAR10),
    "tau-norm-cifar10": baselines.tau_normalised(_CIFAR10),
    "post-hoc-la-cifar10": baselines.post_hoc_adjusted(_CIFAR10),
    "balanced-softmax-cifar10": baselines.balanced_softmax(_CIFAR10),
    "vs-cifar10": baselines.vector_scaling(_CIFAR10),
    "eql-cifar100": baselines.equalization(cifar_lt("cifar100", imbalance=100)),
    "mw-net-cifar10": baselines.meta_weight_net(cifar_mwnet("cifar10", imbalance=100)),
    "mw-net-cifar100": baselines.meta_weight_net(cifar_mwnet("cifar100", imbalance=100)),
    "ce-mnist": _MNIST_4_9,
    "eql-mnist": baselines.equalization(_MNIST_4_9, lambda_=0.03),
    "l2rw-mnist": baselines.l2rw(_MNIST_4_9),
    "ce-mnist-lt": mnist_lt(imbalance=100),
}

TABLES: dict[str, Table | Curves] = {
    table.name: table
    for module in (ib2021_figures, ib2021_tables, cdb2020_tables, cdb2020_large, cb2019_tables, controls_tables)
    for table in module.TABLES
}

__all__ = [
    "CONFIGS",
    "SPACES",
    "TABLES",
    "Arm",
    "Branch",
    "Choice",
    "Curves",
    "Edition",
    "Float",
    "Int",
    "Rungs",
    "Space",
    "Study",
    "Table",
]
