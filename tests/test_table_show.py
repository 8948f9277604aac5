import pytest
from recording import ask

from search_spaces.ablation import Ablation
from tuning.log.events import Ended, EventLog, Started, TableFolder, Told
from tuning.shell.home import Home
from tuning.verbs import table_show


def listed(home, *stop_reasons, ended=True):
    """An edition of two trainings, as `list` shows it."""
    ablation = Ablation(table="ib2021/table2", short=True)
    folder = TableFolder(home.path, ablation.name)
    folder.path.mkdir(parents=True)
    folder.write_study(ablation.dump())
    log = EventLog(folder.events_file, lambda event: None)
    log.emit(Started(ablation.name, "", {}))
    for trial, reason in enumerate(stop_reasons):
        log.emit(ask(trial, "cell", seed=trial))
        log.emit(Told(trial, reason))
    if ended:
        log.emit(Ended("finished"))
    (found,) = table_show.listed(home)
    return found["state"], found["command"]


@pytest.mark.parametrize(
    ("reasons", "ended", "expected"),
    [
        (("finished", "finished"), True, ("finished, 2 trainings", "lt-tune report ib2021/table2")),
        (("finished", "failed"), True, ("finished, 2 trainings, 1 failed", "lt-tune ablate ib2021/table2 --short")),
        (("finished",), False, ("unfinished, 1 training", "lt-tune ablate ib2021/table2 --short")),
    ],
)
def test_a_table_is_listed_with_what_to_type_next(tmp_path, reasons, ended, expected):
    home = Home.at(tmp_path / "home", None)
    state, command = listed(home, *reasons, ended=ended)
    assert (state, command.partition(" --home")[0]) == expected
