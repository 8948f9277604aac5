import csv
import io
import json
from dataclasses import replace

import pytest
from conftest import LtTune
from recording import ENDED, EVENTS, STARTED, deliver
from test_reading import STUDY

from tuning.log.events import Ended, Event

BEGUN: list[Event] = [replace(STARTED, artifacts={"study.yaml": STUDY.dump()}), *EVENTS[1:]]
FINISHED = replace(ENDED, artifacts={"study.yaml": STUDY.dump()})


@pytest.fixture(scope="module")
def lt(lt_of_module: LtTune) -> LtTune:
    """A home whose record has a study, mine-1, and which has nothing else."""
    deliver(lt_of_module.uri, [*BEGUN, FINISHED])
    return lt_of_module


def told(lt: LtTune, *arguments: object) -> str:
    code, out, err = lt.here("report", *arguments)
    assert (code, err) == (0, "")
    return out


def test_on_the_terminal_it_is_what_the_study_said_at_its_end_with_its_cost(lt):
    shown = told(lt, "mine-1")
    words = ["Leaderboard", "0 (paper)", "trial 3 failed: OutOfMemoryError", "Confirmed on fresh seeds", "What it cost"]
    assert [word for word in words if word not in shown] == []


def test_one_format_goes_to_stdout(lt):
    assert told(lt, "mine-1", "--format", "md").startswith("# mine-1\n")
    assert told(lt, "mine-1", "--format", "latex").count(r"\begin{table}") == 5
    assert told(lt, "mine-1", "--format", "html").count("<img ") == 3
    text = told(lt, "mine-1", "--format", "csv")
    rows = list(csv.reader(io.StringIO(text[text.index("#,trial") :])))
    assert rows[1][:6] == ["1", "0 (paper)", "2", "0.001", "1000", "0.7500"]


def test_a_folder_takes_all_formats_or_one(lt, tmp_path):
    names = told(lt, "mine-1", "--out", tmp_path / "all").splitlines()
    assert {"report.html", "report.md", "leaderboard.csv", "leaderboard.tex"} <= {n.rpartition("/")[2] for n in names}
    assert told(lt, "mine-1", "--out", tmp_path / "one", "--format", "html") == f"{tmp_path / 'one' / 'report.html'}\n"


def test_as_json_it_is_one_document(lt):
    found = json.loads(told(lt, "mine-1", "--json"))
    assert (found["study"], found["state"]) == ("mine-1", "finished")
    assert [t["trial"] for t in found["trials"]][:2] == [0, 4]
    assert found["cost"]["search"]["trained"] == 9 and found["cost"]["search"]["reused"] == 4
    assert [group["config"] for group in found["confirmed"]] == ["paper", "CE"]


def test_a_study_that_did_not_end_is_reported_as_far_as_it_went(lt):
    deliver(lt.uri, [replace(BEGUN[0], study="cut-1", study_id="cut"), *BEGUN[1:6], Ended("interrupted")])
    found = json.loads(told(lt, "cut-1", "--json"))
    assert found["state"] == "unfinished" and {t["stop_reason"] for t in found["trials"]} == {"interrupted"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["mine-2"], "the record has no study `mine-2` (did you mean `mine-1`?)"),
        (["mine-1", "--format", "pdf"], "there is no format `pdf`"),
        (["mine-1", "--out", "/dev/null/x"], "/dev/null/x cannot be written: Not a directory"),
        (["mine-1", "--tracking-uri", "sqlite:////no/such/folder/mlflow.db"], "/no/such/folder is no"),
    ],
)
def test_what_cannot_be_reported_is_refused_in_a_sentence(lt, arguments, sentence):
    code, out, err = lt.here("report", *arguments)
    assert (code, out) == (2, "") and err.startswith("error: ") and sentence in err and err.count("\n") == 1
