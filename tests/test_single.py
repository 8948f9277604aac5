import json
import signal
from importlib import metadata
from pathlib import Path

import pytest
from conftest import LtTune
from mlflow import MlflowClient

from lt_core import InputError, fit, override
from lt_core.config import scaled
from search_spaces import CONFIGS
from tuning.engine.single import resolve

DEMO = CONFIGS["demo"]
EPOCHS = 64  # enough that an interrupt comes before the end


def resolved(name="demo", changes=None, seed=None, scale=None, epochs=None):
    return resolve(name, changes or {}, seed, scale, epochs)


def logged(lt: LtTune) -> list[int]:
    """The epochs in the log of the one training of a home."""
    files = list((lt.home / "runs").glob("*/events.jsonl"))
    lines = files[0].read_text().split("\n")[:-1] if files else []
    return [e["result"]["epoch"] for e in map(json.loads, lines) if e["event"] == "EpochDone"]


# --- which config -----------------------------------------------------------------------------------


def test_a_shipped_config_is_recorded_under_its_name():
    assert resolved() == (DEMO, "demo")
    assert resolved("ce-cifar10") == (CONFIGS["ce-cifar10"], "ce-cifar10")


def test_a_file_is_a_config(tmp_path):
    (tmp_path / "own.yaml").write_text("# a comment\n" + DEMO.dump())
    assert resolved(str(tmp_path / "own.yaml")) == (DEMO, "own")


def test_epochs_are_scaled_before_the_changes_and_the_seed():
    for given in ({"scale": 0.5}, {"epochs": 8}):
        config, _ = resolved(seed=5, changes={"phases.1.start": 3}, **given)
        assert config == override(scaled(DEMO, 0.5), {"seed": 5, "phases.1.start": 3})
        assert (config.epochs, config.seed, config.phases[1].start) == (8, 5, 3)


def test_a_wrong_change_is_refused():
    with pytest.raises(InputError, match=r"did you mean `optimizer.lr`"):
        resolved(changes={"optimizer.rl": 1})


# --- the training -----------------------------------------------------------------------------------


def test_a_training_is_recorded_and_trained_anew_when_asked_again(lt):
    options = ("demo-ce", "--epochs", 3, "--seed", 4, "--set", "batch_size=32")
    first = lt.run("train", *options)
    assert first.returncode == 0, first.stderr
    code, out, err = lt.here("train", *options, "--json")
    assert code == 0, err
    second = json.loads(out)

    *_, last = fit(resolved("demo-ce", {"batch_size": 32}, seed=4, epochs=3)[0])
    assert (second["score"], second["best_epoch"], second["epochs"]) == (last.score, last.best_epoch, 3)
    assert f"score: {last.score}" in first.stdout and "epoch   3/3" in first.stderr
    runs = lt.runs("run")
    assert len(runs) == len(lt.runs()) == 2
    for run in runs:
        assert (run.info.status, run.data.tags["lt.stop_reason"]) == ("FINISHED", "finished")
        assert run.data.tags["lt.config_id"] == second["config_id"] and run.data.tags["lt.seed"] == "4"
        assert run.data.metrics["score"] == last.score
        assert {key: run.data.metrics[key] for key in ("test_acc", "test_acc_last")} == {
            key: second[key] for key in ("test_acc", "test_acc_last")
        }
        assert list(lt.series(run, "val_acc")) == [1, 2, 3]
        shown = {key: run.data.params[key] for key in ("model", "batch_size", "lr", "method", "seed")}
        assert shown == {"model": "small_cnn", "batch_size": "32", "lr": "0.05", "method": "CE", "seed": "4"}


def test_what_a_training_read_and_gave_class_by_class_is_recorded(lt):
    code, _, err = lt.here("train", "demo-ce", "--epochs", 3)
    assert code == 0, err
    (run,) = lt.runs("run")
    (given,) = run.inputs.dataset_inputs
    assert given.dataset.digest == run.data.tags["lt.data_id"]
    assert run.data.tags["lt.command"] == "lt-tune train demo-ce --epochs 3"
    file = MlflowClient(lt.uri).download_artifacts(run.info.run_id, "evaluations.json", str(lt.folder))
    test = json.loads(Path(file).read_text())["test"]
    for selection, name in (("best_val", "test_acc"), ("last", "test_acc_last")):
        matrix = test[selection]["confusion"]
        hits = sum(row[c] for c, row in enumerate(matrix))
        assert hits / sum(map(sum, matrix)) == pytest.approx(run.data.metrics[name])
        assert test[selection]["class_acc"] == [row[c] / sum(row) for c, row in enumerate(matrix)]
    file = MlflowClient(lt.uri).download_artifacts(run.info.run_id, "requirements.txt", str(lt.folder))
    assert f"torch=={metadata.version('torch')}\n" in Path(file).read_text()


def test_what_a_training_takes_of_the_machine_is_recorded_where_it_is_asked_for(lt):
    for option in ([], ["--system-metrics"]):
        code, _, err = lt.here("train", "demo-ce", "--epochs", 2, *option)
        assert code == 0, err
    without, asked = sorted(lt.runs("run"), key=lambda run: run.info.start_time)
    assert not any(name.startswith("system/") for name in without.data.metrics)
    for name in ("cpu_utilization_percentage", "system_memory_usage_megabytes", "process_cpu_percentage"):
        assert list(lt.series(asked, f"system/{name}")) == [1, 2]


def test_test_accuracies_of_each_epoch_are_recorded_where_the_config_asks_for_them(lt):
    code, out, err = lt.here("train", "demo-ce", "--epochs", 3, "--set", "evaluation.test_every_epoch=true", "--json")
    assert code == 0, err
    (run,) = lt.runs("run")
    series = lt.series(run, "epoch_test_acc")
    assert list(series) == [1, 2, 3]
    assert run.data.metrics["test_acc_best_test"] == max(series.values()) == json.loads(out)["test_acc_best_test"]
    assert series[int(run.data.metrics["best_test_epoch"])] == max(series.values())
    assert series[3] == run.data.metrics["test_acc_last"]


@pytest.mark.parametrize(
    "sent", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)], ids=lambda sent: sent.name
)
def test_a_training_that_was_cut_goes_on_to_the_same_numbers(lt, sent):
    command = ("train", "demo", "--epochs", EPOCHS, "--set", "batch_size=32")
    process = lt.start(*command)
    lt.until(process, lambda: len(logged(lt)) >= 4)
    code, out, _ = lt.end(process, sent)
    done = len(logged(lt))
    assert 4 <= done < EPOCHS and out == ""
    assert [path.name for path in (lt.home / "runs").glob("*/*.pt")] == ["run.pt"]
    if sent == signal.SIGINT:
        assert code == 130
        assert [(r.info.status, r.data.tags["lt.stop_reason"]) for r in lt.runs()] == [("KILLED", "interrupted")]

    code, out, err = lt.here(*command, "--json")
    assert code == 0, err
    finished = json.loads(out)
    whole = list(fit(resolved(epochs=EPOCHS, changes={"batch_size": 32})[0]))
    assert logged(lt) == list(range(1, EPOCHS + 1))
    (run,) = lt.runs()
    assert (run.info.status, run.data.tags["lt.stop_reason"]) == ("FINISHED", "finished")
    assert lt.series(run, "train_loss") == {epoch.epoch: epoch.train_loss for epoch in whole}
    assert lt.series(run, "val_acc") == {epoch.epoch: epoch.val["acc"] for epoch in whole}
    assert (finished["score"], finished["best_epoch"]) == (whole[-1].score, whole[-1].best_epoch)
    assert not list((lt.home / "runs").glob("*/*.pt"))


def test_a_training_that_diverges_fails(lt):
    code, out, _ = lt.here("train", "demo-ce", "--set", "optimizer.lr=1e9", "--json")
    assert (code, json.loads(out)["stop_reason"]) == (1, "diverged")
    (run,) = lt.runs()
    assert (run.info.status, run.data.tags["lt.stop_reason"]) == ("FAILED", "diverged")
    assert "test_acc" not in run.data.metrics


@pytest.mark.slow
def test_a_record_is_whole_though_the_first_start_was_killed_while_it_was_made(lt):
    (lt.home / "mlflow.db").unlink()
    process = lt.start("train", "demo-ce", "--epochs", 2)
    lt.until(process, lambda: list(lt.home.glob("mlflow.db*")))
    lt.end(process, signal.SIGKILL)
    assert not (lt.home / "mlflow.db").exists()
    lt.document("train", "demo-ce", "--epochs", 2)
    assert [run.info.status for run in lt.runs()] == ["FINISHED"]
