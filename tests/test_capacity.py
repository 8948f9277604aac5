import os

from search_spaces import SPACES, Study
from tuning.engine.capacity import held, too_many


def test_no_more_trials_run_at_a_time_than_this_machine_holds(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    asked = Study(space=SPACES["demo"], cpus=2.0, gpus=0.0)
    many, few = asked.replaced(concurrent=64), asked.replaced(concurrent=1)
    assert held(many) == asked.replaced(concurrent=2)
    assert [held(each) for each in (few, asked)] == [few, asked]
    (said,) = too_many(many)
    assert said == "concurrent is 64, but this machine holds 2 at a time"
    assert too_many(few) == too_many(asked) == []
