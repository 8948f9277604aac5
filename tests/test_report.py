from dataclasses import replace

import pytest
from test_confirmation import THREE, confirming
from test_results import STUDY, TRIALS, results, trial

from search_spaces import SPACES, Study
from search_spaces.demo import DEMO
from tuning.log.events import Ended, Started
from tuning.reports.confirmation import confirmed, sentences, shortfalls
from tuning.reports.figures import figures
from tuning.reports.importance import importance
from tuning.reports.leaderboard import leaderboard
from tuning.reports.report import UNCONFIRMED, study_report

CONFIRMED = [event for number, run in enumerate(THREE, 10) for event in confirming(number, *run)]
STARTED = Started("mine", "lt-tune search demo", {"lt.version": "0.1", "lt.core_id": "abc"})
FINISHED = results(STARTED, *TRIALS, *CONFIRMED, Ended("finished"))


def section(report, title):
    return next(section for section in report.sections if section.title == title)


def test_a_report_says_what_was_found_and_what_fresh_seeds_say():
    report = study_report(FINISHED, pictures=False)
    found = section(report, "What was found")
    best, *rest = found.sentences
    assert best == "Trial 2 has the best score of the search, 0.8125: T1=2, epsilon=0.001, alpha=1000."
    assert rest == [*sentences(confirmed(FINISHED)), *shortfalls(FINISHED)]
    assert found.tables.keys() == {"confirmed"}
    assert (report.title, report.about, report.command) == ("mine", DEMO.about, "lt-tune search demo")


def test_a_study_that_was_not_confirmed_warns_of_its_score():
    assert section(study_report(results(*TRIALS), pictures=False), "What was found").sentences[1:] == (UNCONFIRMED,)
    empty = section(study_report(results(), pictures=False), "What was found").sentences
    assert empty[0] == "No trial has reached its full length within the constraints."


def test_a_report_has_all_tables():
    tables = study_report(FINISHED, pictures=False).tables
    assert tables.keys() == {"confirmed", "leaderboard", "cost", "rungs", "space", "versions"}
    assert tables["leaderboard"] == leaderboard(FINISHED)
    assert tables["space"].rows == [
        ["T1", "0 to 10", "", "8"],
        ["epsilon", "1e-08 to 0.1, log", "", "0.001"],
        ["alpha", "10 to 100000, log", "", "1000"],
    ]
    assert tables["versions"].rows == [["lt-tune", "0.1"], ["core", "abc"], ["numerics", "cpu threads=1"]]


def test_what_mattered_is_a_table_once_enough_trials_are_whole():
    few, many = results(*TRIALS), results(*(event for n in range(5) for event in trial(n, 0.5 + n / 100)))
    assert section(study_report(few, pictures=False), "What mattered").tables == {}
    assert "Too few trials" in section(study_report(few, pictures=False), "What mattered").sentences[0]
    mattered = section(study_report(many, pictures=False), "What mattered")
    assert "Fewer than 20 trials: hardly more than noise" in mattered.sentences[0]
    assert mattered.tables["importance"].title == "Importance, by 5 trials of full length"


def test_a_report_holds_every_picture_with_words():
    pictures = study_report(FINISHED).pictures
    assert (
        pictures.keys() == figures(FINISHED, importance(FINISHED)).keys() == {"history", "slices", "parallel", "rungs"}
    )
    assert all(picture.png.startswith(b"\x89PNG") and picture.caption for picture in pictures.values())


def test_how_it_was_made_names_objectives_and_constraints():
    fields = {"objectives": ["score", "val_acc_tail"], "constraints": [{"metric": "val_acc_head", "at_least": 0.7}]}
    study = Study.parse({**STUDY.plain(), **fields})
    made = section(study_report(replace(FINISHED, study=study), pictures=False), "How it was made")
    assert made.sentences == (
        "16 trials by tpe, seed 0, for score, val_acc_tail, within val_acc_head >= 0.7, no early stopping; "
        "the best 3 to confirm on 5 fresh seeds.",
    )


def test_how_it_was_made_names_all_that_makes_a_search_another_one():
    fields = {"batch": 2, "budget": {"epochs": 90}, "confirm": 4, "resample": True, "confirm_full": True}
    fields |= {"space": SPACES["methods"].plain(), "per_branch": 3, "rungs": {"epochs": [2], "since": "switch"}}
    study = Study.parse(fields)
    (said,) = section(study_report(replace(results(), study=study), pictures=False), "How it was made").sentences
    assert said.endswith(
        "trials by tpe, 3 of each label, 2 at a time, seed 0, for score, early stopping at epochs 2 since each trial's "
        "own switch, 1 of 2 goes on, at most 90 epochs; the best 3 to confirm on 4 fresh seeds and subsets, the winner "
        "on the exact subset as well."
    )
    study = study.replaced(confirm=0, confirm_full=False)
    (said,) = section(study_report(replace(results(), study=study), pictures=False), "How it was made").sentences
    assert said.endswith("; nothing confirmed.")


@pytest.mark.parametrize("name", SPACES)
def test_every_space_that_ships_can_be_told(name):
    found = replace(results(), study=Study(space=SPACES[name]))
    rows = section(study_report(found, pictures=False), "How it was made").tables["space"].rows
    assert {row[0] for row in rows} == set(SPACES[name].symbols)
    paper = {row[0]: row[3] for row in rows if row[3]}
    assert paper.keys() == SPACES[name].paper.keys()
