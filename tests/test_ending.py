from dataclasses import replace

import pytest
from test_confirmation import THREE, confirming
from test_results import TRIALS, results

from search_spaces import Study
from tuning.log.events import Ended, Started
from tuning.reports import ending
from tuning.reports.confirmation import confirmed, sentences
from tuning.reports.ending import ended

CONFIRMED = [event for number, run in enumerate(THREE, 10) for event in confirming(number, *run)]
STUDY = replace(
    results(Started("mine", "lt-tune search demo", {}), *TRIALS, *CONFIRMED, Ended("finished")),
    remarks=("Planned: about 3 epochs of search; trained: 4.",),
)


def test_the_report_lies_in_a_folder_from_where_it_is_attached(tmp_path):
    end = ended(STUDY, tmp_path / "report")
    assert end.folder == str(tmp_path / "report") and end.stop_reason == "finished"
    names = {path.relative_to(end.folder).as_posix() for path in (tmp_path / "report").rglob("*") if path.is_file()}
    assert {
        "report.html",
        "report.md",
        "leaderboard.csv",
        "leaderboard.json",
        "confirmed.csv",
        "figures/history.png",
    } <= names
    assert not [name for name in names if name.endswith(".tex")]
    assert "trained: 4." in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")


def test_the_page_shows_sentences_tables_and_pictures(tmp_path):
    note = ended(STUDY, tmp_path).note
    for words in (
        "Trial 2 has the best score of the search, 0.8125",
        *sentences(confirmed(STUDY)),
        "Planned: about 3 epochs of search; trained: 4.",
        "| best (T1=2, epsilon=0.001, alpha=1000) | 62.50 ± 17.68 |",
        "(artifact:figures/history.png)",
        "| # | trial | T1 |",
    ):
        assert words in note
    assert {part.partition(")")[0] for part in note.split("(artifact:")[1:]} == {
        f"figures/{path.name}" for path in (tmp_path / "figures").iterdir()
    }


def test_a_page_of_many_trials_has_room_for_the_first(tmp_path):
    trials = tuple(replace(STUDY.trials[2], number=100 + n) for n in range(200))
    note = ended(replace(STUDY, trials=trials), tmp_path).note
    assert "Leaderboard (first 10 of 200 trials)" in note and len(note) < 6000


def test_what_was_asked_and_remarked_is_kept_as_text(tmp_path):
    texts = ended(STUDY, tmp_path).artifacts
    assert Study.load(texts["study.yaml"]) == STUDY.study
    assert texts["remarks.txt"] == "Planned: about 3 epochs of search; trained: 4.\n"


def test_sums_are_means_over_seeds_and_the_cost(tmp_path):
    sums = ended(STUDY, tmp_path).metrics
    assert sums["score"] == 0.8125
    assert (sums["best/test_acc_mean"], sums["best/seeds"]) == (0.75, 2)
    assert sums["best/test_acc_std"] == pytest.approx(0.17678, abs=1e-5)
    assert (sums["epochs_trained"], sums["epochs_saved"], sums["epochs_reused"]) == (76 + 6, 4, 0)
    assert sums["device_hours"] == pytest.approx(82 * 0.5 / 3600)
    assert len(sums) < 25 and "best/diverged" not in sums
    diverged = confirming(20, "best", 3, 0.5, 0.5, "diverged")
    hurt = replace(STUDY, trials=results(*TRIALS, *CONFIRMED, *diverged).trials)
    assert {ended(hurt, tmp_path).metrics[f"best/{name}"] for name in ("seeds", "diverged")} == {2, 1}


def test_a_study_without_a_result_ends_all_the_same(tmp_path):
    end = ended(replace(results(), ended=True), tmp_path)
    assert "No trial has reached its full length" in end.note
    assert end.metrics == {"device_hours": 0, "epochs_trained": 0, "epochs_saved": 0, "epochs_reused": 0}


def test_a_report_that_cannot_be_written_or_drawn_costs_no_study_its_end(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    end = ended(STUDY, tmp_path / "file")
    assert "The report could not be made: InputError: " in end.note and "Trial 2 has the best score" in end.note
    assert "could not be made" in end.artifacts["remarks.txt"]

    def broken(results):
        raise ZeroDivisionError("of a picture")

    monkeypatch.setattr(ending, "study_report", broken)
    assert "The report could not be made: ZeroDivisionError: of a picture" in ended(STUDY, tmp_path).note
