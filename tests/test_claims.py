import math
from dataclasses import replace
from statistics import fmean, stdev

import numpy as np
import pytest
from scipy import stats

from search_spaces import TABLES, Table
from search_spaces.baselines import plain
from search_spaces.claims import Claim, Contrast, Side, over
from search_spaces.presets import cifar_lt
from search_spaces.short import SHORT_CIFAR
from search_spaces.table import Column, Reported, Row
from tuning.tables.claims import (
    Cells,
    CellVerdict,
    Measured,
    Spread,
    cell_verdict,
    expected_difference,
    judge,
    pooled,
    seeds_to_tell,
)
from tuning.tables.printed import printed_differences


def made(rows: str = "ABC", columns: str = "xy", unit: str = "accuracy") -> Table:
    """A table of some rows and columns; what they train does not matter here."""
    return Table(
        name="a/table",
        title="a table",
        rows=tuple(Row(label, plain) for label in rows),
        columns=tuple(Column(label, {"name": "cifar10", "imbalance": 10.0}, unit=unit) for label in columns),  # type: ignore
        base=cifar_lt,
        short=SHORT_CIFAR,
    )


def values(*numbers: float, first: int = 0) -> dict[int, float]:
    return dict(enumerate(numbers, first))


A, B, C = values(80.1, 81.0, 79.6), values(78.0, 79.4, 77.9), values(78.3, 78.8, 78.1)
OTHERWISE = {"x": 1.0, "y": 1.0, "z": 1.0}
CELLS: Cells = {("A", "x"): A, ("B", "x"): B, ("C", "x"): C}


def contrast(better: str, worse: str, column: str = "x", margin: float = 0.0) -> Contrast:
    return Contrast(Side(tuple(better), (column,)), Side((worse,), (column,)), column, margin)


def judged(cells: Cells, one: Contrast, table: Table | None = None):
    found = Measured(table or made(), cells).judge(one)
    assert found is not None
    return found


# --- contrasts --------------------------------------------------------------------------------------


def test_two_rows_are_compared_by_the_paired_t_test():
    found = judged({("A", "x"): A, ("B", "x"): B}, contrast("A", "B"))
    expected = stats.ttest_rel(list(A.values()), list(B.values()), alternative="greater")
    assert found.spread and (found.n, found.spread.df) == (3, 2)
    assert found.difference == pytest.approx(fmean(A.values()) - fmean(B.values()))
    assert found.low == pytest.approx(expected.confidence_interval(0.95).low)
    assert found.p == pytest.approx(1 - expected.pvalue)


def test_the_spread_is_pooled_over_all_rows_without_the_seeds_own_effect():
    found = judged(CELLS, contrast("A", "B"))
    y = np.array([list(row.values()) for row in (A, B, C)])
    residual = y - y.mean(1, keepdims=True) - y.mean(0, keepdims=True) + y.mean()
    sigma = math.sqrt((residual**2).sum() / 4)
    assert found.spread and (found.spread.df, found.spread.sigma) == (4, pytest.approx(sigma))
    assert found.error == pytest.approx(sigma * math.sqrt(2 / 3))
    assert found.low == pytest.approx(found.difference - stats.t.ppf(0.95, 4) * found.error)


def test_a_common_shift_of_a_seed_changes_nothing():
    shifted = {key: {seed: v + 7 * seed for seed, v in cell.items()} for key, cell in CELLS.items()}
    a, b = judged(CELLS, contrast("A", "B")), judged(shifted, contrast("A", "B"))
    assert (b.difference, b.error) == pytest.approx((a.difference, a.error))


def test_seeds_that_one_side_lacks_are_made_use_of():
    found = judged({**CELLS, ("B", "x"): values(78.0, 79.4)}, contrast("A", "B"))
    whole = judged(CELLS, contrast("A", "B"))
    assert found.spread and whole.spread and (found.n, found.spread.df) == (2, 3)
    assert found.difference == pytest.approx(fmean([80.1 - 78.0, 81.0 - 79.4]), abs=0.6)
    assert found.error > 0


def test_rows_without_a_common_seed_are_compared_unpaired():
    found = judged({("A", "x"): A, ("B", "x"): values(78.0, 79.4, 77.9, first=10)}, contrast("A", "B"))
    expected = stats.ttest_ind(list(A.values()), list(B.values()), alternative="greater")
    assert found.spread and found.spread.df == 4
    assert found.low == pytest.approx(expected.confidence_interval(0.95).low)


def test_one_seed_says_nothing():
    found = judged({("A", "x"): values(80.0), ("B", "x"): values(70.0)}, contrast("A", "B"))
    assert found.spread is None and not found.confirmed and (found.low, found.high) == (-math.inf, math.inf)


def test_runs_that_are_equal_to_the_digit_say_nothing():
    same = {("A", "x"): values(80.0, 80.0), ("B", "x"): values(79.0, 79.0)}
    assert not judged(same, contrast("A", "B")).confirmed


def test_less_error_is_better():
    table = made(unit="error")
    found = judged({("A", "x"): values(2.0, 2.1, 2.2), ("B", "x"): values(3.0, 3.2, 3.1)}, contrast("A", "B"), table)
    assert found.difference == pytest.approx(1.0) and found.confirmed


def test_a_side_may_be_a_mean_over_columns():
    cells = {
        ("A", "x"): values(80.0, 81.0),
        ("A", "y"): values(60.0, 63.0),
        ("B", "x"): values(75.0, 75.5),
        ("B", "y"): values(61.0, 62.0),
    }
    both = Contrast(Side(("A",), ("x", "y")), Side(("B",), ("x", "y")), "all")
    assert judged(cells, both).difference == pytest.approx(71.0 - 68.375)


def test_columns_of_a_row_are_compared_within_its_runs():
    cells = {("A", "x"): values(80.0, 81.0, 82.0), ("A", "y"): values(79.0, 80.1, 80.9)}
    found = judged(cells, Contrast(Side(("A",), ("x",)), Side(("A",), ("y",)), "A"))
    assert found.confirmed and found.difference == pytest.approx(1.0, abs=0.05)


def test_the_best_of_several_pays_for_the_choice():
    alone, among = judged(CELLS, contrast("A", "C")), judged(CELLS, contrast("AB", "C"))
    assert among.difference == alone.difference and among.low < alone.low
    assert among.low == pytest.approx(alone.difference - stats.t.ppf(0.975, 4) * alone.error)


# --- claims -----------------------------------------------------------------------------------------


def verdict(claim: Claim, cells: Cells, table: Table | None = None) -> str:
    return judge(claim, Measured(table or made(), cells), {}, OTHERWISE).verdict


def claim(*contrasts: Contrast, share: str = "all") -> Claim:
    return Claim("a claim", "section 1", contrasts, share)  # type: ignore[arg-type]


def test_a_claim_is_confirmed_contradicted_or_undecided():
    assert verdict(claim(contrast("A", "B"), contrast("A", "C")), CELLS) == "confirmed"
    assert verdict(claim(contrast("B", "A"), contrast("C", "A")), CELLS) == "contradicted"
    assert verdict(claim(contrast("B", "C")), CELLS) == "undecided"
    assert verdict(claim(contrast("A", "B"), contrast("B", "C")), CELLS) == "undecided"
    assert verdict(claim(contrast("A", "B"), contrast("B", "A")), CELLS) == "contradicted"


def test_a_margin_must_be_passed():
    assert verdict(claim(contrast("A", "B", margin=1.0)), CELLS) == "confirmed"
    assert verdict(claim(contrast("A", "B", margin=1.7)), CELLS) == "undecided"
    assert verdict(claim(contrast("A", "B", margin=5.0)), CELLS) == "contradicted"
    assert verdict(claim(contrast("B", "C", margin=-2.0), contrast("C", "B", margin=-2.0)), CELLS) == "confirmed"


def test_most_cases_are_more_than_half():
    cells = {(row, column): CELLS[row, "x"] for row in "ABC" for column in "xyz"}
    table = made(columns="xyz")
    up, down = (lambda c: contrast("A", "B", c)), (lambda c: contrast("B", "A", c))
    assert verdict(claim(up("x"), up("y"), down("z"), share="most"), cells, table) == "confirmed"
    assert verdict(claim(up("x"), down("y"), down("z"), share="most"), cells, table) == "contradicted"
    assert verdict(claim(up("x"), up("y"), down("z")), cells, table) == "contradicted"


def test_what_was_not_measured_cannot_be_confirmed():
    found = judge(claim(contrast("A", "B"), contrast("A", "B", "y")), Measured(made(), CELLS), {}, OTHERWISE)
    assert (found.verdict, len(found.judged)) == ("undecided", 1)
    assert verdict(claim(contrast("B", "A"), contrast("A", "B", "y")), CELLS) == "contradicted"


def test_a_contradiction_must_survive_holm():
    """One contrast that alone is below 0 at p = .03, among ten that are not."""
    rng = np.random.default_rng(0)
    rows = "ABCDEFGHIJK"
    table = made(rows=rows)
    noise = rng.normal(size=(11, 3))
    cells = {(row, "x"): values(*(50 + noise[i])) for i, row in enumerate(rows)}
    raw = judge(claim(*over("A", rows[1:], ["x"])), Measured(table, cells), {}, OTHERWISE)
    lowest = min(raw.judged, key=lambda one: one.p)
    shift = lowest.difference + 1.95 * lowest.error  # p near .03 at 20 degrees of freedom
    cells["A", "x"] = {seed: v - shift for seed, v in cells["A", "x"].items()}
    found = judge(claim(*over("A", rows[1:], ["x"])), Measured(table, cells), {}, OTHERWISE)
    assert min(one.p for one in found.judged) == pytest.approx(0.033, abs=0.01)
    assert found.verdict == "undecided" and not found.contradicting
    alone = judge(claim(lowest.contrast), Measured(table, cells), {}, OTHERWISE)
    assert alone.verdict == "contradicted"


@pytest.mark.slow
def test_noise_is_seldom_called_a_result():
    """Over 300 tables of pure noise, a true null is confirmed or contradicted about as often as 5 % allow."""
    rng = np.random.default_rng(1)
    table = made("AB")
    found = []
    for _ in range(300):
        seeds = rng.normal(size=4)
        cells = {(row, "x"): values(*(50 + seeds + rng.normal(size=4))) for row in "AB"}
        found.append(verdict(claim(contrast("A", "B")), cells, table))
    assert 0.02 <= found.count("confirmed") / 300 <= 0.09
    assert 0.02 <= found.count("contradicted") / 300 <= 0.09


# --- seeds that would decide ------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "sigmas"), [(2, 5.65), (3, 3.07), (5, 2.02), (10, 1.32)])
def test_the_smallest_difference_at_80_percent_power(n, sigmas):
    assert seeds_to_tell(sigmas * 1.005, 1.0) == n
    assert (seeds_to_tell(sigmas * 0.99, 1.0) or 0) == n + 1


def test_differences_of_a_few_hundredths_would_need_hundreds_of_seeds():
    assert seeds_to_tell(0.04, 0.3) == pytest.approx(880, abs=10)
    assert seeds_to_tell(0.001, 1.0) is None


def test_an_undecided_claim_says_what_would_decide_it():
    one = contrast("B", "C")
    found = judge(claim(one), Measured(made(), CELLS), {one: 0.8}, OTHERWISE)
    assert found.planned == 0.8 and found.n is not None and found.n[0] and found.n[1]
    spread = found.judged[0].spread
    assert spread is not None
    assert found.n == (seeds_to_tell(0.8, spread.interval[0]), seeds_to_tell(0.8, spread.interval[1]))
    assert found.n[0] < found.n[1]
    against = judge(claim(one), Measured(made(), CELLS), {one: -0.3}, {"x": 0.5})  # the paper has it the other way
    assert against.planned == 0.5
    assert judge(claim(contrast("A", "B")), Measured(made(), CELLS), {}, OTHERWISE).n is None
    assert judge(claim(one), Measured(made(), CELLS), {}, {}).n is None  # a plain value has no points to plan with


def test_the_expected_difference_without_a_paper_s():
    assert [expected_difference(name) for name in ("cifar10", "cifar100", "mnist-4-9")] == [1.0, 0.5, 1.0]


def test_sigma_s_80_percent_interval():
    low, high = Spread(2.0, 6).interval
    assert (low, high) == pytest.approx(
        (2 * math.sqrt(6 / stats.chi2.ppf(0.9, 6)), 2 * math.sqrt(6 / stats.chi2.ppf(0.1, 6)))
    )


# --- runs that have a common part -------------------------------------------------------------------

COMMON = {("A", "x"): "CE", ("C", "x"): "CE"}


def test_rows_with_a_common_part_count_as_one_for_others():
    for cells in (CELLS, {**CELLS, ("C", "x"): {seed: value + 0.5 for seed, value in A.items()}}):
        shared = Measured(made(), cells, common=COMMON).judge(contrast("A", "B"))
        alone = Measured(made("AB"), {("A", "x"): A, ("B", "x"): B}).judge(contrast("A", "B"))
        assert shared and alone and (shared.low, shared.spread) == (alone.low, alone.spread)


def test_the_spread_of_a_column_counts_a_seed_of_a_common_part_once():
    alone = Measured(made(), CELLS).spread_of("x")
    shared = Measured(made(), CELLS, common=COMMON).spread_of("x")
    assert alone and shared and (alone.df, shared.df) == (6, 4)


def test_between_rows_with_a_common_part_the_spread_is_theirs():
    shared = Measured(made(), CELLS, common=COMMON).judge(contrast("A", "C"))
    alone = Measured(made("AC"), {("A", "x"): A, ("C", "x"): C}).judge(contrast("A", "C"))
    assert shared and alone and (shared.low, shared.spread) == (alone.low, alone.spread)


def test_a_group_of_rows_stands_for_one_by_its_mean():
    mean = {seed: (A[seed] + C[seed]) / 2 for seed in A}
    grouped = Measured(made("ABCD"), {**CELLS, ("D", "x"): A}, common=COMMON).judge(contrast("B", "D"))
    reduced = Measured(made("ABD"), {("A", "x"): mean, ("B", "x"): B, ("D", "x"): A}).judge(contrast("B", "D"))
    assert grouped and reduced and grouped.spread == reduced.spread


# --- rows of other data, length or selection --------------------------------------------------------


def test_the_spread_of_a_difference_is_of_rows_of_either_side_s_kind():
    cells = {**CELLS, ("D", "x"): values(10.0, 90.0, 40.0)}
    kinds = {(row, "x"): "long" for row in "ABC"} | {("D", "x"): "short"}
    among = Measured(made("ABCD"), cells, kinds=kinds)
    alone = Measured(made("ABC"), CELLS)
    for one in (contrast("A", "B"), contrast("B", "C")):
        assert among.judge(one) == alone.judge(one)
    across, whole = among.judge(contrast("A", "D")), Measured(made("ABCD"), cells).judge(contrast("A", "D"))
    assert across == whole


def test_rows_that_begin_alike_but_end_elsewhere_share_no_spread():
    """Of one first epoch, and of two lengths."""
    cells = {("A", "x"): A, ("B", "x"): B, ("C", "x"): values(10.0, 90.0, 40.0)}
    kinds = {("A", "x"): 10, ("B", "x"): 10, ("C", "x"): 40}
    common = dict.fromkeys(cells, "CE")
    found = Measured(made(), cells, common=common, kinds=kinds).judge(contrast("A", "B"))
    assert found == Measured(made("AB"), {("A", "x"): A, ("B", "x"): B}).judge(contrast("A", "B"))


# --- cells ------------------------------------------------------------------------------------------


def reported(value: float, n: int = 3) -> Reported:
    return Reported(value, 0.5 if n > 1 else None, n, "own run", "best_test")


def test_the_spread_of_cells():
    spread = pooled([[values(1.0, 2.0, 3.0)], [values(5.0)], [values(1.0, 1.5)]])
    assert spread and spread.df == 3
    assert spread.sigma == pytest.approx(math.sqrt((2 * stdev([1, 2, 3]) ** 2 + stdev([1, 1.5]) ** 2) / 3))
    assert pooled([[values(1.0), {}]]) is None
    together = pooled([[values(1.0, 2.0, 3.0), values(2.0, 4.0, 6.0)]])
    assert together and together.df == 2 and together.sigma == pytest.approx(math.sqrt((1 + 4) / 2))


def test_a_cell_is_compatible_within_the_interval_and_reproduced_within_a_point():
    spread = Spread(0.5, 8)
    half = stats.t.ppf(0.975, 8) * 0.5 * math.sqrt(1 / 3 + 1 / 3)
    mine = values(78.0, 78.4, 78.8)
    assert cell_verdict(mine, reported(78.2), spread) == CellVerdict(
        pytest.approx(0.2), pytest.approx(half), "reproduced"
    )
    assert cell_verdict(mine, reported(77.0), spread).word == "other"
    wide = cell_verdict(mine, reported(77.0), Spread(2.0, 8))
    assert wide.word == "compatible" and wide.half_width and wide.half_width > 1.0
    assert cell_verdict(mine, reported(78.2, n=1), spread).word == "compatible"


def test_a_number_that_is_a_mistake_is_held_against_what_was_meant():
    wrong = replace(reported(77.0), mistake="a digit", meant=78.2)
    assert cell_verdict(values(78.0, 78.4, 78.8), wrong, Spread(0.5, 8)) == cell_verdict(
        values(78.0, 78.4, 78.8), reported(78.2), Spread(0.5, 8)
    )


def test_one_seed_gives_no_verdict():
    assert cell_verdict(values(78.0), reported(78.0), Spread(0.5, 8)).word == ""
    assert cell_verdict(values(78.0, 79.0), reported(78.0), None).half_width is None


# --- a whole paper ----------------------------------------------------------------------------------


def test_a_table_as_the_paper_prints_it_confirms_what_is_far_apart():
    """IB's table 2, three seeds with its means and a spread of .1."""
    table = TABLES["ib2021/table2"]
    assert isinstance(table, Table)
    draws = {"a": (0.1, -0.1, 0.0), "b": (-0.1, 0.0, 0.1), "c": (0.0, 0.1, -0.1), "d": (0.1, 0.0, -0.1)}
    cells = {key: values(*(number.value + e for e in draws[key[0]])) for key, number in table.reported.items()}
    (only,) = table.claims
    found = judge(only, Measured(table, cells), printed_differences(table, only), 1.0)
    assert found.verdict == "confirmed"
    blurred = {key: {s: v + 3 * draws[key[0]][s] / 0.3 for s, v in cell.items()} for key, cell in cells.items()}
    unclear = judge(only, Measured(table, blurred), printed_differences(table, only), 1.0)
    assert unclear.verdict == "undecided" and unclear.planned == pytest.approx(0.62)
