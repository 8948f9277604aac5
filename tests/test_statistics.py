import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tuning.reports.statistics import (
    Difference,
    deviation,
    differences_to,
    luck,
    mean,
    paired_difference,
    seeds_to_decide,
)

examples = settings(max_examples=80, deadline=None, derandomize=True)

# --- one difference ---------------------------------------------------------------------------------

accuracies = st.dictionaries(st.integers(0, 20), st.integers(0, 400).map(lambda n: n / 400), min_size=2)


@examples
@given(accuracies, accuracies)
def test_the_interval_is_scipy_s_paired_t_interval_over_common_seeds(a, b):
    seeds = sorted(a.keys() & b.keys())
    found = paired_difference(a, b)
    if len(seeds) < 2:
        assert found is None
        return
    assert found is not None and found.n == len(seeds)
    differences = [a[s] - b[s] for s in seeds]
    assert found.mean == pytest.approx(sum(differences) / len(seeds), abs=1e-12)
    if max(differences) - min(differences) < 1e-9:
        assert found.low == pytest.approx(found.mean) and found.high == pytest.approx(found.mean)
        return
    expected = stats.ttest_rel([a[s] for s in seeds], [b[s] for s in seeds]).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


@examples
@given(accuracies, accuracies)
def test_the_other_way_round_is_the_interval_s_mirror_image(a, b):
    there, back = paired_difference(a, b), paired_difference(b, a)
    if there is None or back is None:
        assert there is back
        return
    assert (back.low, back.mean, back.high) == pytest.approx((-there.high, -there.mean, -there.low))


@pytest.mark.parametrize(("a", "b"), [({}, {}), ({1: 0.5}, {1: 0.4}), ({1: 0.5, 2: 0.6}, {2: 0.5, 3: 0.6})])
def test_fewer_than_two_common_seeds_tell_nothing(a, b):
    assert paired_difference(a, b) is None


def difference(low: float, high: float) -> Difference:
    return Difference((low + high) / 2, 0.1, 5, low, high, 0.5)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1e-9, 0.2, "better"),
        (0.0, 0.2, "undecided"),
        (-0.1, 1e-9, "undecided"),
        (-0.1, 0.0, "not better"),
        (-0.2, -0.1, "not better"),
        (0.0, 0.0, "not better"),
    ],
)
def test_the_verdict_is_whether_the_interval_lies_above_0_at_or_below_it_or_holds_it(low, high, verdict):
    assert difference(low, high).verdict == verdict


def test_equal_results_are_not_better():
    same = {1: 0.5, 2: 0.75, 3: 0.25}
    found = paired_difference(same, same)
    assert found == Difference(0.0, 0.0, 3, 0.0, 0.0, 1.0) and found.verdict == "not better"


def test_a_gain_that_all_seeds_share_but_for_floating_point_is_undecided():
    found = paired_difference({1: 0.8, 2: 0.5}, {1: 0.7, 2: 0.4})
    assert 0.8 - 0.7 != 0.5 - 0.4
    assert found is not None and (found.low, found.high, found.deviation, found.p) == (0.1, 0.1, 0.0, 1.0)
    assert found.verdict == "undecided"


def test_what_all_seeds_gain_or_lose_alike_is_undecided_either_way():
    a, b = {1: 0.75, 2: 0.5}, {1: 0.5, 2: 0.25}
    gained, lost = paired_difference(a, b), paired_difference(b, a)
    assert gained is not None and lost is not None and (gained.p, lost.p) == (1.0, 1.0)
    assert (gained.verdict, lost.verdict) == ("undecided", "undecided")


@examples
@given(accuracies, accuracies)
def test_the_p_value_is_scipy_s(a, b):
    seeds = sorted(a.keys() & b.keys())
    found = paired_difference(a, b)
    if found is None or found.deviation < 1e-9:
        return
    assert found.p == pytest.approx(stats.ttest_rel([a[s] for s in seeds], [b[s] for s in seeds]).pvalue, abs=1e-9)


def test_means_and_deviations_of_few_values():
    assert (mean([]), mean([0.5]), mean([0.25, 0.75])) == (None, 0.5, 0.5)
    assert (deviation([]), deviation([0.5]), deviation([1.0, 3.0])) == (None, None, pytest.approx(math.sqrt(2)))


def test_luck_is_what_did_not_come_again():
    found = luck(0.75, {1: 0.5, 2: 0.75, 5: 0.625})
    half = 4.302653 * 0.125 / math.sqrt(3)  # t of 2 degrees of freedom
    assert found is not None
    assert (found.mean, found.low, found.high) == pytest.approx((0.125, 0.125 - half, 0.125 + half), abs=1e-6)
    assert luck(0.5, {1: 0.75}) is None


# --- several ----------------------------------------------------------------------------------------

PAPER = dict(enumerate([0.50, 0.52, 0.51, 0.49, 0.50]))


def shifted(*gains: float) -> dict[int, float]:
    return {seed: PAPER[seed] + gain for seed, gain in enumerate(gains)}


CLEAR = shifted(0.10, 0.11, 0.10, 0.09, 0.10)  # p = 0.00004
CLOSE = shifted(0.01, 0.03, 0.02, 0.005, 0.02)  # p = 0.015
NOTHING = shifted(0.01, -0.02, 0.0, 0.015, -0.005)


def test_one_config_alone_needs_no_correction():
    assert differences_to(PAPER, [CLOSE]) == [paired_difference(CLOSE, PAPER)]


def test_corrected_p_values_are_holm_s():
    found = differences_to(PAPER, [CLOSE, NOTHING, CLEAR])
    raw = [stats.ttest_rel(list(other.values()), list(PAPER.values())).pvalue for other in (CLOSE, NOTHING, CLEAR)]
    assert [d.p for d in found if d] == pytest.approx([2 * raw[0], raw[1], 3 * raw[2]])


def test_intervals_are_those_of_the_level_that_each_was_held_against():
    close, nothing, clear = differences_to(PAPER, [CLOSE, NOTHING, CLEAR])
    assert close and nothing and clear
    assert [d.confidence for d in (clear, close, nothing)] == pytest.approx([1 - 0.05 / 3, 1 - 0.05 / 2, 0.95])
    alone = paired_difference(CLOSE, PAPER)
    assert alone and close.low < alone.low and close.high > alone.high and close.mean == alone.mean
    assert [d.verdict for d in (clear, close, nothing)] == ["better", "better", "undecided"]


def test_what_is_better_alone_may_be_undecided_among_many():
    alone, *_ = differences_to(PAPER, [CLOSE])
    among, *_ = differences_to(PAPER, [CLOSE, NOTHING, NOTHING, NOTHING])
    assert alone and among and (alone.verdict, among.verdict) == ("better", "undecided")


gains = st.lists(st.lists(st.integers(-20, 20), min_size=5, max_size=5), min_size=1, max_size=5)


@examples
@given(gains)
def test_an_interval_leaves_out_0_exactly_where_the_corrected_p_value_is_below_5_percent(columns):
    found = differences_to(PAPER, [shifted(*(gain / 400 for gain in column)) for column in columns])
    for d in found:
        assert d is not None
        if d.deviation and abs(d.p - 0.05) > 1e-9:
            assert (d.low > 0 or d.high < 0) == (d.p < 0.05)


def test_who_has_no_seed_in_common_is_left_out_of_the_correction():
    none, close = differences_to(PAPER, [{9: 0.5}, CLOSE])
    assert none is None and close == paired_difference(CLOSE, PAPER)


# --- how many seeds would decide --------------------------------------------------------------------


@pytest.mark.parametrize(("effect", "seeds"), [(0.2, 199), (0.5, 34), (0.8, 15), (1.0, 10)])  # G*Power's, 80 %
def test_the_number_of_seeds_is_that_of_the_tables_of_power(effect, seeds):
    assert seeds_to_decide(Difference(-effect / 100, 0.01, 5, -0.1, 0.1, 0.5)) == seeds


def test_the_power_it_promises_is_there_in_simulation():
    n = seeds_to_decide(Difference(0.007, 0.01, 5, -0.1, 0.1, 0.5))
    assert n is not None
    draws = np.random.default_rng(0).normal(0.007, 0.01, (4000, n))
    power = (stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05).mean()
    assert power == pytest.approx(0.8, abs=0.03)


def test_a_corrected_comparison_needs_more_seeds():
    one = Difference(0.01, 0.01, 5, -0.1, 0.1, 0.5)
    of_three = Difference(0.01, 0.01, 5, -0.1, 0.1, 0.5, 1 - 0.05 / 3)
    assert (seeds_to_decide(one), seeds_to_decide(of_three)) == (10, 14)


@pytest.mark.parametrize(("centre", "spread"), [(0.0, 0.01), (0.01, 0.0), (0.0001, 0.01)])
def test_some_differences_no_number_of_seeds_would_decide(centre, spread):
    assert seeds_to_decide(Difference(centre, spread, 5, -0.1, 0.1, 0.5)) is None


@examples
@given(accuracies, accuracies)
def test_what_is_undecided_needs_more_seeds_than_there_were(a, b):
    found = paired_difference(a, b)
    if found and found.verdict == "undecided" and (seeds := seeds_to_decide(found)):
        assert seeds > found.n
