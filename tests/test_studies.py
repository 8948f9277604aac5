import threading

import pytest
from rich.console import Console

from lt_core import InputError
from search_spaces import SPACES, Study
from tuning.log.events import EventLog, Started, StudyFolder
from tuning.shell.home import Home
from tuning.verbs.studies import run


def test_a_study_of_another_core_is_refused_before_anything_is_written(tmp_path):
    home = Home.at(tmp_path / "home", None)
    study = Study(space=SPACES["demo"], trials=5)
    folder = StudyFolder(home.path, "night")
    folder.path.mkdir(parents=True)
    folder.write_study(study.dump())
    EventLog(folder.events_file, lambda event: None).emit(Started("night", "", {"lt.core_id": "old"}))
    before, threads = {path: path.read_bytes() for path in folder.path.iterdir()}, set(threading.enumerate())
    with pytest.raises(InputError, match="was started with another lt_core: use a new --name"):
        run(home, folder, study.replaced(trials=64), "", None, Console())
    assert {path: path.read_bytes() for path in folder.path.iterdir()} == before
    assert "mlflow-writer" not in [thread.name for thread in set(threading.enumerate()) - threads]
