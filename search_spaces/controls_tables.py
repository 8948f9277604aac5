"""Controls that no paper has: what is left of a gain once one other thing is held equal."""

from dataclasses import replace
from functools import partial

from lt_core import Phase, TrainConfig, override
from lt_core.losses import SigmoidFocal
from lt_core.weights import CifarCodeTau, ClassDifficulty, FixedTau, ImageNetCodeTau, InverseFrequency, PaperTau
from search_spaces.baselines import ldam_drw, plain, post_hoc_adjusted
from search_spaces.cb2019 import balanced, best_by_column, unbalanced
from search_spaces.cb2019_tables import BETAS, LOSSES
from search_spaces.cdb2020_tables import SHORT_CIFAR100, SHORT_MNIST, cdb
from search_spaces.claims import Claim, Contrast, Side, over
from search_spaces.columns import labels, long_tailed
from search_spaces.ib2021 import ce_with_drop, ib, ib_cb, ib_focal, ib_with
from search_spaces.ib2021_figures import FIGURE2
from search_spaces.ib2021_tables import EPSILONS, cifar
from search_spaces.presets import cifar100_cdb, cifar_cb, mnist_4_9
from search_spaces.short import SHORT_CIFAR
from search_spaces.table import BestOf, Column, Method, Row, Table

OURS = "this project"

# --- IB ---------------------------------------------------------------------------------------------


def weights_with_drop(base: TrainConfig, lr_scale: float = 0.01) -> TrainConfig:
    """IB's class weights alone from T1 on, with its learning-rate drop, without the influence."""
    weighted = Phase(start=base.epochs // 2, weights=InverseFrequency(), lr_scale=lr_scale, warmup=False)
    return base.replaced(phases=(Phase(), weighted))


def _beats_free(row: str, columns: tuple[str, ...]) -> Claim:
    """The line that every loss must beat."""
    return Claim(
        f"{row} is better than CE with logits adjusted afterwards, which costs nothing",
        OURS,
        over(row, ["CE+LA"], columns),
    )


_IB_COLUMNS = long_tailed("cifar10", "cifar100", ratios=(100,))
_IB_LABELS = labels(_IB_COLUMNS)
_TEN_TIMES = "weights+drop, IB's step"
_IB_ROWS: dict[str, Method | dict[str, Method]] = {
    "CE": plain,
    "CE+drop": ce_with_drop,
    "weights+drop": weights_with_drop,
    _TEN_TIMES: partial(weights_with_drop, lr_scale=0.1),
    "IB": ib,
    "IB+CB": ib_cb,
    "IB+Focal": ib_focal,
    "IB detached": ib_with(detach_weight=True),
    "CB": {f"{name}-lt-{ratio}": method for (name, ratio), method in best_by_column().items()},
    "LDAM-DRW": ldam_drw,
    "CE+LA": post_hoc_adjusted,
}
IB = Table(
    name="controls/ib",
    title="What of IB's gain is the learning-rate drop at T1, the class weights, the gradient through its weight",
    base=cifar,
    columns=_IB_COLUMNS,
    rows=tuple(Row(name, method, control=True) for name, method in _IB_ROWS.items()),
    short=SHORT_CIFAR,
    selection="best_test",
    claims=(
        Claim("IB is better than CE with IB's learning-rate drop", OURS, over("IB", ["CE+drop"], _IB_LABELS)),
        Claim("IB is better than its class weights alone", OURS, over("IB", ["weights+drop", _TEN_TIMES], _IB_LABELS)),
        Claim("IB as coded is better than IB detached", OURS, over("IB", ["IB detached"], _IB_LABELS)),
        Claim("IB is better than LDAM-DRW", OURS, over("IB", ["LDAM-DRW"], _IB_LABELS)),
        *(
            _beats_free(loss, _IB_LABELS)
            for loss in ("IB", "IB+CB", "IB+Focal", "CB", "LDAM-DRW", "weights+drop", _TEN_TIMES)
        ),
    ),
    notes=(
        f"{_TEN_TIMES}: ten times the rate of weights+drop, which is what IB's factor alpha / (g H + epsilon) comes to "
        "where an image's error is above 0.01, at 64 features whose sum is about 30.",
    ),
)

IB_TABLE2 = Table(
    name="controls/ib-table2",
    title="IB's table 2 at the best test epoch and at the last: is (d) the best epoch before T1?",
    base=cifar,
    columns=tuple(
        Column(
            selection, {"name": "cifar10", "imbalance": 100.0}, f"test_acc@{selection}", group="test accuracy at epoch"
        )
        for selection in ("best_test", "last")
    ),
    rows=tuple(Row(name, method, control=True) for name, (method, _) in EPSILONS.items()),
    short=SHORT_CIFAR,
    selection="best_test",
    claims=(
        Claim(
            "(d) is 5 points better at its best test epoch than at its last",
            OURS,
            (Contrast(Side(("d",), ("best_test",)), Side(("d",), ("last",)), "(d)", margin=5.0),),
            our_margin=True,
        ),
    ),
)

_NOISE_COLUMNS = long_tailed("cifar100")
IB_NOISE = Table(
    name="controls/ib-noise",
    title="IB and IB+CB on CIFAR-100, whose weights are equal to 2.5 %: the difference is the noise",
    base=cifar,
    columns=_NOISE_COLUMNS,
    rows=(
        Row("IB", ib, "37.31 42.14 46.22 52.63 57.13", origin="IB, table 4", selection="best_test", control=True),
        Row("IB+CB", ib_cb, "37.06 41.31 46.16 52.74 56.78", origin="IB, table 4", selection="best_test", control=True),
    ),
    short=SHORT_CIFAR,
    selection="best_test",
    claims=(
        Claim(
            "IB and IB+CB differ by less than 1 point",
            OURS,
            (
                *over("IB", ["IB+CB"], labels(_NOISE_COLUMNS), margin=-1.0),
                *over("IB+CB", ["IB"], labels(_NOISE_COLUMNS), margin=-1.0),
            ),
            our_margin=True,
        ),
    ),
)

IB_FIGURE2 = Table(
    name="controls/ib-figure2",
    title="IB's figure 2 with 50 planes drawn at random, many times, in place of the 50 largest of 5,000",
    base=cifar,
    columns=(
        Column("plane", FIGURE2.columns[0].setting, "influence.any[0]", "value", "mean of 50 samples"),
        Column("truck", FIGURE2.columns[1].setting, "influence.any[9]", "value", "mean of 50 samples"),
    ),
    rows=tuple(Row(row.label, row.method, control=True) for row in FIGURE2.rows),
    short=SHORT_CIFAR,
    claims=(
        Claim(
            "in the imbalanced set 50 planes at random have more influence than the trucks, on average",
            OURS,
            (Contrast(Side(("long-tailed",), ("plane",)), Side(("long-tailed",), ("truck",)), "long-tailed"),),
        ),
    ),
)

# --- CDB --------------------------------------------------------------------------------------------


def without_sum_to_c(base: TrainConfig) -> TrainConfig:
    """CDB with a constant tau of 1 whose weights are left as they are, as the text has it."""
    return base.replaced(phases=(Phase(weights=ClassDifficulty(tau=FixedTau(value=1.0), sum_to_c=False)),))


def meta_given_back(base: TrainConfig) -> TrainConfig:
    """CE that trains on the images that CDB holds out, beside those of the cut."""
    return override(base, {"data.meta_source": "returned"})


_TAU_ROWS: dict[str, Method] = {
    "CE": plain,
    "tau: paper": cdb(PaperTau()),
    "tau: CIFAR code": cdb(CifarCodeTau()),
    "tau: ImageNet code": cdb(ImageNetCodeTau()),
    "tau = 1": cdb(FixedTau(value=1.0)),
    "tau = 2": cdb(FixedTau(value=2.0)),
    "tau = 1, no sum C": without_sum_to_c,
    "CE+LA": post_hoc_adjusted,
}


def _tau_claims(columns: tuple[str, ...], margin: float, *used: str) -> tuple[Claim, ...]:
    """used: the rules for tau by which the paper's own numbers were made, or may have been."""
    rules = {"tau: paper": "tau = 2", "tau: CIFAR code": "tau = 1"}
    return (
        *(
            Claim(
                f"{rule} is worth no more than the constant {constant}: they differ by less than {margin:g}",
                OURS,
                (
                    *over(rule, [constant], columns, margin=-margin),
                    *over(constant, [rule], columns, margin=-margin),
                ),
                our_margin=True,
            )
            for rule, constant in rules.items()
        ),
        Claim("weights that sum to C are better", OURS, over("tau = 1", ["tau = 1, no sum C"], columns)),
        *(_beats_free(rule, columns) for rule in used),
    )


_CDB_COLUMNS = tuple(
    Column(column.label, {"imbalance": column.setting["imbalance"]}, group="imbalance", head=column.head)
    for column in long_tailed("cifar100", ratios=(100, 10))
)
_CDB_LAST = tuple(  # what trains on val's images has no best epoch by val to read
    replace(column, label=f"{column.label}-last", read="test_acc@last", group="imbalance, at the last epoch")
    for column in _CDB_COLUMNS
)
CDB_TAU = Table(
    name="controls/cdb-tau",
    title="CDB's rules for tau against constants, with and without weights that sum to C, and CE on all images",
    base=cifar100_cdb,
    columns=_CDB_COLUMNS + _CDB_LAST,
    rows=(
        *(Row(name, method, control=True) for name, method in _TAU_ROWS.items()),
        Row(
            "CE+meta images",
            meta_given_back,
            columns=labels(_CDB_LAST),
            control=True,
            note="trained on the images that CDB holds out, 25 of each class, as well; no val is left to choose by",
        ),
    ),
    short=SHORT_CIFAR100,
    selection="best_val",
    claims=(
        *_tau_claims(labels(_CDB_COLUMNS), 1.0, "tau: paper", "tau: CIFAR code"),
        Claim(
            "CDB is better than CE that may train on CDB's meta images, both at their last epoch",
            OURS,
            over("tau: CIFAR code", ["CE+meta images"], labels(_CDB_LAST)),
        ),
    ),
)

_MNIST_COLUMNS = tuple(
    Column(f"{ratio:g}", {"majority_ratio": ratio}, unit="error", group="majority class ratio")
    for ratio in (0.98, 0.995)
)
CDB_TAU_MNIST = Table(
    name="controls/cdb-tau-mnist",
    title="CDB's rules for tau against constants on MNIST, 4 against 9, with and without weights that sum to C",
    base=mnist_4_9,
    columns=_MNIST_COLUMNS,
    rows=tuple(Row(name, method, control=True) for name, method in _TAU_ROWS.items()),
    short=SHORT_MNIST,
    selection="best_val",
    seeds=10,
    varies="split",
    claims=_tau_claims(labels(_MNIST_COLUMNS), 0.2, "tau: paper"),
)

# --- CB ---------------------------------------------------------------------------------------------


def _lr(rate: float) -> Method:
    return lambda base: override(base, {"optimizer.lr": rate})


def _decay(decay: float) -> Method:
    return lambda base: override(base, {"optimizer.weight_decay": decay})


def _spread(low: float, high: float) -> list[float]:
    """20 values from low to high, evenly on a log axis, to 3 significant digits."""
    return [float(f"{low * (high / low) ** (i / 19):.3g}") for i in range(20)]


CB_GRID = Table(
    name="controls/cb-grid",
    title="Class-Balanced as the best of 20 configs, against the best of 20 that have no class-balanced term",
    base=cifar_cb,
    columns=long_tailed("cifar10", "cifar100", ratios=(100, 10), unit="error"),
    rows=(
        Row(
            "CB, loss x beta",
            BestOf({f"{name}, {beta:g}": balanced(loss, beta) for name, loss in LOSSES.items() for beta in BETAS}),
            control=True,
        ),
        Row("softmax, lr", BestOf({f"{rate:g}": _lr(rate) for rate in _spread(0.01, 1.0)}), control=True),
        Row("softmax, weight decay", BestOf({f"{d:g}": _decay(d) for d in _spread(5e-5, 5e-3)}), control=True),
        Row(
            "focal, gamma",
            BestOf({f"{gamma:g}": unbalanced(SigmoidFocal(gamma=gamma)) for gamma in _spread(0.05, 5.0)}),
            control=True,
        ),
    ),
    short=SHORT_CIFAR,
    selection="best_val",
    claims=(
        Claim(
            "the class-balanced term is worth more than as many tries at anything else",
            OURS,
            over(
                "CB, loss x beta",
                ("softmax, lr", "softmax, weight decay", "focal, gamma"),
                labels(long_tailed("cifar10", "cifar100", ratios=(100, 10))),
            ),
        ),
    ),
)

TABLES = (IB, IB_TABLE2, IB_NOISE, IB_FIGURE2, CDB_TAU, CDB_TAU_MNIST, CB_GRID)
