"""The figures of Park et al., ICCV 2021 (IB) that come from trainings: 2 and 3."""

from lt_core import TrainConfig, override
from search_spaces.baselines import plain
from search_spaces.claims import Claim, Contrast, Side, over
from search_spaces.columns import labels, long_tailed
from search_spaces.ib2021 import ce_with_drop, influence_balanced
from search_spaces.ib2021_tables import cifar
from search_spaces.short import SHORT_CIFAR, Short
from search_spaces.table import Column, Method, Row, Table

T1 = (0, 20, 40, 60, 80, 100, 120)

_SHORT_T1 = Short(
    lengths={200: 14},
    starts={0: 0, 20: 3, 40: 4, 60: 5, 80: 6, 100: 7, 120: 8},
    milestones={160: 11},
    patch=SHORT_CIFAR.patch,
)


def _balanced(base: TrainConfig) -> TrainConfig:
    return override(base, {"data.imbalance": 1.0})


FIGURE2_COLUMNS = (
    Column("plane", {"name": "cifar10", "imbalance": 100.0}, "influence.top[0]", "value", "the 50 largest of a class"),
    Column("truck", {"name": "cifar10", "imbalance": 100.0}, "influence.top[9]", "value", "the 50 largest of a class"),
)
FIGURE2 = Table(
    name="ib2021/figure2",
    title="Influence of samples of the largest and the smallest class, mean of the 50 largest, scaled to [0, 1]",
    base=cifar,
    columns=FIGURE2_COLUMNS,
    rows=(Row("long-tailed", plain, n=1), Row("balanced", _balanced, n=1)),
    short=SHORT_CIFAR,
    figure="influence",
    claims=(
        Claim(
            "in the imbalanced set the minority samples have significantly less influence than the majority's",
            "section 4.2",
            (Contrast(Side(("long-tailed",), ("plane",)), Side(("long-tailed",), ("truck",)), "long-tailed"),),
        ),
        Claim(
            "there is little difference between the classes in the balanced set",
            "section 4.2",
            (
                Contrast(Side(("balanced",), ("plane",)), Side(("balanced",), ("truck",)), "balanced", margin=-0.1),
                Contrast(Side(("balanced",), ("truck",)), Side(("balanced",), ("plane",)), "balanced", margin=-0.1),
            ),
            our_margin=True,
        ),
    ),
    notes=(
        "The 50 largest of 5,000 planes exceed all 50 trucks by order statistics alone: controls/ib-figure2 draws "
        "50 planes at random.",
    ),
)


def _transition(epoch: int) -> Method:
    return lambda base: influence_balanced(base, T1=epoch)


_T1_RATIOS = long_tailed("cifar10", ratios=(10, 100))
_FIGURE3_COLUMNS = (
    *_T1_RATIOS,
    *(
        Column(f"loss-{column.head}", column.setting, "train_loss", "value", "training loss", column.head)
        for column in _T1_RATIOS
    ),
)
_ACCURACIES = labels(_T1_RATIOS)
FIGURE3 = Table(
    name="ib2021/figure3",
    title="Test accuracy against T1, the epoch at which IB begins, and the training loss of CE",
    base=cifar,
    columns=_FIGURE3_COLUMNS,
    rows=(
        *(Row(f"T1={epoch}", _transition(epoch), columns=_ACCURACIES) for epoch in T1),
        Row("CE", plain),
        Row("CE+drop", ce_with_drop, columns=_ACCURACIES, control=True, note="CE with IB's learning-rate drop at 100"),
    ),
    short=_SHORT_T1,
    selection="best_test",
    figure="transition",
    claims=(
        Claim(
            "the transition after the 100th epoch yields the best performance",
            "section 4.2",
            over("T1=100", (f"T1={epoch}" for epoch in T1 if epoch != 100), _ACCURACIES),
        ),
        Claim(
            "robust performance regardless of the choice of T1: no two differ by more than 1 point",
            "section 4.2",
            tuple(
                contrast
                for epoch in T1
                for contrast in over(
                    f"T1={epoch}", (f"T1={other}" for other in T1 if other != epoch), _ACCURACIES, margin=-1.0
                )
            ),
            our_margin=True,
        ),
    ),
    notes=("The text gives no numbers of this figure; steps of 20 epochs are this project's.",),
)

TABLES = (FIGURE2, FIGURE3)
