import math
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lt_core import SGD, Cosine, Step

SCHEDULES = get_args(SGD.model_fields["schedule"].annotation)
examples = settings(max_examples=100, deadline=None, derandomize=True)


def rates(optimizer: SGD, epochs: int, *, warmup: bool = True) -> list[float]:
    return [optimizer.learning_rate(e, epochs, warmup=warmup) for e in range(1, epochs + 1)]


def test_the_recipe_of_ldam_and_ib():
    rate = dict(enumerate(rates(SGD(), 200), 1))
    expected = {1: 0.02, 2: 0.04, 3: 0.06, 4: 0.08, 5: 0.1, 6: 0.1, 160: 0.1, 161: 1e-3, 180: 1e-3, 181: 1e-5}
    assert {e: rate[e] for e in expected} == pytest.approx(expected, rel=1e-12)
    assert len({round(math.log10(r), 6) for r in rates(SGD(), 200)[5:]}) == 3


def test_without_warmup_the_first_epoch_is_at_the_full_rate():
    assert rates(SGD(), 3, warmup=False) == [0.1] * 3
    assert rates(SGD(warmup_epochs=0), 3) == rates(SGD(warmup_epochs=1), 3) == [0.1] * 3


def test_a_milestone_given_twice_counts_twice():
    assert Step(milestones=(2, 2), gamma=0.1).factor(3, 9) == pytest.approx(0.01)
    assert Step(milestones=(2, 2), gamma=0.1).factor(2, 9) == 1


def test_milestone_zero_acts_from_the_first_epoch():
    assert Step(milestones=(0,), gamma=0.5).factor(1, 9) == 0.5


def test_cosine_starts_at_one_is_half_in_the_middle_and_never_negative():
    factors = [Cosine().factor(e, 10) for e in range(1, 11)]
    assert factors[0] == 1 and factors[5] == pytest.approx(0.5)
    assert factors == sorted(factors, reverse=True) and factors[-1] > 0


@pytest.mark.parametrize("schedule", [cls() for cls in SCHEDULES], ids=lambda s: s.kind)
@examples
@given(st.integers(1, 400))
def test_a_schedule_starts_at_one_and_never_rises(schedule, epochs):
    factors = [schedule.factor(e, epochs) for e in range(1, epochs + 1)]
    assert factors[0] == 1
    assert factors == sorted(factors, reverse=True)


def test_falling_milestones_are_refused():
    with pytest.raises(ValueError, match=r"milestones must not fall, but are \[5, 3\]"):
        Step(milestones=(5, 3))


def test_build_hands_every_parameter_and_setting_to_torch():
    model = torch.nn.Linear(3, 2)
    built = SGD(lr=0.3, momentum=0.7, weight_decay=1e-3, nesterov=True).build(model)
    (group,) = built.param_groups
    assert {id(p) for p in group["params"]} == {id(p) for p in model.parameters()}
    assert (group["lr"], group["momentum"], group["weight_decay"], group["nesterov"]) == (
        0.3,
        0.7,
        1e-3,
        True,
    )
