"""`lt-tune ablate --plan` as it is printed."""

from dataclasses import replace

import pytest

from lt_core import InputError
from tuning.log.events import EventLog, Started, TableFolder
from tuning.shell.home import Home
from tuning.tables.asking import asked as ablation_of
from tuning.tables.plan import TablePlan
from tuning.verbs import table_plan
from tuning.verbs.ablate import ablate

SHORT = {"recipe": "equal", "short": True, "on": "digits", "scale": 1.0}


@pytest.fixture
def home(tmp_path):
    return Home.at(tmp_path / "home", None)


@pytest.fixture
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")


def begun(home, ablation, core_id):
    """A table's folder as a start with some lt_core leaves it."""
    folder = TableFolder(home.path, ablation.name)
    folder.path.mkdir(parents=True)
    EventLog(folder.events_file, lambda event: None).emit(Started(folder.name, "", {"lt.core_id": core_id}))
    return folder


@pytest.mark.usefixtures("wide")
def test_a_table_of_another_core_is_planned_with_the_words_of_its_refusal(home, capsys):
    ablation = ablation_of("ib2021/table2", "b", None, **SHORT, seeds=1, cpus=1.0)
    folder = begun(home, ablation, "old")
    said = f"was started with another lt_core: move {folder.path} away to train the table anew"
    assert table_plan.show(ablation, home, None, as_json=False) == 0
    assert said in capsys.readouterr().out
    with pytest.raises(InputError, match=said):
        ablate(home, ablation, None, None, download=False)


def test_a_plan_without_any_time_says_no_more_than_that_it_is_unknown():
    plan = TablePlan("t", "short", 60, 0, 600, 0, 0.0, 60, 1.0, 2, (), ())
    rows = dict(map(tuple, plan._rows()))
    assert rows["time"] == "unknown, 2 at a time" and "untimed" not in rows
    some = dict(map(tuple, replace(plan, seconds=36.0, untimed=59)._rows()))
    assert some["untimed"] == "59 trainings, nothing like which was timed here; the others: 36 s"
