import re
from collections.abc import Iterator, Mapping
from statistics import fmean

import pytest
from papers import words

from lt_core import Run, TrainConfig
from lt_core.value import InputError
from search_spaces import CONFIGS, TABLES, Edition, Table
from search_spaces.baselines import plain
from search_spaces.presets import cifar_lt
from search_spaces.short import SHORT_CIFAR, levels
from search_spaces.table import BestOf, Cell, Column, Row

NAMES = {
    "ib2021": "figure2 figure3 table1 table2 table3 table4 table5 table6",
    "cdb2020": "figure1 figure2 table1 table2 table3 table4 table5 table6 table7",
    "cb2019": "figure3 figure4 figure5 table1 table2 table3",
    "controls": "ib ib-table2 ib-noise ib-figure2 cdb-tau cdb-tau-mnist cb-grid",
}
TRAINED = {name: table for name, table in TABLES.items() if isinstance(table, Table)}
EDITIONS = [
    Edition(),
    Edition(recipe="reported"),
    Edition(recipe="reported", short=True, scale=4),
    Edition(on="digits"),
    Edition(short=True, on="mnist"),
]

each_table = pytest.mark.parametrize("table", TRAINED.values(), ids=TRAINED)


def cells(table: Table, edition: Edition) -> list[Cell]:
    """The cells of an edition; a table on MNIST has no stand-in there."""
    return [] if is_its_own_stand_in(table, edition) else list(table.cells(edition))


def is_its_own_stand_in(table: Table, edition: Edition) -> bool:
    return edition.on == "mnist" and "mnist" in table.name + str(table.base.__name__ if table.base else "")


def declared(table: Table) -> Iterator[tuple[str, str]]:
    """The cells that have a config, as the rows declare them."""
    for row in (row for row in table.rows if row.method):
        for column in table.columns_of(row):
            if not isinstance(row.method, Mapping) or column.label in row.method:
                yield row.label, column.label


def trained(found: list[Cell]) -> Iterator[TrainConfig]:
    for cell in found:
        if cell.trains:
            yield from cell.configs.values()


# --- all of them ------------------------------------------------------------------------------------


def test_every_table_and_figure_exists_by_name():
    assert list(TABLES) == list(dict.fromkeys(TABLES))
    assert set(TABLES) == {f"{paper}/{name}" for paper, names in NAMES.items() for name in names.split()}
    assert all(name == table.name and table.title for name, table in TABLES.items())


@each_table
@pytest.mark.parametrize("edition", EDITIONS, ids=lambda edition: edition.name)
def test_every_cell_builds(table, edition):
    found = cells(table, edition)
    assert len({cell.key for cell in found}) == len(found)
    assert {cell.key for cell in found} == (set() if is_its_own_stand_in(table, edition) else set(declared(table)))
    if edition.on is not None and any(cell.trains for cell in found):
        assert {config.data.name for config in trained(found)} == {edition.on}


@each_table
def test_every_printed_number_has_a_cell_or_a_reason(table):
    with_config = {cell.key for cell in table.cells()}
    for row, column in table.reported:
        assert (row, column) in with_config or table.row(row).reason, (row, column)


@each_table
def test_a_row_without_a_config_says_why_and_nothing_else_does(table):
    with_config = {cell.row.label for cell in table.cells()}
    for row in table.rows:
        assert (row.label in with_config) != bool(row.reason)


@each_table
def test_rows_of_a_column_differ_but_for_what_a_table_says(table):
    same = {("Sigmoid", "Class-Balanced")} if table.name == "cb2019/table2" else set()
    for column in table.columns:
        by_id: dict[str, str] = {}
        for cell in table.cells():
            if cell.column is column and cell.trains:
                for config in cell.configs.values():
                    other = by_id.setdefault(config.id, cell.row.label)
                    assert other == cell.row.label or (other, cell.row.label) in same or cell.best_of


@each_table
def test_claims_are_of_cells_that_are_there(table):
    with_config = {cell.key for cell in table.cells()}
    for claim in table.claims:
        keys = {(r, c) for x in claim.contrasts for s in (x.better, x.worse) for r in s.rows for c in s.columns}
        assert all(table.row(row) and table.column(column) for row, column in keys)
        assert bool(claim.open) == (not claim.contrasts or not keys <= with_config), claim.text
        assert claim.our_margin == any(x.margin for x in claim.contrasts)


@each_table
def test_a_number_carries_where_it_is_from(table):
    for key, number in table.reported.items():
        assert number.origin, key
        assert (number.std is None) == (number.n == 1)
        source = table.row(key[0]).source
        assert source is None or number.origin != "own run"


@each_table
def test_a_short_recipe_leaves_three_epochs_to_every_phase_and_rate(table):
    for config in trained(cells(table, Edition(short=True))):
        assert config.epochs <= 14 or config.data.name == "mnist-4-9"
        assert min(level.epochs for level in levels(config)) >= 3, (config.phases, levels(config))
        assert len(levels(config)) >= 2 or config.optimizer.schedule.kind == "cosine"


@each_table
def test_the_stand_in_trains(table):
    """One epoch of each network, loss and weighting that a table has, on the digits."""
    seen = set()
    for config in trained(cells(table, Edition(short=True, on="digits"))):
        last = config.phases[-1]
        what = (last.loss.kind, last.weights.kind, last.reweighting.kind, config.model.head)
        if what not in seen:
            seen.add(what)
            run = Run(config.replaced(epochs=1, phases=(last.replaced(start=0),)))
            assert not run.step().diverged


# --- the papers -------------------------------------------------------------------------------------


IN_PRINT = [name for name in TRAINED if name.split("/")[0] in ("ib2021", "cdb2020", "cb2019")]
# What stands before a row's numbers in the text, beside the row's own label; lower case, without spaces and
# sources, ~ for no number.
ROWS_IN_PRINT: dict[str, tuple[str, ...]] = {
    "CE": ("baseline(ce)", "unweightedce"),
    "Focal": ("focalloss",),
    "CB": ("cbloss", "class-balanced", "class-balancedloss"),
    "EQL": ("equalizationloss¹", "equalizationloss"),
    "MW-Net": ("meta-weightnet",),
    "dynamic": ("cdb-ce",),
    "samples": ("#trainingsamples",),
    "L1": ("l_1",),
    "L2": ("l_2",),
    "Linf": ("l_{infty}",),
    "a": ("accuracy",),
    "b": ("accuracy76.03±0.97",),
    "c": ("accuracy76.03±0.9778.17±0.57",),
    "d": ("accuracy76.03±0.9778.17±0.5777.55±0.55",),
    **{f"Focal {gamma}": (f"focal(gamma={gamma})",) for gamma in ("0.5", "1.0", "2.0")},
    **{f"softmax {depth}": (f"resnet-{depth}softmax~~224times224",) for depth in (50, 101, 152)},
    **{f"CB focal {depth}": (f"resnet-{depth}cbfocal0.9990.5224times224",) for depth in (50, 101, 152)},
    **{f"CB focal {depth} at 320": (f"resnet-{depth}cbfocal0.9990.5320times320",) for depth in (50, 101, 152)},
}
HEADS_IN_PRINT = {
    "ib2021/table2": "(a) IB+1e-8 (b) IB+1e-3 (c) IB+1e-2 (d) 1e-3",
    "cdb2020/table5": "Top-1 Accuracy(%)",
    "cdb2020/table6": "Acc@Top1 Acc@Top5 Recall Precision",
    "cdb2020/table7": "Majority classes Minority classes Recall Precision Recall Precision",
    "cb2019/table1": "# Classes Imbalance",
    "cb2019/table3": "iNaturalist 2017 iNaturalist 2018 ILSVRC 2012 Network Loss beta gamma Input Size "
    "Top-1 Top-5 Top-1 Top-5 Top-1 Top-5",
}


def in_print(name: str) -> str:
    return " " + " ".join(words(name.split("/")[0])) + " "


@pytest.mark.parametrize("name", IN_PRINT)
def test_the_numbers_are_those_of_the_paper_s_text_beside_the_row_s_name(name):
    text = in_print(name)
    for row in TRAINED[name].rows:
        labels = (row.label.lower().replace(" ", ""), *ROWS_IN_PRINT.get(row.label, ()))
        for line in filter(None, row.printed.split("|")):
            printed = " ".join(line.split()).replace("e-", "E-")
            if row.label.startswith("long-tailed CIFAR"):
                classes, least, most = printed.split()
                printed = f"{classes} {least} - {most}"
            before, *others = text.split(f" {printed} ")[:-1] or [""]
            gaps = re.sub(r"(?<= )-(?= )", "~", f"{before.lower()} ")
            shown = re.sub(r"\[\d+\]|\(ours\)| ", "", gaps)
            assert any(re.search(rf"(?<![+-]){re.escape(label)}$", shown[-80:]) for label in labels), (
                row.label,
                printed,
            )
            assert not others or row.label in ("CDB-CE", "dynamic"), (row.label, printed)  # of two tables


@pytest.mark.parametrize("name", IN_PRINT)
def test_the_columns_are_in_the_order_of_the_paper_s_text(name):
    table = TRAINED[name]
    if any(row.printed for row in table.rows):
        row = next(row for row in table.rows if row.printed)
        heads = [
            column.head or column.label for column in table.columns_of(row)[: len(row.printed.split("|")[0].split())]
        ]
        assert f" {HEADS_IN_PRINT.get(name, ' '.join(heads))} " in in_print(name)


def test_the_mean_of_the_class_accuracies_contradicts_table_4_where_it_is_marked():
    by_class, overall = TRAINED["ib2021/table3"], TRAINED["ib2021/table4"]
    means = {
        row.label: {
            block: fmean(n[0] for n in row.numbers[10 * i : 10 * i + 10] if n) for i, block in enumerate(("lt", "step"))
        }
        for row in by_class.rows
    }
    found = {
        (row, column): round(means[row][column.split("-")[1]], 2) - number.value
        for (row, column), number in overall.reported.items()
        if row in means and column in ("cifar10-lt-50", "cifar10-step-50") and number.origin == "own run"
    }
    wrong = {key for key, difference in found.items() if abs(difference) > 0.02}
    assert wrong == {("CE", "cifar10-lt-50")}
    assert overall.reported["CE", "cifar10-lt-50"].mistake and means["CE"]["lt"] == pytest.approx(75.65)


@pytest.mark.parametrize("edition", [Edition(), Edition(short=True)])
def test_cdb_s_figure_and_tables_of_egtea_share_their_training_of_ce(edition):
    names = ("cdb2020/figure1", "cdb2020/table6", "cdb2020/table7")
    cells = [cell for name in names for cell in TRAINED[name].cells(edition) if cell.row.label == "CE"]
    assert len({config.id for cell in cells for config in cell.configs.values()}) == 1


def test_egtea_s_printed_means_come_from_five_majority_classes():
    overall, groups = TRAINED["cdb2020/table6"].reported, TRAINED["cdb2020/table7"].reported
    for row in ("CE", "Focal", "CB", "CDB-CE"):
        five = (5 * groups[row, "majority-recall"].value + 14 * groups[row, "minority-recall"].value) / 19
        assert overall[row, "recall"].value == pytest.approx(five, abs=0.015)


def test_ib_s_counts_are_the_data_s():
    table = TRAINED["ib2021/table3"]
    for cell in table.cells():
        if cell.row.label == "samples":
            counts = cell.configs[""].data.counts
            assert counts and counts[int(cell.read.split("[")[1][:-1])] == table.reported[cell.key].value


def test_marked_mistakes():
    assert {
        (table.name, *key): number.meant
        for table in TRAINED.values()
        for key, number in table.reported.items()
        if number.mistake
    } == {
        ("ib2021/table4", "LDAM-DRW", "cifar100-lt-10"): 58.71,
        ("ib2021/table4", "CE", "cifar10-lt-50"): None,
        ("ib2021/table5", "CE", "lt-10"): None,
        ("cdb2020/table3", "CB", "cifar100-lt-20"): 52.59,
    }


def test_copied_numbers_are_those_of_their_source():
    ib, cdb, cb = TRAINED["ib2021/table4"], TRAINED["cdb2020/table3"], TRAINED["cb2019/table2"]
    for table, rows in (
        (ib, {"Focal": "Focal 1.0", "CB": "Class-Balanced"}),
        (cdb, {"Focal": "Focal 1.0", "CB": "Class-Balanced"}),
    ):
        for row, theirs in rows.items():
            for (label, column), number in table.reported.items():
                if label == row:
                    value = number.meant or number.value
                    source = round(100 - cb.reported[theirs, column].value, 2)
                    assert value == pytest.approx(source, abs=0.051), (table.name, row, column)


# --- one table --------------------------------------------------------------------------------------


def test_the_cells_are_the_configs_that_ship():
    ib = {cell.key: cell.configs[""] for cell in TRAINED["ib2021/table4"].cells()}
    shipped = CONFIGS["ib2021-cifar10"]
    mine = ib["IB", "cifar10-lt-100"]
    assert mine.data.val_per_class == 0 and mine.evaluation.test_every_epoch
    assert mine.replaced(data=shipped.data, evaluation=shipped.evaluation) == shipped
    cb = {cell.key: cell.configs[""] for cell in TRAINED["cb2019/table2"].cells()}
    best = cb["Class-Balanced", "cifar100-lt-10"].phases[0]
    assert (best.loss.kind, best.loss.gamma, best.weights.beta) == ("sigmoid_focal", 0.5, 0.999)


def test_equal_puts_all_rows_on_one_recipe_and_reported_on_their_source_s():
    def bases(recipe: str) -> dict[str, set[object]]:
        found: dict[str, set[object]] = {}
        for cell in TRAINED["cdb2020/table3"].cells(Edition(recipe=recipe)):  # type: ignore[arg-type]
            config = cell.configs[""]
            found.setdefault(cell.row.label, set()).add((config.epochs, config.batch_size, config.data.normalise))
        return found

    equal, reported = bases("equal"), bases("reported")
    assert {recipe for recipes in equal.values() for recipe in recipes} == {(240, 128, "imagenet")}
    assert reported["Focal"] == {(200, 128, "signed")}
    assert reported["MW-Net"] == {(100, 100, "meta_weight_net")}
    assert reported["LDAM-DRW"] == {(200, 128, "cifar10")}
    assert reported["CDB-CE"] == equal["CDB-CE"]


def test_tables_that_share_a_config_share_its_id():
    ids = {
        name: {cell.key: cell.configs[""].id for cell in TRAINED[name].cells()}
        for name in ("ib2021/table1", "ib2021/table2", "ib2021/table3", "ib2021/table4", "controls/ib")
    }
    shared = ids["ib2021/table4"]["IB", "cifar10-lt-100"]
    assert ids["ib2021/table1"]["L1", "cifar10-lt-100"] == ids["ib2021/table2"]["b", "cifar10-lt-100"] == shared
    assert ids["controls/ib"]["IB", "cifar10-lt-100"] == shared
    of_classes = {ids["ib2021/table3"]["IB", f"lt-{name}"] for name in ("plane", "truck")}
    assert of_classes == {ids["ib2021/table4"]["IB", "cifar10-lt-50"]}


def test_a_seed_changes_the_split_only_where_the_table_says_so():
    def seeded(name: str) -> tuple[int, int]:
        table = TRAINED[name]
        config = table.with_seed(next(iter(table.cells()[0].configs.values())), 7)
        return config.seed, config.data.subset_seed

    assert seeded("cdb2020/table1") == (7, 7)
    assert seeded("ib2021/table2") == (7, 0)


def test_the_short_recipe_of_ib():
    cell = {cell.row.label: cell.configs[""] for cell in TRAINED["ib2021/table2"].cells(Edition(short=True))}["b"]
    rates = [cell.learning_rate(epoch) for epoch in range(1, 11)]
    assert rates == pytest.approx([0.1] * 4 + [1e-3] * 3 + [1e-4] * 3)
    assert cell.learning_rate(1, done=0.5) == pytest.approx(0.05)


def test_a_longer_short_edition_is_scaled():
    lengths = {cell.configs[""].epochs for cell in TRAINED["ib2021/table2"].cells(Edition(short=True, scale=4))}
    assert lengths == {40}
    assert Edition(short=True, scale=4, on="digits").name == "short-x4-digits"
    assert (Edition().name, Edition(recipe="reported").name) == ("full", "reported")


def test_a_table_on_mnist_has_no_stand_in_there():
    with pytest.raises(InputError, match="--on mnist: mnist-4-9 is what the table is on"):
        list(TRAINED["cdb2020/table1"].cells(Edition(on="mnist")))


def test_the_short_recipe_refuses_what_it_was_not_made_for():
    with pytest.raises(InputError, match="nothing of a length of 40; it knows 200"):
        SHORT_CIFAR(cifar_lt("cifar10", 100).replaced(epochs=40))


def test_unknown_labels_name_the_nearest():
    with pytest.raises(InputError, match="did you mean `LDAM-DRW`"):
        TRAINED["ib2021/table4"].row("LDAM-DWR")
    with pytest.raises(InputError, match="no column of ib2021/table1 `cifar10-lt-10`"):
        TRAINED["ib2021/table1"].column("cifar10-lt-10")


def test_a_table_refuses_rows_that_cannot_be():
    def table(*rows: Row) -> Table:
        columns = (Column("a", {"name": "cifar10", "imbalance": 10.0}),)
        return Table("x/y", "a table", rows, columns, cifar_lt, SHORT_CIFAR)

    with pytest.raises(ValueError, match="prints 2 numbers in 1 columns"):
        table(Row("CE", plain, "1.0 2.0"))
    with pytest.raises(ValueError, match=r"grids of \[1, 2\] configs; they must be of one size"):
        table(Row("CE", plain), Row("best", BestOf({"a": plain, "b": plain})))
