from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces.demo import DEMO
from tuning.reports.scales import Scale, scales

examples = settings(max_examples=80, deadline=None, derandomize=True)
BETA = Scale("beta", "complement", 0.9, 0.9999)
LOG = Scale("alpha", "log", 10.0, 1e5)


@pytest.mark.parametrize(
    ("scale", "places"),
    [
        (Scale("T1", "linear", 10, 20), {10: 0.0, 15: 0.5, 20: 1.0}),
        (LOG, {10.0: 0.0, 100.0: 0.25, 1e3: 0.5, 1e5: 1.0}),
        (BETA, {0.9: 0.0, 0.99: 1 / 3, 0.999: 2 / 3, 0.9999: 1.0}),
        (Scale("loss", "labels", labels=("CE", "IB")), {"CE": 0.25, "IB": 0.75}),
    ],
)
def test_settings_have_their_places(scale, places):
    assert [scale.position(setting) for setting in places] == pytest.approx(list(places.values()))


def test_ticks_are_the_ends_and_round_values_between():
    assert LOG.ticks == [(0.0, "10"), (0.25, "100"), (0.5, "1000"), (0.75, "10000"), (1.0, "100000")][::2]
    assert [text for _, text in BETA.ticks] == ["0.9", "0.99", "0.999", "0.9999"]
    assert [text for _, text in Scale("T1", "linear", 0, 63).ticks] == ["0", "20", "40", "63"]
    assert Scale("loss", "labels", labels=("CE", "IB")).ticks == [(0.25, "CE"), (0.75, "IB")]


numbers = st.floats(1e-6, 1e6)


@examples
@given(st.sampled_from(["linear", "log"]), numbers, numbers)
def test_ticks_rise_lie_on_the_axis_and_do_not_touch(kind, a, b):
    low, high = sorted((a, b))
    if high < 1.001 * low:
        return
    places = [place for place, _ in Scale("x", kind, low, high).ticks]
    assert places[0] == 0.0 and places[-1] == 1.0
    assert all(later - earlier > 0.07 for earlier, later in pairwise(places))


def test_a_space_has_a_scale_for_each_symbol():
    found = scales(DEMO)
    assert {symbol: scale.kind for symbol, scale in found.items()} == {"T1": "linear", "epsilon": "log", "alpha": "log"}
    assert (found["T1"].low, found["T1"].high) == (0, 10)
