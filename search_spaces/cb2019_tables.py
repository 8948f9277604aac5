"""The tables and figures of Cui et al., CVPR 2019 (Class-Balanced): numbers as its slides print them."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from lt_core import TrainConfig, override
from lt_core.data import Data
from lt_core.losses import CrossEntropy, SigmoidCrossEntropy, SigmoidFocal
from search_spaces.cb2019 import CBLoss, balanced, best_by_column, unbalanced
from search_spaces.claims import Claim, Contrast, Side, over
from search_spaces.columns import RATIOS, labels, long_tailed
from search_spaces.curves import Curves, Points
from search_spaces.presets import Cifar, cifar_cb, large_scale_cb, literature
from search_spaces.short import SHORT_CIFAR, Short
from search_spaces.table import Column, Method, Row, Table

LOSSES: Mapping[str, CBLoss] = {
    "Softmax": CrossEntropy(),
    "Sigmoid": SigmoidCrossEntropy(),
    "Focal 0.5": SigmoidFocal(gamma=0.5),
    "Focal 1.0": SigmoidFocal(gamma=1.0),
    "Focal 2.0": SigmoidFocal(gamma=2.0),
}
BETAS = (0.9, 0.99, 0.999, 0.9999)


def cifar(name: Cifar, imbalance: float) -> TrainConfig:
    """CIFAR as the code of Class-Balanced has it, on the literature's exact subset."""
    return literature(cifar_cb(name, imbalance))


# --- figures ----------------------------------------------------------------------------------------

_COUNTS = [round(10 ** (exponent / 20)) for exponent in range(81)]  # 1 to 10,000, evenly on a log axis


def _weight(beta: float) -> Points:
    """(1 - beta) / (1 - beta^n), 1 at beta 0 and 1 / n in its limit of 1, before it is scaled to sum to C."""
    counts = sorted(set(_COUNTS))
    if beta == 1:
        return [(n, 1 / n) for n in counts]
    return [(n, (1 - beta) / (1 - beta**n)) for n in counts]


FIGURE3 = Curves(
    name="cb2019/figure3",
    title="The class-balanced term, (1 - beta) / (1 - beta^n), against the number of samples n",
    x="samples of the class",
    y="weight",
    log=("x", "y"),
    curves={
        **{f"beta {beta:g}": (lambda beta=beta: _weight(beta)) for beta in (0.0, *BETAS)},
        "beta -> 1": lambda: _weight(1.0),
    },
)


def _class_sizes(imbalance: float) -> Points:
    return list(enumerate(Data(name="cifar100", imbalance=imbalance, val_per_class=0).counts or ()))


FIGURE4 = Curves(
    name="cb2019/figure4",
    title="Training samples of each class of long-tailed CIFAR-100, by imbalance",
    x="class index",
    y="samples",
    curves={str(ratio): (lambda ratio=ratio: _class_sizes(float(ratio))) for ratio in (1, *sorted(RATIOS))},
)


def _with_and_without(loss: CBLoss) -> dict[str, Method]:
    return {"none": unbalanced(loss), **{f"{beta:g}": balanced(loss, beta) for beta in BETAS}}


FIGURE5_LOSSES: Mapping[str, CBLoss] = {
    "SM": CrossEntropy(),
    "SGM": SigmoidCrossEntropy(),
    "Focal": SigmoidFocal(gamma=1.0),
}
FIGURE5_COLUMNS = long_tailed("cifar10", "cifar100", ratios=(50,), unit="error")
_BETA_NAMES = tuple(f"{beta:g}" for beta in BETAS)
FIGURE5 = Table(
    name="cb2019/figure5",
    title="Error with and without the class-balanced term, by loss and beta",
    base=cifar,
    columns=FIGURE5_COLUMNS,
    rows=tuple(
        Row(f"{loss} {beta}", method, selection="last")
        for loss, value in FIGURE5_LOSSES.items()
        for beta, method in _with_and_without(value).items()
    ),
    short=SHORT_CIFAR,
    figure="betas",
    claims=(
        Claim(
            "on CIFAR-10 the improvement is larger the larger beta is",
            "figure 5",
            tuple(
                Contrast(Side((f"{loss} {more}",), (column,)), Side((f"{loss} {less}",), (column,)), f"{loss} {more}")
                for column in ("cifar10-lt-50",)
                for loss in FIGURE5_LOSSES
                for less, more in zip(("none", *_BETA_NAMES), _BETA_NAMES, strict=False)
            ),
        ),
        Claim(
            "on CIFAR-100 a beta of 0.99 or 0.999 improves the original loss",
            "figure 5",
            tuple(
                contrast
                for loss in FIGURE5_LOSSES
                for beta in ("0.99", "0.999")
                for contrast in over(f"{loss} {beta}", [f"{loss} none"], ["cifar100-lt-50"], case=f"{loss} {beta}, ")
            ),
        ),
        Claim(
            "on CIFAR-100 a larger beta hurts",
            "figure 5",
            tuple(
                contrast
                for loss in FIGURE5_LOSSES
                for contrast in over(f"{loss} none", [f"{loss} 0.9999"], ["cifar100-lt-50"], case=f"{loss}, ")
            ),
        ),
    ),
    notes=(
        "The slides give no numbers; that imbalance is 50 and the focal loss's gamma 1 is from memory of the paper.",
    ),
)

# --- tables -----------------------------------------------------------------------------------------


def _dataset(name: str) -> Method:
    """A base on another dataset, as its own recipe has it."""

    def method(base: TrainConfig) -> TrainConfig:
        if name.startswith("cifar"):
            return cifar(name, base.data.imbalance)  # type: ignore[arg-type]
        return large_scale_cb(name)  # type: ignore[arg-type]

    return method


TABLE1 = Table(
    name="cb2019/table1",
    title="Datasets: classes, and the imbalance of the least and the most imbalanced version",
    base=cifar,
    columns=(
        Column("classes", {"name": "cifar10", "imbalance": 200.0}, "data.classes", "count"),
        Column("least", {"name": "cifar10", "imbalance": 10.0}, "data.imbalance", "value", "imbalance"),
        Column("most", {"name": "cifar10", "imbalance": 200.0}, "data.imbalance", "value", "imbalance"),
    ),
    rows=(
        Row("long-tailed CIFAR-10", _dataset("cifar10"), "10 10.00 200.00"),
        Row("long-tailed CIFAR-100", _dataset("cifar100"), "100 10.00 200.00"),
        Row("iNaturalist 2017", _dataset("inaturalist2017"), "5089 435.44", columns=("classes", "most")),
        Row("iNaturalist 2018", _dataset("inaturalist2018"), "8142 500.00", columns=("classes", "most")),
        Row("ILSVRC 2012", _dataset("imagenet"), "1000 1.78", columns=("classes", "most")),
    ),
    short=SHORT_CIFAR,
    notes=("Counts are cut off, not rounded: the most imbalanced CIFAR-100 has 500 / 2 = 250.",),
)

TABLE2_COLUMNS = long_tailed("cifar10", "cifar100", ratios=(*RATIOS, 1), unit="error")
_WITH_TERM = tuple(label for label in labels(TABLE2_COLUMNS) if not label.endswith("-lt-1"))
_BEST: dict[str, Method] = {
    **{f"{name}-lt-{ratio}": method for (name, ratio), method in best_by_column().items()},
    **{f"{name}-lt-1": unbalanced(SigmoidCrossEntropy()) for name in ("cifar10", "cifar100")},
}
_WINNER: dict[str, Any] = {"reason": "of the winner of the grid; controls/cb-grid finds its own", "unit": "value"}
_PRINTED = {
    "Softmax": "34.32 29.64 25.19 17.77 13.61 6.61 65.16 61.68 56.15 48.86 44.29 29.07",
    "Sigmoid": "34.51 29.55 23.84 16.40 12.97 6.36 64.39 61.22 55.85 48.57 44.73 28.39",
    "Focal 0.5": "36.00 29.77 23.28 17.11 13.19 6.75 65.00 61.31 55.88 48.90 44.30 28.55",
    "Focal 1.0": "34.71 29.62 23.29 17.24 13.34 6.60 64.38 61.59 55.68 48.05 44.22 28.85",
    "Focal 2.0": "35.12 30.41 23.48 16.77 13.68 6.61 65.25 61.61 56.30 48.98 45.00 28.52",
}
TABLE2 = Table(
    name="cb2019/table2",
    title="Long-tailed CIFAR, ResNet-32: losses without the class-balanced term, and the best with it",
    base=cifar,
    columns=TABLE2_COLUMNS,
    rows=(
        *(Row(name, unbalanced(loss), _PRINTED[name], selection="last") for name, loss in LOSSES.items()),
        Row(
            "Class-Balanced",
            _BEST,
            "31.11 25.43 20.73 15.64 12.51 6.36 63.77 60.40 54.68 47.41 42.01 28.39",
            selection="last",
            note="loss, beta and gamma change by column: the best of 20",
        ),
        Row("beta", printed="0.9999 0.9999 0.9999 0.9999 0.9999 - 0.9 0.9 0.99 0.99 0.999 -", **_WINNER),
        Row("gamma", printed="- 1.0 2.0 - - - 1.0 1.0 - 0.5 0.5 -", **_WINNER),
    ),
    short=SHORT_CIFAR,
    claims=(
        Claim(
            "with the class-balanced term the error is below the best loss without it",
            "table 2",
            over("Class-Balanced", LOSSES, _WITH_TERM),
        ),
        Claim(
            "on CIFAR-100 the best beta rises as the imbalance falls",
            "table 2",
            tuple(
                Contrast(
                    Side(("beta",), (f"cifar100-lt-{less}",)),
                    Side(("beta",), (f"cifar100-lt-{more}",)),
                    f"{less} against {more}",
                    strict=False,
                )
                for more, less in pairwise(RATIOS)
            ),
            open="the rows do not search for a beta; controls/cb-grid does, at one imbalance",
        ),
    ),
    notes=("The best of 20 configs stands against the best of 5: controls/cb-grid gives each side 20.",),
)


def _large(depth: int, size: int, *, balanced_focal: bool) -> Method:
    """A network's depth and image size on a base, with CB's focal loss or with softmax."""

    def method(base: TrainConfig) -> TrainConfig:
        config = override(base, {"model.depth": depth, "data.image_size": None if size == 224 else size})
        return balanced(SigmoidFocal(gamma=0.5), 0.999)(config) if balanced_focal else config

    return method


_TABLE3_ROWS = {
    ("softmax", 50, 224): "45.38 22.67 42.86 21.31 23.92 7.03",
    ("softmax", 101, 224): "42.57 20.42 39.47 18.86 22.65 6.47",
    ("softmax", 152, 224): "41.42 19.47 38.61 18.07 21.68 5.92",
    ("CB focal", 50, 224): "41.92 20.92 38.88 18.97 22.71 6.72",
    ("CB focal", 101, 224): "39.06 18.96 36.12 17.18 21.57 5.91",
    ("CB focal", 152, 224): "38.06 18.42 35.21 16.34 20.87 5.61",
    ("CB focal", 50, 320): "38.16 18.28 35.84 16.85 21.99 6.27",
    ("CB focal", 101, 320): "34.96 15.90 32.02 14.27 20.25 5.34",
    ("CB focal", 152, 320): "33.73 14.96 30.95 13.54 19.72 4.97",
}
_TABLE3_COLUMNS = tuple(
    Column(f"{name}-{top}", {"name": name}, read, "error", group, top)
    for name, group in (
        ("inaturalist2017", "iNaturalist 2017"),
        ("inaturalist2018", "iNaturalist 2018"),
        ("imagenet", "ILSVRC 2012"),
    )
    for top, read in (("top1", "test_acc"), ("top5", "test_top5"))
)
TABLE3 = Table(
    name="cb2019/table3",
    title="Large-scale datasets, by depth of the ResNet and size of the images",
    base=large_scale_cb,
    columns=_TABLE3_COLUMNS,
    rows=tuple(
        Row(
            f"{loss} {depth}" + (f" at {size}" if size != 224 else ""),
            _large(depth, size, balanced_focal=loss != "softmax"),
            printed,
            selection="last",
        )
        for (loss, depth, size), printed in _TABLE3_ROWS.items()
    ),
    short=Short(lengths={90: 12}, milestones={30: 3, 60: 6, 80: 9}),
    claims=(
        Claim(
            "CB focal outperforms softmax cross-entropy (at 224)",
            "table 3",
            tuple(
                contrast
                for depth in (50, 101, 152)
                for contrast in over(
                    f"CB focal {depth}", [f"softmax {depth}"], labels(_TABLE3_COLUMNS), case=f"{depth}, "
                )
            ),
        ),
    ),
    notes=("A sigmoid focal loss against softmax: the class-balanced term is not the only difference.",),
)

TABLES = (FIGURE3, FIGURE4, FIGURE5, TABLE1, TABLE2, TABLE3)
