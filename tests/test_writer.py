import base64
import json
import math
import os
import re
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from mlflow import MlflowClient
from recording import (
    BEST,
    ENDED,
    EVENTS,
    SPACE,
    STARTED,
    Recording,
    artifact,
    artifacts_of,
    ask,
    deliver,
    epochs,
    runs,
    series,
    snapshot,
    undisturbed,
    until,
)
from test_events import epoch

from lt_core import TrainConfig
from lt_core.data import load_parts
from search_spaces import SPACES, Study
from search_spaces.controls import plain_cross_entropy
from tuning.engine.stages import asked
from tuning.log.events import Ended, Resumed, Told
from tuning.record import tracking
from tuning.record.datasets import described
from tuning.record.identity import Identity, params

CHECK = Path(__file__).parents[2] / "shared" / "checks" / "record.py"


pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture(scope="module")
def record() -> str:
    return undisturbed()


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return snapshot(undisturbed())


# --- a study ----------------------------------------------------------------------------------------

IDENTITIES = ("lt.config_id", "lt.recipe_id", "lt.data_id", "lt.core_id", "lt.numerics", "lt.seed", "lt.version")


def test_a_study_is_a_parent_run_of_its_name_with_a_child_each_trial(record):
    found = runs(record)
    parent = found.pop("none")
    assert (parent.info.run_name, parent.data.tags["lt.kind"]) == ("mine-1", "study")
    assert {run.data.tags["mlflow.parentRunId"] for run in found.values()} == {parent.info.run_id}
    assert [found[str(n)].data.tags["lt.kind"] for n in range(7)] == ["trial"] * 5 + ["confirm"] * 2
    assert [found[str(n)].info.run_name for n in (0, 1, 6)] == ["trial 0 paper", "trial 1", "confirm 6 CE"]


def test_every_run_has_the_tags_of_the_contract(record):
    for trial, run in runs(record).items():
        assert set(IDENTITIES) | {"lt.kind", "lt.study", "lt.trial", "lt.stop_reason"} <= run.data.tags.keys()
        assert (run.data.tags["lt.study"], run.data.tags["lt.trial"]) == ("mine-1", trial)


def test_identities_are_those_of_the_config_and_the_machine(record):
    tags = runs(record)["6"].data.tags
    config = plain_cross_entropy(SPACE.base).model_copy(update={"seed": 1})
    assert (tags["lt.config_id"], tags["lt.recipe_id"], tags["lt.seed"]) == (config.id, config.recipe_id, "1")
    assert tags["lt.numerics"] == "cpu threads=1"


def test_a_trial_without_an_epoch_has_no_numerics(record):
    assert runs(record)["3"].data.tags["lt.numerics"] == "none"


@pytest.mark.parametrize(
    ("trial", "status", "reason"),
    [
        ("none", "FINISHED", "finished"),
        ("0", "FINISHED", "finished"),
        ("1", "FINISHED", "early_stopped"),
        ("2", "FAILED", "diverged"),
        ("3", "FAILED", "failed"),
        ("4", "FINISHED", "reused"),
        ("5", "FINISHED", "finished"),
    ],
)
def test_a_run_s_status_follows_from_why_it_stopped(record, trial, status, reason):
    run = runs(record)[trial]
    assert (run.info.status, run.data.tags["lt.stop_reason"]) == (status, reason)


def test_a_failed_trial_says_why(record):
    assert runs(record)["3"].data.tags["lt.error"] == "OutOfMemoryError: no room"


def test_params_are_the_symbols_spelled_out_then_the_config_s_summary(record):
    found = runs(record)
    summary = {"method": "IB", "dataset": "digits", "imbalance": "20.0", "epochs": "4", "seed": "0"}
    assert found["1"].data.params == {"T1": "0", "epsilon": "0.001", "alpha": "20.5", **summary}
    assert found["6"].data.params == {
        **dict.fromkeys(("T1", "epsilon", "alpha"), "none"),
        **summary,
        "method": "CE",
        "seed": "1",
    }


def test_the_whole_config_is_kept(record):
    run = runs(record)["1"]
    config = TrainConfig.load(artifact(record, run, "config.yaml"))
    assert config == SPACE.config({"T1": 0, "alpha": 20.5}) and config.id == run.data.tags["lt.config_id"]


PER_EPOCH = {"train_loss", "lr", "seconds"} | {
    f"val_acc{g}" for g in ("", "_macro", "_worst", "_head", "_tail", "_few")
}
AT_THE_END = {"best_epoch", "epochs_trained", "epochs_reused", "device_seconds"}
TEST = {"test_acc", "test_acc_last"}


def test_metrics_have_a_point_an_epoch_from_1_on(record):
    run = runs(record)["0"]
    assert run.data.metrics.keys() == PER_EPOCH | {"score"} | AT_THE_END
    for metric in PER_EPOCH:
        assert [step for step, _ in series(record, run, metric)] == [1, 2, 3, 4]
    assert [value for _, value in series(record, run, "val_acc")] == [0.1, 0.1, 0.625, 0.75]


def test_the_score_runs_from_the_last_phase_on_and_is_said_at_the_end(record):
    assert series(record, runs(record)["0"], "score") == [(3, 0.625), (4, 0.75)]


@pytest.mark.parametrize(
    ("trial", "values"),
    [
        ("0", {"score": 0.75, "best_epoch": 4, "epochs_trained": 4, "epochs_reused": 0, "device_seconds": 2.0}),
        ("1", {"score": 0.375, "best_epoch": 2, "epochs_trained": 2, "epochs_reused": 0, "device_seconds": 1.0}),
        ("2", {"score": 0.125, "best_epoch": 3, "epochs_trained": 3, "epochs_reused": 0, "device_seconds": 1.5}),
        ("3", {"epochs_trained": 0, "epochs_reused": 0, "device_seconds": 0.0}),
        ("4", {"score": 0.75, "best_epoch": 4, "epochs_trained": 0, "epochs_reused": 4, "device_seconds": 0.0}),
    ],
)
def test_a_run_s_end_is_summed_up(record, trial, values):
    metrics = runs(record)[trial].data.metrics
    assert {key: metrics[key] for key in values} == values
    assert metrics.keys() - PER_EPOCH == values.keys()


def test_a_loss_that_is_no_number_is_recorded_as_such(record):
    assert math.isnan(runs(record)["2"].data.metrics["train_loss"])


def test_only_runs_that_may_see_the_test_set_show_its_values(record):
    shown = {trial: TEST & run.data.metrics.keys() for trial, run in runs(record).items()}
    assert shown == {trial: TEST if trial in "56" else set() for trial in shown}
    assert runs(record)["5"].data.metrics["test_acc"] == 0.875


def test_a_reused_trial_is_a_whole_run_that_names_its_origin(record):
    found = runs(record)
    assert found["4"].data.tags["lt.reused_from"] == found["0"].info.run_id
    assert series(record, found["4"], "val_acc") == series(record, found["0"], "val_acc")
    assert dict(series(record, found["4"], "seconds")) == dict.fromkeys((1, 2, 3, 4), 0.0)
    assert found["4"].data.tags["lt.twin_stop_reason"] == "finished"
    assert not {"lt.reused_from", "lt.twin_stop_reason"} & found["0"].data.tags.keys()


def test_the_study_s_page_shows_what_it_came_to(record):
    parent = runs(record)["none"]
    assert parent.data.tags["mlflow.note.content"].endswith(")\n\n**Leaderboard**")
    assert parent.data.metrics == {"score": 0.75}
    assert artifact(record, parent, "study.yaml") == "trials: 5\n"
    assert artifact(record, parent, "leaderboard.csv") == "a,b\n"


def test_the_study_s_page_carries_the_files_of_a_folder_as_they_are(uri, tmp_path):
    (tmp_path / "report" / "figures").mkdir(parents=True)
    (tmp_path / "report" / "figures" / "history.png").write_bytes(b"\x89PNG\x00\xff")
    deliver(uri, [STARTED, replace(ENDED, folder=str(tmp_path / "report"))])
    parent = runs(uri)["none"]
    with TemporaryDirectory() as folder:
        file = MlflowClient(uri).download_artifacts(parent.info.run_id, "figures/history.png", folder)
        assert Path(file).read_bytes() == b"\x89PNG\x00\xff"


def test_what_was_asked_is_there_while_a_study_runs_and_gives_way_to_what_it_came_to(uri):
    started = replace(STARTED, artifacts={"study.yaml": "trials: 3\n"})
    deliver(uri, [started, ask(0)])
    parent = runs(uri)["none"]
    assert parent.data.tags["lt.command"] == "lt-tune search"
    assert artifact(uri, parent, "study.yaml") == "trials: 3\n"
    deliver(uri, [started, ask(0), Told(0, "failed"), ENDED])
    deliver(uri, [started])  # again, from the first line on
    assert artifact(uri, parent, "study.yaml") == "trials: 5\n"


def test_a_note_s_pictures_are_found_among_the_artifacts(uri):
    deliver(uri, [STARTED, replace(ENDED, note="![x](artifact:figures/x.png) [r](artifact:r.html) `artifact:`")])
    parent = runs(uri)["none"]
    address = f"get-artifact?run_uuid={parent.info.run_id}&path="
    assert parent.data.tags["mlflow.note.content"].startswith(f"![x]({address}figures/x.png) [r]({address}r.html) `art")


def test_a_folder_that_is_gone_is_left_out(uri, tmp_path):
    deliver(uri, [STARTED, replace(ENDED, folder=str(tmp_path / "gone"))])
    assert artifact(uri, runs(uri)["none"], "study.yaml") == "trials: 5\n"


def test_times_are_those_of_the_events(record):
    run = runs(record)["0"]
    end = next(e for e in EVENTS if isinstance(e, Told) and e.trial == 0)
    assert (run.info.start_time, run.info.end_time) == (EVENTS[1].time, end.time)
    points = MlflowClient(record).get_metric_history(run.info.run_id, "val_acc")
    assert sorted(point.timestamp for point in points) == sorted(e.time for e in BEST)


def test_another_study_of_the_same_name_has_runs_of_its_own(uri):
    first, second = (replace(STARTED, study_id=name) for name in "ab")
    deliver(uri, [first, ask(0)])
    deliver(uri, [second, ask(0)])
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("mine")
    assert experiment is not None and len(client.search_runs([experiment.experiment_id])) == 4


def test_a_single_run_stands_alone(uri):
    config = SPACE.base
    event = replace(ask(0, "run", "demo"), settings={}, params=params(config))
    deliver(uri, [replace(STARTED, study="", tags={}), event, *BEST, Told(0, "finished")])
    run = runs(uri)["0"]
    assert (run.info.status, run.info.run_name, run.data.tags["lt.kind"]) == ("FINISHED", "demo", "run")
    assert run.data.tags["lt.study"] == "none" and "mlflow.parentRunId" not in run.data.tags


def test_every_run_names_the_data_it_reads(uri):
    found = described([SPACE.base.data], Path())
    deliver(uri, [replace(STARTED, datasets=found), *EVENTS[1:], ENDED])
    for run in runs(uri).values():
        (given,) = run.inputs.dataset_inputs
        assert (given.dataset.name, given.dataset.digest) == ("digits-exp-20", run.data.tags["lt.data_id"])
        assert json.loads(given.dataset.profile)["train"] == list(load_parts(SPACE.base.data).class_counts)
        assert [(tag.key, tag.value) for tag in given.tags] == [("mlflow.data.context", "training")]


def test_a_dataset_that_comes_later_is_its_run_s_input_and_the_study_s_although_that_had_ended(uri):
    other = SPACE.base.data.replaced(subset_seed=1)
    first, later = described([SPACE.base.data], Path()), described([other], Path())
    begun = [replace(STARTED, datasets=first), *EVENTS[1:3], Told(0, "finished"), ENDED]
    deliver(uri, begun)
    asked_later = replace(ask(1), datasets=later)
    asked_later.tags["lt.data_id"] = next(iter(later))
    for _ in range(2):  # what is written again changes nothing
        deliver(uri, [*begun, asked_later, Told(1, "finished"), replace(ENDED, time=ENDED.time + 1)])
        inputs = {n: sorted(i.dataset.digest for i in run.inputs.dataset_inputs) for n, run in runs(uri).items()}
        assert inputs == {"none": sorted([*first, *later]), "0": [*first], "1": [*later]}


ORIGIN = {"command": "lt-tune search demo", "resume": "lt-tune search demo --resume", "note": "Made by `lt-tune`."}


def test_a_study_says_from_its_start_on_how_it_was_made(uri):
    started = replace(STARTED, **ORIGIN, artifacts={"requirements.txt": "torch==2\n"})
    deliver(uri, [started, *EVENTS[1:5]])
    parent = runs(uri)["none"]
    assert parent.data.tags["mlflow.note.content"].endswith(")\n\nMade by `lt-tune`.")
    assert [parent.data.tags[f"lt.{key}"] for key in ("command", "resume")] == [ORIGIN["command"], ORIGIN["resume"]]
    assert artifact(uri, parent, "requirements.txt") == "torch==2\n"
    deliver(uri, [started, *EVENTS[1:], ENDED])
    assert runs(uri)["none"].data.tags["mlflow.note.content"].endswith(")\n\n**Leaderboard**\n\nMade by `lt-tune`.")
    assert "lt.command" not in runs(uri)["0"].data.tags


def test_a_study_s_page_leads_to_views_that_the_experiment_keeps(uri):
    deliver(uri, [*EVENTS[:5]])
    parent = runs(uri)["none"]
    tags = MlflowClient(uri).get_experiment(parent.info.experiment_id).tags
    page = parent.data.tags["mlflow.note.content"]
    keys = re.findall(rf"#/experiments/{parent.info.experiment_id}/runs\?viewStateShareKey=([\w-]+)\)", page)
    assert len(keys) == 1 and f"mlflow.sharedViewState.{keys[0]}" in tags
    deliver(uri, [*EVENTS, ENDED])
    tags = MlflowClient(uri).get_experiment(parent.info.experiment_id).tags
    page = runs(uri)["none"].data.tags["mlflow.note.content"]
    keys = re.findall(r"viewStateShareKey=([\w-]+)\)", page)
    assert len(keys) == 2 and {f"mlflow.sharedViewState.{key}" for key in keys} <= tags.keys()


def test_views_of_a_space_of_methods_show_the_symbols_that_its_trials_have(uri):
    study = Study(space=SPACES["demo-methods"])
    points = [study.space.paper, study.space.point({"method": "IB"})]
    config = study.space.config
    events = [asked(n, "trial", "", p, config(p), study, Identity(Path())) for n, p in enumerate(points)]
    deliver(uri, [STARTED, *events])
    tags = MlflowClient(uri).get_experiment(runs(uri)["none"].info.experiment_id).tags
    (packed,) = [json.loads(text)["state"] for key, text in tags.items() if key.endswith("-trials")]
    shown = json.loads(zlib.decompress(base64.b64decode(packed.removeprefix("deflate;"))))
    columns = [column for column in shown["selectedColumns"] if column.startswith("params.")]
    assert columns == [f"params.`{name}`" for name in study.space.symbols if name in points[1]]


def test_a_page_that_is_too_long_is_cut_after_a_whole_line(uri):
    lines = "\n".join(f"| {number} | a trial of many |" for number in range(1000))
    deliver(uri, [replace(STARTED, **ORIGIN), replace(ENDED, note=lines)])
    page = runs(uri)["none"].data.tags["mlflow.note.content"]
    assert len(page) <= 8000 and page.endswith("|\n\n(The rest stands in the artifacts.)\n\nMade by `lt-tune`.")
    assert lines.startswith(page.partition("\n\n(")[0] + "\n")


def test_a_single_run_says_how_it_was_made(uri):
    started = replace(STARTED, study="", tags={}, **ORIGIN, artifacts={"requirements.txt": "torch==2\n"})
    deliver(uri, [started, ask(0, "run", "demo"), *BEST, Told(0, "finished")])
    run = runs(uri)["0"]
    assert (run.data.tags["lt.command"], run.data.tags["mlflow.note.content"]) == (ORIGIN["command"], ORIGIN["note"])
    assert artifact(uri, run, "requirements.txt") == "torch==2\n"


def test_values_of_each_class_are_an_artifact_and_no_metrics(uri):
    found = {"classes": ["a", "b"], "test": {"last": {"class_acc": [1.0, None], "confusion": [[1, 0], [0, 0]]}}}
    deliver(uri, [STARTED, ask(0, "confirm"), *BEST, Told(0, "finished", {"test_acc": 1.0}, evaluations=found)])
    run = runs(uri)["0"]
    assert json.loads(artifact(uri, run, "evaluations.json")) == found
    assert not any("class" in name for name in run.data.metrics)


def test_the_record_passes_the_shared_check(record):
    if not CHECK.exists():
        pytest.skip("no shared checks beside this repository")
    environment = {**os.environ, "PYTHONWARNINGS": ""}
    done = subprocess.run([sys.executable, CHECK, record, "5"], env=environment, capture_output=True, text=True)
    assert done.stdout.endswith("problems: none\n") and done.returncode == 0, done.stdout + done.stderr


# --- again, and after an interruption ---------------------------------------------------------------


def test_the_same_events_twice_add_nothing(uri, expected):
    deliver(uri, [*EVENTS, ENDED])
    ids = {trial: run.info.run_id for trial, run in runs(uri).items()}
    deliver(uri, [*EVENTS, ENDED])
    assert {trial: run.info.run_id for trial, run in runs(uri).items()} == ids
    assert snapshot(uri) == expected


def test_a_log_that_is_read_again_while_it_goes_on_leaves_ended_runs_as_they_are(uri):
    deliver(uri, [*EVENTS[:9], Told(0, "finished")])
    deliver(uri, EVENTS[:2])  # no further: it might be cut off here
    assert {trial: run.info.status for trial, run in runs(uri).items()} == {
        "none": "RUNNING",
        "0": "FINISHED",
        "1": "FINISHED",
    }


def test_an_interrupted_study_is_killed_and_as_if_it_never_was_once_it_went_on(uri, expected):
    deliver(uri, [*EVENTS[:5], Ended("interrupted")])
    for trial in ("none", "0", "1"):
        run = runs(uri)[trial]
        assert (run.info.status, run.data.tags["lt.stop_reason"]) == ("KILLED", "interrupted")
    deliver(uri, EVENTS[:6])
    for trial in ("none", "0", "1"):
        run = runs(uri)[trial]
        assert (run.info.status, run.data.tags["lt.stop_reason"]) == ("RUNNING", "running")
    deliver(uri, [*EVENTS, ENDED])
    assert snapshot(uri) == expected


@pytest.mark.parametrize("at_once", [False, True])
def test_a_run_that_a_budget_cut_is_finished_until_there_is_more_to_spend(uri, at_once):
    begun = [STARTED, ask(0), *BEST[:3], Told(0, "budget"), ENDED]
    rest = [Resumed(0), BEST[3]]
    for events in () if at_once else (begun, begun, [*begun[:-1], *rest]):
        deliver(uri, events)
        status = ("RUNNING", "running") if events[-1] is BEST[3] else ("FINISHED", "budget")
        run = runs(uri)["0"]
        assert (run.info.status, run.data.tags["lt.stop_reason"]) == status
    deliver(uri, [*begun[:-1], *rest, Told(0, "finished"), ENDED])
    run = runs(uri)["0"]
    assert (run.info.status, run.data.tags["lt.stop_reason"]) == ("FINISHED", "finished")
    assert run.data.metrics["epochs_trained"] == 4 and run.data.metrics["device_seconds"] == 2.0
    assert [step for step, _ in series(uri, run, "val_acc")] == [1, 2, 3, 4]


@pytest.mark.parametrize("cut", [1, 2, 17])
def test_a_record_cut_off_after_any_event_is_completed(uri, expected, cut):
    deliver(uri, EVENTS[:cut])
    deliver(uri, [*EVENTS, ENDED])
    assert snapshot(uri) == expected


def test_artifacts_that_find_no_place_are_kept_later_and_hold_nothing_up(uri, expected):
    artifacts_of(uri).write_text("in the way")
    assert Recording(uri, *EVENTS, ENDED).close().startswith("artifacts: ")
    assert {trial: run.info.status for trial, run in runs(uri).items()} == {
        trial: run["status"] for trial, run in expected.items()
    }
    artifacts_of(uri).unlink()
    deliver(uri, [*EVENTS, ENDED])
    assert snapshot(uri) == expected


class Unreliable(MlflowClient):
    """Real, but for one call that fails, before or after it took effect."""

    fails: tuple[str, int, str] = ("", 0, "")
    calls: list[str] = []  # noqa: RUF012 (of the class on purpose)

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        method, number, when = Unreliable.fails
        if name != method:
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            Unreliable.calls.append(name)
            failing = len(Unreliable.calls) == number
            if failing and when == "before":
                raise ConnectionError
            result = found(*arguments, **named)
            if failing:
                raise ConnectionError
            return result

        return call


SHORT = [*EVENTS[:2], *BEST, Told(0, "finished"), ENDED]


@pytest.mark.parametrize(
    ("method", "number", "when"),
    [
        ("create_experiment", 1, "after"),
        ("create_run", 1, "after"),  # the study's
        ("create_run", 2, "before"),  # the trial's
        ("create_run", 2, "after"),
        ("log_text", 1, "before"),
        ("log_batch", 1, "before"),  # its params
        ("log_batch", 2, "after"),  # its metrics
        ("set_terminated", 1, "after"),
    ],
)
def test_a_call_that_fails_is_made_up_for(uri, monkeypatch, method, number, when):
    monkeypatch.setattr(tracking.mlflow, "MlflowClient", Unreliable)
    monkeypatch.setattr(Unreliable, "fails", (method, number, when))
    monkeypatch.setattr(Unreliable, "calls", [])
    deliver(uri, SHORT)
    assert len(Unreliable.calls) >= number
    found = snapshot(uri)
    assert {trial: run["status"] for trial, run in found.items()} == {"none": "FINISHED", "0": "FINISHED"}
    assert found["0"]["artifacts"] == ["config.yaml"] and len(found["0"]["params"]) == 8
    assert found["0"]["metrics"]["val_acc"] == str([(1, 0.1), (2, 0.1), (3, 0.625), (4, 0.75)])


def test_an_error_without_words_is_named(uri, monkeypatch):
    monkeypatch.setattr(tracking.mlflow, "MlflowClient", Unreliable)
    monkeypatch.setattr(Unreliable, "fails", ("get_experiment_by_name", 1, "before"))
    monkeypatch.setattr(Unreliable, "calls", [])
    recording = Recording(uri, STARTED)
    until(lambda: recording.recorder.failure)
    assert recording.recorder.failure == "ConnectionError"
    assert recording.close() == ""


def test_two_studies_that_start_at_once_share_their_experiment(uri):
    recordings = [Recording(uri, replace(STARTED, study_id=str(number))) for number in range(3)]
    assert [recording.close() for recording in recordings] == [""] * 3
    assert len(MlflowClient(uri).search_experiments()) == 2  # with MLflow's own


# --- what the record will not take ------------------------------------------------------------------


def delete(uri, trial):
    MlflowClient(uri).delete_run(runs(uri)[trial].info.run_id)


def test_a_run_that_a_user_deletes_meanwhile_holds_up_no_other(uri):
    recording = Recording(uri, *EVENTS[:5])
    until(lambda: len(runs(uri)) == 3 and runs(uri)["1"].data.params)
    delete(uri, "1")
    recording.put(*EVENTS[5:], ENDED)
    assert recording.close() == ""
    assert {trial: run.info.status for trial, run in runs(uri).items() if trial in "0123"} == {
        "0": "FINISHED",
        "2": "FAILED",
        "3": "FAILED",
    }


def test_a_study_that_a_user_deleted_is_not_made_again(uri):
    deliver(uri, EVENTS[:5])
    delete(uri, "none")
    deliver(uri, [*EVENTS, ENDED])
    assert "none" not in runs(uri) and len(runs(uri)) == 7


def test_an_experiment_that_a_user_deleted_is_named(uri):
    deliver(uri, EVENTS[:5])
    client = MlflowClient(uri)
    client.delete_experiment(runs(uri)["0"].info.experiment_id)
    recording = Recording(uri, *EVENTS, ENDED)
    until(lambda: recording.recorder.failure)
    assert recording.recorder.failure == "the experiment mine is deleted in MLflow: restore it there"
    client.restore_experiment(client.get_experiment_by_name("mine").experiment_id)
    assert recording.close() == ""


# --- how much at a time -----------------------------------------------------------------------------


def test_a_run_of_more_points_than_one_request_takes_is_recorded_whole(uri):
    deliver(uri, [STARTED, ask(0), *epochs(0, *[0.5] * 400), Told(0, "finished")])
    assert series(uri, runs(uri)["0"], "val_acc") == [(number, 0.5) for number in range(1, 401)]
    assert len(runs(uri)["0"].data.params) == 8


def test_runs_that_are_whole_are_not_sent_again(uri, monkeypatch):
    deliver(uri, [*EVENTS, ENDED])
    monkeypatch.setattr(tracking.mlflow, "MlflowClient", Unreliable)
    monkeypatch.setattr(Unreliable, "calls", [])
    for method in ("log_batch", "create_run", "log_text", "set_terminated", "update_run"):
        monkeypatch.setattr(Unreliable, "fails", (method, 0, ""))
        deliver(uri, [*EVENTS, ENDED])
    assert Unreliable.calls == []


def test_no_run_has_25_metrics_or_more(uri):
    every = ("", "_macro", "_worst", "_head", "_tail", "_many", "_medium", "_few")
    val = {f"acc{name}": 0.5 for name in every} | {"top5": 0.9}
    test = dict.fromkeys(("test_acc", "test_acc_last", "test_acc_macro", "test_top5", "test_acc_best_test"), 0.5)
    ended = Told(0, "finished", {**test, "best_test_epoch": 1}, test_series=[0.5])
    deliver(uri, [STARTED, ask(0, "confirm"), epoch(0, 1, 0.5, val=val), ended])
    assert len(runs(uri)["0"].data.metrics) < 25
