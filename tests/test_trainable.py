import json
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lt_core import SGD, Data, SmallCNN, TrainConfig, fit, override
from lt_core.train import Run
from search_spaces.ib2021 import influence_balanced
from tuning.engine.trainable import FIRST_PATIENCE, Trainable, checkpoint_name
from tuning.log.store import Store

CONFIG = TrainConfig(
    data=Data(name="digits", imbalance=100, val_per_class=10),
    model=SmallCNN(),
    optimizer=SGD(lr=0.05, warmup_epochs=1),
    batch_size=64,
    epochs=5,
)


def assignment(
    folder: Path, config: TrainConfig = CONFIG, done: int = 0, trial: int = 3, test: bool = False, **of_tables: Any
):
    """What the driver gives a worker, and leaves in the store."""
    Store(str(folder)).write("probe", b"readable")
    return {
        "trial": trial,
        "config": config.plain(),
        "epochs_done": done,
        "store": str(folder),
        "probe": "probe",
        "root": str(folder),
        "device": "cpu",
        "test": test,
        "patience": None,
        "reads": [],
        "exits": {},
        "trunk": None,
        **of_tables,
    }


def worker(*arguments, **fields) -> Trainable:
    """As Ray makes one, less what only Ray needs."""
    made = Trainable.__new__(Trainable)
    made.setup(assignment(*arguments, **fields))
    return made


def reports(made: Trainable, steps: int = 20):
    """What it reports until it is done, or for so many steps."""
    found = []
    for _ in range(steps):
        result = made.step()
        found.append(json.loads(result["report"]))
        assert result["done"] == ("stop_reason" in found[-1])
        if result["done"]:
            break
    return found


def results(found):
    return [report["result"] for report in found if "result" in report]


def test_an_epoch_has_ten_times_the_longest_of_its_own_where_no_other_trial_told(tmp_path):
    made = worker(tmp_path)
    assert made._patience() == FIRST_PATIENCE
    made.step()
    assert made._run is not None
    made._run.history[-1] = replace(made._run.history[-1], seconds=600.0)
    assert made._patience() == 6000
    made._save(made._run)
    resumed = worker(tmp_path)
    resumed.step()  # in no time: the checkpoint holds it
    assert resumed._patience() == 6000


def numbers(found):
    """The results without the seconds, which differ from run to run."""
    return [{key: value for key, value in result.items() if key != "seconds"} for result in results(found)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return reports(worker(tmp_path_factory.mktemp("store")))


def test_a_trial_reports_each_epoch_and_its_end(whole):
    assert [report["result"]["epoch"] for report in whole] == [1, 2, 3, 4, 5]
    assert ["stop_reason" in report for report in whole] == [False] * 4 + [True]
    assert whole[-1]["stop_reason"] == "finished"
    assert [r["train_loss"] for r in results(whole)] == [epoch.train_loss for epoch in fit(CONFIG)]
    assert all("threads=1" in report["numerics"] for report in whole)


def test_test_values_are_read_only_where_they_are_asked_for(whole, tmp_path):
    assert "test" not in whole[-1]
    assert reports(worker(tmp_path, test=True))[-1]["test"].keys() == {"test_acc", "test_acc_last"}


def test_an_epoch_is_in_the_store_before_it_is_reported(tmp_path):
    made = worker(tmp_path)
    for _ in range(3):
        made.step()
        assert Store(str(tmp_path)).read(checkpoint_name(3)) is not None
    assert worker(tmp_path)._start().epoch == 3


def test_a_checkpoint_ahead_of_the_log_is_reported_as_it_was(whole, tmp_path):
    before = reports(worker(tmp_path), steps=3)
    after = reports(worker(tmp_path, done=1))
    assert results(after)[:2] == results(before)[1:]
    assert numbers(after) == numbers(whole)[1:]
    assert after[-1]["stop_reason"] == "finished"


def test_a_checkpoint_level_with_the_log_goes_on(whole, tmp_path):
    reports(worker(tmp_path), steps=3)
    assert numbers(reports(worker(tmp_path, done=3))) == numbers(whole)[3:]


def test_a_checkpoint_that_holds_all_is_trained_no_further(whole, tmp_path):
    before = reports(worker(tmp_path))
    (after,) = reports(worker(tmp_path, done=4))
    assert after["result"] == before[-1]["result"]
    (again,) = reports(worker(tmp_path, done=5))
    assert "result" not in again and again["stop_reason"] == "finished"


@pytest.mark.parametrize("saved", [0, 2])
def test_epochs_whose_checkpoint_is_lost_are_trained_again_but_not_reported_again(whole, tmp_path, saved):
    if saved:
        reports(worker(tmp_path), steps=saved)
    after = reports(worker(tmp_path, done=4))
    assert numbers(after) == numbers(whole)[4:]
    assert after[-1]["stop_reason"] == "finished"


def test_a_worker_takes_one_trial_after_another(whole, tmp_path):
    made = worker(tmp_path, config=override(CONFIG, {"seed": 1, "epochs": 2}))
    assert numbers(reports(made)) != numbers(whole)[:2]
    assert made.reset_config(assignment(tmp_path, trial=4))
    assert numbers(reports(made)) == numbers(whole)


def test_a_trial_that_diverges_says_so(tmp_path):
    found = reports(worker(tmp_path, config=override(CONFIG, {"optimizer.lr": 1e9})))
    assert found[-1]["stop_reason"] == "diverged" and found[-1]["result"]["diverged"]
    assert len(found) < CONFIG.epochs


def test_an_error_of_a_trial_is_reported_and_the_worker_lives_on(whole, tmp_path):
    Store(str(tmp_path)).write(checkpoint_name(3), b"\0")
    made = worker(tmp_path)
    (report,) = reports(made)
    assert report["stop_reason"] == "failed" and report["error"].startswith("UnpicklingError: ")
    assert made.reset_config(assignment(tmp_path, trial=4))
    assert numbers(reports(made)) == numbers(whole)


def test_an_error_that_passes_is_tried_again_from_the_checkpoint(whole, tmp_path, monkeypatch):
    """Twice, as when another process had the memory for a moment."""
    made, step, failures = worker(tmp_path), Run.step, iter([2, 4])
    pending = [next(failures)]

    def flaky(run):
        if run.epoch + 1 == pending[0]:
            pending[0] = next(failures, 0)
            raise RuntimeError("out of memory")
        return step(run)

    monkeypatch.setattr(Run, "step", flaky)
    assert numbers(reports(made)) == numbers(whole)


def test_an_error_that_stays_is_reported_after_two_retries(tmp_path, monkeypatch):
    calls = []

    def broken(run):
        calls.append(run.epoch)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(Run, "step", broken)
    (report,) = reports(worker(tmp_path))
    assert report == {"stop_reason": "failed", "error": "RuntimeError: out of memory"} and calls == [0, 0, 0]


def test_a_step_that_hangs_ends_its_process(tmp_path):
    """With the interpreter's lock held, as a library may."""
    code = (
        "import re, sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; import test_trainable as t; from lt_core.train import Run\n"
        "Run.step = lambda run: re.match('(a+)+$', 'a' * 64 + 'b')\n"
        "made = t.worker(Path(sys.argv[2])); made._assignment['patience'] = 1.0; made.step()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1 and "Timeout (0:00:01)!" in done.stderr, done.stderr


def test_missing_data_is_an_error_of_the_trial(tmp_path):
    (report,) = reports(worker(tmp_path, config=override(CONFIG, {"data.name": "mnist"})))
    assert report["stop_reason"] == "failed" and "dataset mnist is missing" in report["error"]


def test_a_store_that_cannot_be_written_is_left_to_ray(tmp_path):
    (tmp_path / checkpoint_name(3) / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match=checkpoint_name(3)):
        worker(tmp_path).step()


def test_a_folder_of_the_same_name_is_not_the_store(tmp_path):
    """As on a node that does not share it: nothing is trained or written there."""
    made = worker(tmp_path)
    (tmp_path / "probe").unlink()
    assert reports(made) == [{"unshared": platform.node(), "stop_reason": "failed"}]
    assert not list(tmp_path.iterdir())


def test_names_of_checkpoints_sort_by_trial():
    assert [checkpoint_name(n) for n in (0, 12, 99999)] == ["00000.pt", "00012.pt", "99999.pt"]


# --- of tables --------------------------------------------------------------------------------------


def test_a_training_leaves_its_state_where_others_branch_off(tmp_path):
    ib = influence_balanced(CONFIG, T1=2)
    alone = reports(worker(tmp_path, config=ib, trial=1))
    reports(worker(tmp_path, exits={"2": "trunk-x.pt", "9": "never.pt"}))
    assert Store(str(tmp_path)).read("never.pt") is None
    begun = {"name": "trunk-x.pt", "config": CONFIG.plain()}
    after = reports(worker(tmp_path, config=ib, done=2, trial=4, trunk=begun))
    assert numbers(after) == numbers(alone)[2:]


def test_without_its_trunk_a_training_begins_at_the_beginning(whole, tmp_path):
    after = reports(worker(tmp_path, trunk={"name": "trunk-x.pt", "config": CONFIG.plain()}))
    assert numbers(after) == numbers(whole)


def test_a_table_reads_classes_and_also_a_training_that_diverged(tmp_path):
    reads = ["test_acc[9]", "influence.top[0]"]
    end = reports(worker(tmp_path, test=True, reads=reads))[-1]
    assert end["test"].keys() == {"test_acc", "test_acc_last", "test_acc.9", "test_acc_last.9", "influence_top.0"}
    assert len(end["series"]["influence.top[0]"]) == 50 and end["evaluations"]["test"]["last"]["class_acc"]
    diverging = override(CONFIG, {"optimizer.lr": 1e9, "evaluation.test_every_epoch": True})
    end = reports(worker(tmp_path, trial=5, config=diverging, test=True, reads=["test_acc"]))[-1]
    assert end["stop_reason"] == "diverged" and end["test"]["test_acc_last"] <= 0.2
    assert "test_acc_best_test" in end["test"] and json.dumps([end["test"], end["evaluations"]], allow_nan=False)
