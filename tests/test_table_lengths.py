"""Orders of rows at two lengths. The runs are made up (filling.py)."""

import pytest
from filling import diverging, filled, jittered, table

from search_spaces.table import Cell
from tuning.tables.filled import Filled
from tuning.tables.lengths import lengths, pairs

ORDER = {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}
PLACE = "cifar10-lt-100"


def rising(cell: Cell, seed: int) -> float:
    return ORDER[cell.row.label] + 0.001 * seed


def swapped(cell: Cell, seed: int) -> float:
    """c and d the other way round."""
    return {**ORDER, "c": 0.4, "d": 0.3}[cell.row.label] + 0.001 * seed


def level(cell: Cell, seed: int) -> float:
    """c and d equal, but for the last digits of their means."""
    values = {**ORDER, "c": (0.1, 0.2, 0.6)[seed], "d": (0.6, 0.2, 0.1)[seed]}
    return values[cell.row.label]


def short(value, scale=1.0, points=0.1, **asked):
    return filled("ib2021/table2", jittered(value, points), short=True, scale=scale, **asked)


def only(found: Filled, *rows: str) -> Filled:
    """What was measured of some rows."""
    ids = {run.config_id for cell in found.cells if cell.row.label in rows for run in found.runs_of(cell).values()}
    return Filled(found.table, found.ablation, [run for run in found.runs if run.config_id in ids])


def test_pairs_name_the_row_ahead_at_the_longer_length_first():
    found = pairs(short(swapped), short(rising, 4))
    assert {pair.rows for pair in found} == {("b", "a"), ("c", "a"), ("d", "a"), ("c", "b"), ("d", "b"), ("d", "c")}
    (pair,) = (pair for pair in found if pair.changed)
    assert pair.rows == ("d", "c") and pair.told
    assert pair.shorter.difference == pytest.approx(-10, abs=0.2)
    assert pair.longer.difference == pytest.approx(10, abs=0.2)
    assert pair.longer.low < pair.longer.difference < pair.longer.high


def test_columns_that_are_one_training_give_each_pair_once():
    two = [filled("controls/ib", jittered(lambda cell, seed: 0.5, 1.0), on="digits", scale=scale) for scale in (1, 2)]
    found = [frozenset(pair.rows) for pair in pairs(*two) if "CB" not in pair.rows]  # CB's beta changes by column
    assert len(two[0].table.columns) == 2 and len(set(found)) == len(found) == 10 * 9 / 2


def test_a_report_says_which_orders_changed_and_which_are_told_from_noise():
    (found,) = lengths([short(rising, 4), short(swapped)])
    assert found.sentence == (
        "6 pairs of rows in short and short-x4; in the same order: 5, in another: 1 "
        "(told from noise at both, by one-sided 95 % bounds, uncorrected: 1)."
    )
    assert found.section.title == "Orders at two lengths: 10 epochs in place of 200; 40 epochs in place of 200"
    (grid,) = found.section.tables.values()
    assert [list(row[:3]) for row in grid.rows] == [[PLACE, "d", "c"]] and grid.rows[0][-1] == "yes"


def test_what_did_not_change_has_no_table():
    (found,) = lengths([short(rising), short(rising, 4)])
    assert found.sentence.endswith("; in the same order: 6, in another: 0.")
    assert found.section.tables == {}


def test_of_errors_less_is_ahead():
    name = "cdb2020/table1"

    def errors(best):
        return lambda cell, seed: 0.9 if cell.row.label == best else 0.5 - 0.001 * seed

    found = pairs(
        *(filled(name, jittered(errors(best), 0.1), scale=scale) for best, scale in (("CE", 0.25), ("IFW", 1)))
    )
    swap = next(pair for pair in found if set(pair.rows) == {"CE", "IFW"})
    assert table(name).unit(table(name).row("CE"), table(name).column(swap.column)) == "error"
    assert swap.rows == ("IFW", "CE") and swap.longer.difference > 30 and swap.shorter.difference < -30 and swap.told


def test_an_order_within_the_noise_is_not_told():
    changed = [pair for pair in pairs(short(swapped, points=20), short(rising, 4)) if pair.changed]
    assert changed and not any(pair.told for pair in changed)


def test_runs_that_are_equal_to_the_digit_are_not_told():
    found = pairs(short(swapped, points=0), short(rising, 4, points=0))
    assert [(pair.rows, pair.told) for pair in found if pair.changed] == [(("d", "c"), False)]


def test_rows_that_are_level_have_no_order():
    for editions in ([short(level, points=0), short(rising, 4)], [short(rising), short(level, 4, points=0)]):
        (found,) = lengths(editions)
        assert found.sentence.endswith(", level at one: 1.")
        assert {"c", "d"} not in [set(pair.rows) for pair in found.compared]


def test_what_diverged_has_no_order():
    survived = diverging(short(swapped), ("d", PLACE, 1))
    (found,) = lengths([survived, short(rising, 4)])
    assert found.sentence.endswith("; in the same order: 3, in another: 0, with a run that diverged: 3.")


def test_an_edition_that_shares_no_rows_hides_no_longer_one():
    found = lengths([short(swapped), only(short(rising, 2), "a"), short(rising, 4)])
    assert [(one.shorter.edition.name, one.longer.edition.name) for one in found] == [("short", "short-x4")]


def test_with_one_seed_there_are_differences_without_bounds():
    (found,) = lengths([short(value, scale, points=0, seeds=1) for value, scale in ((swapped, 1), (rising, 4))])
    (grid,) = found.section.tables.values()
    assert grid.rows[0][3:] == ["-10.00", "+10.00", "no"]


@pytest.mark.parametrize("other", [{"on": "digits"}, {"recipe": "reported"}, {"short": False}])
def test_other_data_or_another_recipe_is_no_other_length(other):
    longer = filled("ib2021/table2", jittered(rising, 0.1), **{"short": True, "scale": 4, **other})
    assert lengths([short(swapped), longer]) == []


def test_values_without_a_better_side_have_no_order():
    def value(cell: Cell, seed: int) -> float:
        return 0.5 + 0.1 * (cell.row.label == "balanced")

    assert lengths([filled("ib2021/figure2", value, short=True, scale=scale) for scale in (1, 4)]) == []
