"""Orders of rows at two lengths. The runs are made up (filling.py)."""

import pytest
from filling import diverging, filled, jittered

from search_spaces.table import Cell
from tuning.tables.lengths import lengths, pairs

ORDER = {"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}


def best_last(cell: Cell, seed: int) -> float:
    return ORDER[cell.row.label] + 0.001 * seed


def swapped(cell: Cell, seed: int) -> float:
    """c and d the other way round."""
    return {**ORDER, "c": 0.4, "d": 0.3}[cell.row.label] + 0.001 * seed


def table2(value, **asked):
    return filled("ib2021/table2", jittered(value, 0.1), short=True, **asked)


def test_pairs_name_the_row_ahead_at_the_longer_length_first():
    found = pairs(table2(swapped), table2(best_last, scale=4))
    assert {pair.rows for pair in found} == {("b", "a"), ("c", "a"), ("d", "a"), ("c", "b"), ("d", "b"), ("d", "c")}
    assert [pair.rows for pair in found if pair.changed] == [("d", "c")]
    assert [pair.rows for pair in found if pair.told] == [("d", "c")]
    (pair,) = (pair for pair in found if pair.changed)
    assert pair.shorter.difference == pytest.approx(-10, abs=0.2)
    assert pair.longer.difference == pytest.approx(10, abs=0.2)
    assert pair.longer.low < pair.longer.difference < pair.longer.high


def test_a_report_says_which_orders_changed_and_which_are_beyond_the_noise():
    (section,) = lengths([table2(best_last, scale=4), table2(swapped)])
    assert section.title == ("Orders that length changes: 10 epochs in place of 200, against 40 epochs in place of 200")
    assert section.sentences[0].endswith(
        "5 of 6 pairs of rows are in the same order, 1 in another, "
        "of which 1 told from noise at both (by one-sided 95 % bounds, uncorrected)."
    )
    (grid,) = section.tables.values()
    assert [list(row[:2]) for row in grid.rows] == [["cifar10-lt-100", "d - c"]]
    assert grid.rows[0][-1] == "yes"


def test_what_did_not_change_has_no_table():
    (section,) = lengths([table2(best_last), table2(best_last, scale=4)])
    assert section.sentences[0].endswith("6 of 6 pairs of rows are in the same order, 0 in another.")
    assert section.tables == {}


def test_an_order_within_the_noise_is_not_told():
    noisy = filled("ib2021/table2", jittered(swapped, 20), short=True)
    assert not any(pair.told for pair in pairs(noisy, table2(best_last, scale=4)))


def test_what_diverged_is_not_told():
    survived = diverging(table2(swapped), ("d", "cifar10-lt-100", 1))
    (pair,) = (pair for pair in pairs(survived, table2(best_last, scale=4)) if pair.changed)
    assert pair.rows == ("d", "c") and not pair.told


def test_with_one_seed_there_are_differences_without_bounds():
    one_seed = {"name": "ib2021/table2", "seeds": 1, "short": True}
    shorter, longer = filled(value=swapped, **one_seed), filled(value=best_last, scale=4, **one_seed)
    (section,) = lengths([shorter, longer])
    (grid,) = section.tables.values()
    assert grid.rows[0][2:] == ["-10.00", "+10.00", "no"]


@pytest.mark.parametrize("other", [{"on": "digits"}, {"recipe": "reported"}])
def test_other_data_or_another_recipe_is_no_other_length(other):
    assert lengths([table2(swapped), table2(best_last, scale=4, **other)]) == []
