from dataclasses import replace

import pytest
from test_results import STUDY, TRIALS, results

from search_spaces import Study
from search_spaces.demo import DEMO
from tuning.log.results import Trial
from tuning.reports.costs import Cost, cost, cost_grid, rung_grid

SOME = results(*TRIALS)


def test_epochs_are_counted_as_trained_saved_or_taken_over():
    whole, stopped = SOME.trials[0], SOME.trials[1]
    copied = replace(whole, number=9, reused=True, seconds=0.0)
    found = cost(STUDY, [replace(whole, seconds=3600.0), replace(stopped, seconds=1800.0), copied])
    assert found == Cost(runs=3, trained=16 + 12, saved=4, reused=16, device_hours=1.5)


def test_what_diverged_or_failed_saved_nothing():
    assert cost(STUDY, [replace(SOME.trials[5], stop_reason="diverged")]).saved == 0


@pytest.mark.parametrize(
    ("numerics", "fields", "hours"),
    [
        ("cpu AVX2 threads=1", {}, 1.0),
        ("cpu AVX2 threads=1", {"cpus": 0.5}, 0.5),
        ("cpu AVX2 threads=1", {"cpus": 2.0}, 1.0),
        ("NVIDIA H200 fp32", {"cpus": 0.5}, 1.0),
        ("NVIDIA H200 fp32", {"gpus": 0.25}, 0.25),
    ],
)
def test_a_device_hour_is_a_whole_device_s(numerics, fields, hours):
    trial = replace(SOME.trials[0], seconds=3600.0, numerics=numerics)
    assert cost(Study.parse({"space": DEMO.plain(), **fields}), [trial]).device_hours == hours


def test_the_table_of_costs_has_a_column_for_each_part_of_the_study():
    confirming: Trial = replace(SOME.trials[0], number=9, kind="confirm")
    grid = cost_grid(replace(SOME, trials=(*SOME.trials, confirming)))
    assert grid.heads == ["", "search", "confirmation"]
    assert {row[0]: row[1:] for row in grid.rows} == {
        "runs": ["7", "1"],
        "- finished": ["3", "1"],
        "- early stopped": ["1", "0"],
        "- diverged": ["1", "0"],
        "- failed": ["1", "0"],
        "- running": ["1", "0"],
        "epochs trained": ["76", "16"],
        "epochs saved by early stopping": ["4", "0"],
        "epochs taken from equal runs": ["0", "0"],
        "device hours": ["0.0106", "0.00222"],
    }
    assert cost_grid(SOME).heads == ["", "search"]


def test_each_rung_says_who_reached_it_and_who_ended_there():
    grid = rung_grid(SOME)
    assert grid is not None and grid.heads == ["rung", "reached", "stopped", "best score stopped", "epochs saved"]
    assert grid.rows == [["epoch 12", "5", "1", "0.9000", "4"], ["epoch 14", "3", "0", "", "0"]]


def test_a_rung_since_the_switch_lies_where_each_trial_has_it():
    study = Study.parse({"space": DEMO.plain(), "rungs": {"epochs": [2, 5], "since": "switch"}})
    whole, paper = SOME.trials[0], DEMO.paper
    trials = [
        replace(whole, number=number, settings={**paper, "T1": T1}, epochs=epochs, stop_reason=reason, score=0.5)
        for number, (T1, epochs, reason) in enumerate(
            [
                (8, 16, "finished"),
                (8, 10, "early_stopped"),
                (3, 5, "early_stopped"),
                (3, 8, "early_stopped"),
                (10, 9, "failed"),
            ]
        )
    ]
    grid = rung_grid(replace(SOME, study=study, trials=tuple(trials)))
    assert grid is not None and [row[:3] for row in grid.rows] == [
        ["epoch 2 since the switch", "4", "2"],
        ["epoch 5 since the switch", "2", "1"],
    ]


def test_without_rungs_there_is_no_such_table():
    study = Study.parse({"space": DEMO.plain(), "rungs": {"epochs": []}})
    assert rung_grid(replace(SOME, study=study)) is None
