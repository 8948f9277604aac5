"""The official scripts' command lines: of LDAM (github.com/kaidic/LDAM-DRW) and IB (github.com/pseulki/IB-Loss).

A script says of a training what its flags say; the rest stands in its code. So each candidate is a command line and the
config that it runs, and a config can be said where one of them trains identically. Flags: of commits 6feb304 (LDAM) and
e15d390 (IB).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lt_core.config import TrainConfig, canonical
from lt_core.losses import CrossEntropy, Focal
from lt_core.posthoc import NoPostHoc
from lt_core.value import override, value_at
from lt_core.weights import EffectiveNumber, InverseFrequency
from search_spaces.baselines import ce_drw, inverse_frequency, ldam, ldam_drw, with_loss
from search_spaces.ib2021 import influence_balanced
from search_spaces.presets import cifar_lt, tiny_imagenet_lt

LDAM_REPOSITORY, IB_REPOSITORY = "https://github.com/kaidic/LDAM-DRW", "https://github.com/pseulki/IB-Loss"
CLASSES = {"cifar10": 10, "cifar100": 100, "tiny-imagenet": 200}
SHOWN = 6  # differences
DRW_EPOCH, DRW_MOST_EPOCHS = 160, 320  # its list of betas has two entries, one for each 160 epochs
FLAGS = (
    "epochs",
    "batch_size",
    "optimizer.lr",
    "optimizer.momentum",
    "optimizer.weight_decay",
    "seed",
    "data.subset_seed",
)
UNSAID = ("data.val_per_class", "data.val_from", "evaluation")  # what no flag says and a note does
NOTES = (
    "The script holds out no validation images (as data.val_per_class 0 does) and reports its best test epoch.",
    "Its random draws are its own: the same seed gives another training of the same config.",
)


@dataclass(frozen=True)
class Line:
    """A script's command line, the repository it is run in, and the config that it trains."""

    repository: str
    command: str
    config: TrainConfig


Make = Callable[[TrainConfig, int], TrainConfig]  # from plain CE, and where the second phase starts


@dataclass(frozen=True)
class _Method:
    """What --loss_type and --train_rule make of plain CE."""

    loss_type: str
    train_rule: str
    repository: str
    make: Make


def _ib(gamma: float, weights: InverseFrequency | EffectiveNumber) -> Make:
    return lambda base, start: influence_balanced(base, T1=start, weights=weights, gamma=gamma)


_CB = EffectiveNumber(reduction="weighted_mean")
_METHODS = (
    _Method("CE", "None", LDAM_REPOSITORY, lambda base, start: base),
    _Method("CE", "Reweight", LDAM_REPOSITORY, lambda base, start: with_loss(base, CrossEntropy(), _CB)),
    _Method("CE", "DRW", LDAM_REPOSITORY, lambda base, start: ce_drw(base, DRW_EPOCH)),
    _Method("LDAM", "None", LDAM_REPOSITORY, lambda base, start: ldam(base)),
    _Method("LDAM", "DRW", LDAM_REPOSITORY, lambda base, start: ldam_drw(base, DRW_EPOCH)),
    _Method("CE", "IBReweight", IB_REPOSITORY, lambda base, start: inverse_frequency(base)),
    _Method("Focal", "None", LDAM_REPOSITORY, lambda base, start: with_loss(base, Focal())),
    _Method("Focal", "None", IB_REPOSITORY, lambda base, start: with_loss(base, Focal(scale=10.0))),
    _Method("IB", "IBReweight", IB_REPOSITORY, _ib(0.0, InverseFrequency())),
    _Method("IB", "CBReweight", IB_REPOSITORY, _ib(0.0, EffectiveNumber())),
    _Method("IBFocal", "IBReweight", IB_REPOSITORY, _ib(1.0, InverseFrequency())),
    _Method("IBFocal", "CBReweight", IB_REPOSITORY, _ib(1.0, EffectiveNumber())),
)


def command_line(config: TrainConfig) -> str:
    """The command line that trains a config, with its notes as comments; a sentence where no script can say it."""
    if config.data.name not in CLASSES:
        return (
            f"# no official command line: the scripts of LDAM and IB train {', '.join(CLASSES)}, not {config.data.name}"
        )
    differing = [(_differences(config, line.config), line) for line in _lines(config)]
    found, line = min(differing, key=lambda pair: len(pair[0]))
    head = f"# in a checkout of {line.repository}"
    if not found:
        return "\n".join([head, *(f"# {note}" for note in NOTES), line.command])
    said = ", ".join(f"{path} is {theirs} there and {ours} here" for path, theirs, ours in found[:SHOWN])
    more = f", and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"# no official command line: in the nearest, `{line.command}` of {line.repository}, {said}{more}"


def _lines(config: TrainConfig) -> Iterator[Line]:
    """What the scripts can run that has the config's data, length and optimizer, as far as flags say them."""
    tiny = config.data.name == "tiny-imagenet"
    start = canonical(config).phases[-1].start
    for method in _METHODS:
        if tiny and method.repository != IB_REPOSITORY:
            continue
        if method.train_rule == "DRW" and config.epochs > DRW_MOST_EPOCHS:
            continue
        trained = method.make(_base(config), start)
        yield Line(method.repository, _command(config, method, start), trained)


def _base(config: TrainConfig) -> TrainConfig:
    """Plain CE as the scripts train it, with the fields that they have flags for taken from a config."""
    name, data = config.data.name, config.data
    profile = "step" if data.profile == "step" else "exp"
    if name == "tiny-imagenet":
        base = tiny_imagenet_lt(data.imbalance, profile)
    else:
        base = cifar_lt("cifar100" if name == "cifar100" else "cifar10", data.imbalance, profile)
    given = {path: value_at(config, path) for path in (*FLAGS, *UNSAID)}
    return override(base, {**given, "evaluation.post_hoc": NoPostHoc().plain()})


def _command(config: TrainConfig, method: _Method, start: int) -> str:
    """The flags of one script."""
    data, optimizer = config.data, config.optimizer
    ib = method.repository == IB_REPOSITORY
    tiny = data.name == "tiny-imagenet"
    flags = {
        "--dataset": data.name.replace("-", ""),
        "--arch": "resnet18" if tiny else "resnet32",
        **({"--num_classes": CLASSES[data.name]} if ib else {}),
        "--loss_type": method.loss_type,
        "--train_rule": method.train_rule,
        "--imb_type": data.profile,
        "--imb_factor": f"{1 / data.imbalance:.12g}",
        **({"--start_ib_epoch": start} if method.loss_type.startswith("IB") else {}),
        "--rand_number": data.subset_seed,
        "--epochs": config.epochs,
        "--batch-size": config.batch_size,
        "--lr": f"{optimizer.lr:.12g}",
        "--momentum": f"{optimizer.momentum:.12g}",
        "--wd": f"{optimizer.weight_decay:.12g}",
        "--seed": config.seed,
    }
    script = "tinyimage_train.py" if tiny else "cifar_train.py"
    return " ".join(["python", script, *(f"{flag} {value}" for flag, value in flags.items())])


def _differences(config: TrainConfig, other: TrainConfig) -> list[tuple[str, object, object]]:
    """The fields in which two trainings differ, with the other's value and the config's own."""
    if config.id == other.id:
        return []
    ours, theirs = (dict(_leaves(canonical(each).plain())) for each in (config, other))
    pairs = ((path, theirs.get(path, "absent"), ours.get(path, "absent")) for path in {**theirs, **ours})
    return [pair for pair in pairs if pair[1] != pair[2]]


def _leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Each dotted path of plain data that has nothing below it, with its value."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    if not items:
        yield prefix, node
    for key, child in items:
        yield from _leaves(child, f"{prefix}.{key}".lstrip("."))
