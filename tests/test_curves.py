import math

import pytest

from search_spaces import TABLES, Curves

CURVES = {name: table for name, table in TABLES.items() if isinstance(table, Curves)}


@pytest.mark.parametrize("figure", CURVES.values(), ids=CURVES)
def test_every_curve_has_points_that_can_be_drawn(figure):
    for points in figure.points().values():
        assert len(points) >= 70 and all(math.isfinite(v) for point in points for v in point)
        assert [x for x, _ in points] in (sorted(x for x, _ in points), sorted((x for x, _ in points), reverse=True))


def test_cb_figure_3_is_the_inverse_of_the_sum_of_powers_of_beta():
    """(1 - beta^n) / (1 - beta) is the sum of beta^i over i < n: the geometric series."""
    points = CURVES["cb2019/figure3"].points()
    for beta in (0.0, 0.9, 0.99, 0.999, 0.9999):
        for n, weight in points[f"beta {beta:g}"]:
            assert weight == pytest.approx(1 / math.fsum(beta**i for i in range(int(n))), rel=1e-9)
    assert all(weight == 1 for _, weight in points["beta 0"])
    assert all(weight == 1 / n for n, weight in points["beta -> 1"])
    assert (points["beta -> 1"][0][0], points["beta -> 1"][-1][0]) == (1, 10_000)


def test_cb_figure_4_is_an_exponential_cut_off():
    points = CURVES["cb2019/figure4"].points()
    for ratio, curve in points.items():
        expected = [int(500 * (1 / float(ratio)) ** (c / 99)) for c in range(100)]
        assert curve == list(enumerate(expected))
    totals = {ratio: sum(n for _, n in curve) for ratio, curve in points.items()}
    assert totals == {"1": 50_000, "10": 19_573, "20": 15_907, "50": 12_608, "100": 10_847, "200": 9_502}
    assert points["200"][-1] == (99, 2)


def test_cdb_figure_2_is_a_power_of_the_difficulty():
    points = CURVES["cdb2020/figure2"].points()
    for tau in (0.5, 1.0, 1.5, 2.0, 5.0, 7.0):
        for difficulty, weight in points[f"tau = {tau:g}"]:
            assert weight == pytest.approx(difficulty**tau, rel=1e-12)
    halfway = {name: dict(curve)[0.5] for name, curve in points.items()}
    assert halfway == pytest.approx(
        {
            "tau = 0.5": 0.5**0.5,
            "tau = 1": 0.5,
            "tau = 1.5": 0.5**1.5,
            "tau = 2": 0.25,
            "tau = 5": 0.5**5,
            "tau = 7": 0.5**7,
        }
    )
