"""A paper's table or figure as a value: rows x columns over a base config, the numbers it prints, its claims.

Not here: running it, and judging what was measured.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from lt_core.config import TrainConfig, scaled
from lt_core.value import override, unknown
from search_spaces.claims import Claim
from search_spaces.short import Short, StandIn, stand_in

Base = Callable[..., TrainConfig]
"""What a column's setting is given to: plain CE by one repository's recipe."""

Method = Callable[[TrainConfig], TrainConfig]
"""Plain CE -> a method."""

Selection = Literal["last", "best_val_micro", "best_val_macro", "best_test", "unknown"]
"""Which epoch a paper reports: the last, the best by the micro or macro accuracy on val, the best by test itself."""

Unit = Literal["accuracy", "error", "count", "value"]
"""accuracy, error: in %, more and less is better; count: a fact of the data; value: a plain number."""


@dataclass(frozen=True)
class Reported:
    """A number as a paper prints it: a mean over n runs where it has a std.

    origin: whose run it was; `mistake`: what is wrong with it, and `meant` what must have been meant, where known.
    """

    value: float
    std: float | None
    n: int
    origin: str
    selection: Selection
    mistake: str = ""
    meant: float | None = None


@dataclass(frozen=True)
class Mistake:
    """What is wrong with a printed number, and the right one where it is known."""

    text: str
    meant: float | None = None


@dataclass(frozen=True)
class Column:
    """A column: what the base is called with, the value that is read, its unit.

    read: `test_acc` and other measures of the test part (`test_acc[3]` of class 3, `test_top5`,
        `test_recall_macro[minority]`), of the table's selection unless one is named (`test_acc@last`);
        `data.classes`, `data.imbalance`, `data.count[3]`; `influence.top[0]`, of the trained network;
        `train_loss`, a series.
    group, head: how it is printed: columns of one group stand side by side.
    """

    label: str
    setting: Mapping[str, Any] = field(default_factory=dict)
    read: str = "test_acc"
    unit: Unit = "accuracy"
    group: str = ""
    head: str = ""


@dataclass(frozen=True)
class BestOf:
    """The best of several methods by the validation score, trained again on fresh seeds."""

    methods: Mapping[str, Method]


@dataclass(frozen=True)
class Row:
    """A row: a method, and the numbers that the paper prints for it.

    method: by column's label where the row changes by column; None for a row without a config, which has a `reason`.
    printed: its numbers as the paper prints them, one for each column in `columns`, `-` for none, `a±b` for mean and
        std; `|` between those that stand on different lines of the paper.
    source: the recipe of the paper that a copied number comes from; None: the table's own.
    unlike: how the number's recipe differs from all that are here, or that it is unknown: then it is not judged.
    columns: the labels of those it has; empty: all.
    reads: what it reads in place of the columns' value, whose [index] it keeps: `data.count`. unit: in place of theirs.
    control: it is this project's, not the paper's.
    """

    label: str
    method: Method | Mapping[str, Method] | BestOf | None = None
    printed: str = ""
    origin: str = "own run"
    selection: Selection = "unknown"
    n: int = 1
    source: Base | None = None
    unlike: str = ""
    columns: tuple[str, ...] = ()
    reads: str = ""
    unit: Unit | None = None
    reason: str = ""
    note: str = ""
    control: bool = False

    @property
    def numbers(self) -> list[tuple[float, float | None] | None]:
        """The printed numbers, mean and std, None where there is none."""
        return [_number(token) for token in self.printed.replace("|", " ").split()]


@dataclass(frozen=True)
class Edition:
    """How a table is run: by which recipe, at which length, on which data. The first is the paper's own.

    recipe: `equal`, one for all rows; `reported`, each row by that of the paper its number comes from.
    short: by the table's short recipe. scale: of all that is measured in epochs, after that.
    on: data that every machine has, in place of the paper's.
    """

    recipe: Literal["equal", "reported"] = "equal"
    short: bool = False
    scale: float = 1.0
    on: StandIn | None = None

    @property
    def name(self) -> str:
        """`full`, or what is other than that, `short-digits`; fit for a file's name."""
        parts = [self.recipe if self.recipe != "equal" else "", "short" if self.short else ""]
        parts += [f"x{self.scale:g}" if self.scale != 1 else "", self.on or ""]
        return "-".join(part for part in parts if part) or "full"


@dataclass(frozen=True)
class Cell:
    """Row x column: the config it trains with seed 0, or several by name where the best of them is wanted."""

    row: Row
    column: Column
    configs: Mapping[str, TrainConfig]

    @property
    def key(self) -> tuple[str, str]:
        """The labels of row and column."""
        return self.row.label, self.column.label

    @property
    def best_of(self) -> bool:
        """Whether several configs compete for it."""
        return isinstance(self.row.method, BestOf)

    @property
    def read(self) -> str:
        """What is read: the column's value, or the row's with the column's index."""
        return re.sub(r"^[^\[]*", self.row.reads, self.column.read) if self.row.reads else self.column.read

    @property
    def trains(self) -> bool:
        """Whether a training serves it: facts of the data need none."""
        return not self.read.startswith("data.")


@dataclass(frozen=True)
class Table:
    """A table or figure of a paper.

    base: plain CE by the table's own recipe, called with a column's setting.
    selection: the epoch that is read first, of measured runs; the others stand beside it.
    seeds: how many runs a cell has unless asked otherwise. varies: what a seed changes, `order` (initialisation, order,
        augmentation: the images are fixed) or `split` (the images, too).
    short: its short recipe. figure: the form of its picture, '' for none.
    notes: what a reader must know.
    """

    name: str
    title: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    base: Base
    short: Short
    selection: Literal["last", "best_val", "best_val_micro", "best_test"] = "last"
    seeds: int = 3
    varies: Literal["order", "split"] = "order"
    claims: tuple[Claim, ...] = ()
    mistakes: Mapping[tuple[str, str], Mistake] = field(default_factory=dict)
    figure: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if row.printed and len(row.numbers) != len(self.columns_of(row)):
                raise ValueError(
                    f"{self.name}: row {row.label} prints {len(row.numbers)} numbers "
                    f"in {len(self.columns_of(row))} columns"
                )
        grids = {len(row.method.methods) if isinstance(row.method, BestOf) else 1 for row in self.rows if row.method}
        if len(grids) > 1:
            raise ValueError(
                f"{self.name}: rows choose from grids of {sorted(grids)} configs; they must be of one size"
            )

    def row(self, label: str) -> Row:
        """A row by its label; InputError for an unknown one."""
        return _named(self.rows, label, f"row of {self.name}")

    def column(self, label: str) -> Column:
        """A column by its label; InputError for an unknown one."""
        return _named(self.columns, label, f"column of {self.name}")

    def columns_of(self, row: Row) -> tuple[Column, ...]:
        """The columns that a row has."""
        return tuple(column for column in self.columns if not row.columns or column.label in row.columns)

    @cached_property
    def reported(self) -> Mapping[tuple[str, str], Reported]:
        """The numbers that the paper prints, by labels of row and column."""
        found = {}
        for row in self.rows:
            for column, number in zip(self.columns_of(row), row.numbers, strict=False):
                if number is not None:
                    key = (row.label, column.label)
                    mistake = self.mistakes.get(key, Mistake(""))
                    n = row.n if number[1] is not None else 1
                    found[key] = Reported(*number, n, row.origin, row.selection, mistake.text, mistake.meant)
        return found

    def unit(self, row: Row, column: Column) -> Unit:
        """The unit of a cell."""
        return row.unit or column.unit

    def cells(self, edition: Edition = Edition()) -> tuple[Cell, ...]:
        """The cells that have a config, in an edition; built once."""
        if edition not in self._known:
            self._known[edition] = tuple(self._built(edition))
        return self._known[edition]

    @cached_property
    def _known(self) -> dict[Edition, tuple[Cell, ...]]:
        return {}

    def _built(self, edition: Edition) -> Iterator[Cell]:
        for row in self.rows:
            made: dict[str, Mapping[str, TrainConfig]] = {}  # columns that read one training share its config
            for column in self.columns_of(row):
                cell = Cell(row, column, {})
                methods = _methods(row, column)
                key = f"{sorted(column.setting.items())} {cell.trains} {id(methods.get(''))}"
                if methods and key not in made:
                    base = self._base_of(row, edition)(**column.setting)
                    own = edition if cell.trains else replace(edition, short=False, scale=1.0)
                    made[key] = {name: self._in_edition(method(base), own) for name, method in methods.items()}
                if methods:
                    yield replace(cell, configs=made[key])

    def reads(self, edition: Edition = Edition()) -> list[str]:
        """All that it reads of trainings, in an edition."""
        return list(dict.fromkeys(cell.read for cell in self.cells(edition) if cell.trains))

    def same_recipe(self, row: Row, edition: Edition) -> bool:
        """Whether a row is trained by the recipe that its printed numbers come from."""
        return not row.unlike and (row.source is None or edition.recipe == "reported")

    def with_seed(self, config: TrainConfig, seed: int) -> TrainConfig:
        """A cell's config with another seed, and another split where the table varies it."""
        changes: dict[str, object] = {"seed": seed}
        if self.varies == "split":
            changes["data.subset_seed"] = seed
        return override(config, changes)

    def _base_of(self, row: Row, edition: Edition) -> Base:
        return row.source if row.source is not None and edition.recipe == "reported" else self.base

    def _in_edition(self, config: TrainConfig, edition: Edition) -> TrainConfig:
        if edition.short:
            config = self.short(config)
        if edition.scale != 1:
            config = scaled(config, edition.scale)
        return stand_in(config, edition.on) if edition.on else config


def _methods(row: Row, column: Column) -> Mapping[str, Method]:
    """What a cell trains, by name; empty where it has no config."""
    if isinstance(row.method, BestOf):
        return row.method.methods
    if isinstance(row.method, Mapping):
        return {"": row.method[column.label]} if column.label in row.method else {}
    return {"": row.method} if row.method else {}


def _number(token: str) -> tuple[float, float | None] | None:
    if token == "-":
        return None
    mean, _, std = token.partition("±")
    return float(mean), float(std) if std else None


def _named(found: tuple[Any, ...], label: str, what: str) -> Any:
    by_label = {one.label: one for one in found}
    if label not in by_label:
        raise unknown(what, label, by_label)
    return by_label[label]
