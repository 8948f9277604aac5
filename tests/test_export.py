from pathlib import Path

import pytest
from recording import SPACE, STARTED, ask, database, deliver, epochs, study

from lt_core import InputError, TrainConfig
from tuning.events import Event, Told
from tuning.export import export
from tuning.record import finished_trials


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    found = database(tmp_path_factory.mktemp("record"))
    deliver(found, study("a", 0.5, 0.75, 0.625, time_ms=1))
    stopped: list[Event] = [STARTED, ask(0), *epochs(0, None, None, 0.5), Told(0, "early_stopped")]
    deliver(found, stopped)
    return found


def test_the_best_config_is_written_as_it_was_trained(uri, tmp_path):
    (path,) = export(uri, "a", 1, tmp_path)
    assert path == tmp_path / "best.yaml"
    text = path.read_text(encoding="utf-8")
    assert TrainConfig.load(text) == SPACE.base and TrainConfig.load(text).id == SPACE.base.id


def test_the_file_says_where_it_comes_from(uri, tmp_path):
    (path,) = export(uri, "a", 1, tmp_path)
    run = next(finished_trials(uri, "a"))
    head = "".join(line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line[0] == "#")
    for words in (
        "IB on digits, imbalance 20.0: trial 1 of study a, rank 1\n",
        "score 0.75 (best val accuracy), epoch ",
        f"config {SPACE.base.id}, data {run.tags['lt.data_id']}, core {run.tags['lt.core_id']}\n",
        f"numerics: cpu threads=1; MLflow run {run.run_id}\n",
        "lt-tune train",
    ):
        assert words in head


def test_several_are_numbered_by_rank(uri, tmp_path):
    files = export(uri, "a", 99, tmp_path / "not" / "yet")
    assert [path.name for path in files] == ["best.yaml", "best-2.yaml", "best-3.yaml"]
    texts = [path.read_text(encoding="utf-8") for path in files]
    assert [text.split("trial ")[1][0] for text in texts] == ["1", "2", "0"]
    assert [text.split("score ")[1].split(" ")[0] for text in texts] == ["0.75", "0.625", "0.5"]


def test_an_export_again_replaces_the_files(uri, tmp_path):
    (tmp_path / "best.yaml").write_text("old")
    (path,) = export(uri, "a", 1, tmp_path)
    assert TrainConfig.load(path.read_text(encoding="utf-8")) == SPACE.base


@pytest.mark.parametrize(
    ("name", "says"),
    [("none", "the record has no study `none`"), ("mine-1", "study mine-1 has no trial of full length to export yet")],
)
def test_what_has_no_best_config_is_refused_before_anything_is_written(uri, tmp_path, name, says):
    with pytest.raises(InputError, match=says):
        export(uri, name, 1, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_refused(uri, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file cannot be written: "):
        export(uri, "a", 1, tmp_path / "file")


def test_a_record_that_does_not_answer_is_refused(tmp_path):
    with pytest.raises(InputError, match="is no folder that can be written"):
        export(f"sqlite:///{tmp_path}/none/mlflow.db", "a", 1, Path("out"))
