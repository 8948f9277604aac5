import io
import json
from dataclasses import replace

from rich.console import Console
from test_confirmation import SECOND, THREE, confirming
from test_leaderboard import HEAD, TWO, judged
from test_results import TRIALS, results

from search_spaces import Study
from tuning.log.events import Told
from tuning.reports import summary
from tuning.reports.confirmation import confirmed, sentences
from tuning.reports.statistics import paired_difference

CONFIRMED = [event for number, run in enumerate([*THREE, *SECOND], 10) for event in confirming(number, *run)]
FINISHED = results(*TRIALS, *CONFIRMED)


def shown(found, width: int = 140) -> str:
    console = Console(file=io.StringIO(), width=width)
    summary.show(found, console)
    return console.file.getvalue()


def test_the_document_is_plain_data_with_every_difference_and_what_it_decides():
    document = summary.document(FINISHED)
    assert json.loads(json.dumps(document))["verdicts"] == sentences(confirmed(FINISHED))
    assert [group["config"] for group in document["confirmed"]] == ["best", "best-2", "paper", "CE"]
    gaps = document["differences_to_paper"]
    control = paired_difference({1: 0.25, 2: 0.125}, {1: 0.5, 2: 0.5})
    assert gaps.keys() == {"best", "best-2", "CE"} and control is not None
    assert (gaps["CE"]["mean"], gaps["CE"]["p"], gaps["CE"]["verdict"]) == (-0.3125, control.p, "undecided")
    assert gaps["CE"]["seeds_to_decide"] > 2 and gaps["best"]["confidence"] > gaps["CE"]["confidence"] == 0.95


def test_the_document_says_what_it_cost():
    cost = summary.document(FINISHED)["cost"]
    assert (cost["search"]["trained"], cost["search"]["saved"], cost["confirmation"]["trained"]) == (76, 4, 8)


def test_macro_accuracies_are_in_the_document_where_they_were_measured():
    event, done, told = confirming(10, "best", 1, 0.75, 0.5)
    assert isinstance(told, Told)
    found = results(*TRIALS, event, done, replace(told, test={**told.test, "test_acc_macro": 0.25}))
    assert summary.document(found)["confirmed"][0]["test_acc_macro"] == {1: 0.25}
    assert "test_acc_macro" not in summary.document(FINISHED)["confirmed"][0]


def test_the_terminal_has_the_first_ten_trials_the_tables_and_the_sentences():
    more = (replace(FINISHED.trials[2], number=100 + n) for n in range(20))
    many = replace(FINISHED, trials=(*FINISHED.trials, *more))
    text = shown(many)
    assert "Leaderboard (first 10 of 27 trials)" in text and "Confirmed on fresh seeds" in text
    for sentence in sentences(confirmed(FINISHED)):
        assert sentence in text


def test_several_objectives_have_their_front():
    study = Study.parse({**FINISHED.study.plain(), "objectives": ["score", "val_acc_tail"]})
    trials = tuple(replace(trial, objectives=(trial.score or 0.0, 0.5)) for trial in FINISHED.trials)
    assert "Pareto front" in shown(replace(FINISHED, study=study, trials=trials)) and "Pareto" not in shown(FINISHED)


def test_the_document_says_what_trials_are_judged_by_and_which_are_on_the_front():
    two = Study.parse({**TWO.plain(), **HEAD})
    values = [
        {"score": 0.9, "val_acc_tail": 0.5, "val_acc_head": 0.6},
        {"score": 0.8, "val_acc_tail": 0.7, "val_acc_head": 0.8},
    ]
    document = summary.document(judged(two, *values))
    assert document["front"] == [1]
    assert {trial["trial"]: trial["feasible"] for trial in document["trials"]} == {0: False, 1: True}
    assert document["trials"][0]["judged"] == values[1]
