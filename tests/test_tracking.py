import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from conftest import empty_database
from mlflow import MlflowClient
from mlflow.entities import Run
from test_events import asked, epoch

from lt_core import InputError, TrainConfig
from search_spaces.controls import plain_cross_entropy
from search_spaces.demo import DEMO
from tuning import tracking
from tuning.events import Asked, Ended, EpochDone, Event, Kind, Started, Told
from tuning.identity import Identity, params
from tuning.tracking import Recorder, check_answers, finished_trials, server_arguments

SPACE = DEMO.scaled(4 / 16)  # 4 epochs, the second phase from the third on
assert (SPACE.base.epochs, SPACE.base.phases[1].start) == (4, 2)
CHECK = Path(__file__).parents[2] / "shared" / "checks" / "record.py"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(tracking, "FLUSH_SECONDS", 0.05)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


def database(folder: Path) -> str:
    return f"sqlite:///{shutil.copy(empty_database(), folder / 'mlflow.db')}"


@pytest.fixture
def uri(tmp_path):
    return database(tmp_path)


# --- what happened, and what the record says of it --------------------------------------------------


def ask(trial: int, kind: Kind = "trial", role: str = "", seed: int = 0, **settings: Any) -> Asked:
    config = SPACE.config(settings).model_copy(update={"seed": seed})
    config = plain_cross_entropy(config) if role == "CE" else config
    symbols = dict.fromkeys(SPACE.domains, "none") if role == "CE" else SPACE.point(settings)
    event = asked(trial, config, kind, role, **({} if role == "CE" else symbols))
    tags = {**Identity(Path()).tags(config), "lt.role": role or "none"}
    return replace(event, params={**symbols, **params(config)}, tags=tags)


def epochs(trial: int, *scores: float | None, **fields: Any) -> list[EpochDone]:
    """Epochs from the first on; the running score is None before the last phase, then the best so far."""
    return [epoch(trial, number, score, **fields) for number, score in enumerate(scores, 1)]


STARTED = Started("mine-1", "lt-tune search", Identity(Path()).tags(SPACE.base))
BEST = epochs(0, None, None, 0.625, 0.75)
EVENTS: list[Event] = [
    STARTED,
    ask(0, role="paper"),
    *BEST[:2],
    ask(1, T1=0, alpha=20.5),
    *epochs(1, 0.25, 0.375),
    Told(1, "early_stopped"),
    *BEST[2:],
    Told(0, "finished"),
    ask(2, T1=1),
    *epochs(2, None, 0.125),
    epoch(2, 3, 0.125, train_loss=math.nan, val={"acc": 0.0}, diverged=True),
    Told(2, "diverged"),
    ask(3, T1=0),
    Told(3, "failed", error="OutOfMemoryError: no room"),
    ask(4),
    *(replace(e, trial=4, result={**e.result, "seconds": 0.0}) for e in BEST),
    Told(4, "finished", reused_from=0),
    ask(5, "confirm", "paper", seed=1),
    *epochs(5, None, None, 0.5, 0.5),
    Told(5, "finished", {"test_acc": 0.875, "test_acc_last": 0.8125}),
    ask(6, "confirm", "CE", seed=1),
    *epochs(6, 0.5, 0.5, 0.5, 0.5),
    Told(6, "finished", {"test_acc": 0.25, "test_acc_last": 0.25}),
]
ENDED = Ended("finished", "**Leaderboard**", {"score": 0.75}, {"study.yaml": "trials: 5\n", "leaderboard.csv": "a,b\n"})


def deliver(uri: str, events: list[Event], *, nested: bool = True, seconds: float = 60) -> None:
    recorder = Recorder(uri, "mine", artifacts_of(uri), nested=nested)
    for event in events:
        recorder.put(event)
    recorder.close(seconds)
    assert recorder.failure == ""


def artifacts_of(uri: str) -> Path:
    return Path(uri.removeprefix("sqlite:///")).parent / "artifacts"


def runs(uri: str) -> dict[str, Run]:
    """All runs by `lt.trial`; two of one number fail."""
    client = MlflowClient(uri)
    found = client.search_runs([e.experiment_id for e in client.search_experiments()], max_results=1000)
    by_trial = {run.data.tags["lt.trial"]: run for run in found}
    assert len(by_trial) == len(found)
    return by_trial


def series(uri: str, run: Run, metric: str) -> list[tuple[int, float]]:
    points = MlflowClient(uri).get_metric_history(run.info.run_id, metric)
    return [(point.step, point.value) for point in sorted(points, key=lambda point: (point.step, point.timestamp))]


def artifact(uri: str, run: Run, name: str) -> str:
    with TemporaryDirectory() as folder:
        return Path(MlflowClient(uri).download_artifacts(run.info.run_id, name, folder)).read_text(encoding="utf-8")


def snapshot(uri: str) -> dict[str, Any]:
    """All that the record says, with trial numbers in place of run ids."""
    found = runs(uri)
    numbers = {run.info.run_id: trial for trial, run in found.items()}
    return {
        trial: {
            "status": run.info.status,
            "name": run.info.run_name,
            "times": (run.info.start_time, run.info.end_time),
            "tags": {key: numbers.get(value, value) for key, value in run.data.tags.items()},
            "params": run.data.params,
            "metrics": {metric: str(series(uri, run, metric)) for metric in run.data.metrics},
            "artifacts": sorted(a.path for a in MlflowClient(uri).list_artifacts(run.info.run_id)),
        }
        for trial, run in found.items()
    }


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> str:
    """A study that was recorded without a disturbance."""
    uri = database(tmp_path_factory.mktemp("record"))
    deliver(uri, [*EVENTS, ENDED])
    return uri


@pytest.fixture(scope="module")
def expected(record) -> dict[str, Any]:
    return snapshot(record)


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
    assert dict(series(record, runs(record)["0"], "score")) == {3: 0.625, 4: 0.75}
    assert series(record, runs(record)["0"], "score")[-1] == (4, 0.75)


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
    assert "lt.reused_from" not in found["0"].data.tags


def test_the_study_s_page_shows_what_it_came_to(record):
    parent = runs(record)["none"]
    assert parent.data.tags["mlflow.note.content"] == "**Leaderboard**"
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
    deliver(uri, [replace(STARTED, study="none", tags={}), event, *BEST, Told(0, "finished")], nested=False)
    run = runs(uri)["0"]
    assert (run.info.status, run.info.run_name, run.data.tags["lt.kind"]) == ("FINISHED", "demo", "run")
    assert run.data.tags["lt.study"] == "none" and "mlflow.parentRunId" not in run.data.tags


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
    recorder = Recorder(uri, "mine", artifacts_of(uri), nested=True)
    for event in EVENTS[:2]:  # no further: it might be cut off here
        recorder.put(event)
    recorder.close(60)
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


@pytest.mark.parametrize("cut", [1, 2, 17])
def test_a_record_cut_off_after_any_event_is_completed(uri, expected, cut):
    deliver(uri, EVENTS[:cut])
    deliver(uri, [*EVENTS, ENDED])
    assert snapshot(uri) == expected


def test_artifacts_that_find_no_place_are_kept_later_and_hold_nothing_up(uri, expected):
    artifacts_of(uri).write_text("in the way")
    recorder = Recorder(uri, "mine", artifacts_of(uri), nested=True)
    for event in [*EVENTS, ENDED]:
        recorder.put(event)
    recorder.close(60)
    assert recorder.failure.startswith("artifacts: ")
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
    recorder = Recorder(uri, "mine", artifacts_of(uri), nested=True)
    for event in SHORT:
        recorder.put(event)
    recorder.close(60)
    assert recorder.failure == "" and len(Unreliable.calls) >= number
    found = snapshot(uri)
    assert {trial: run["status"] for trial, run in found.items()} == {"none": "FINISHED", "0": "FINISHED"}
    assert found["0"]["artifacts"] == ["config.yaml"] and len(found["0"]["params"]) == 8
    assert found["0"]["metrics"]["val_acc"] == str([(1, 0.1), (2, 0.1), (3, 0.625), (4, 0.75)])


def test_an_error_without_words_is_named(uri, monkeypatch):
    monkeypatch.setattr(tracking.mlflow, "MlflowClient", Unreliable)
    monkeypatch.setattr(Unreliable, "fails", ("get_experiment_by_name", 1, "before"))
    monkeypatch.setattr(Unreliable, "calls", [])
    recorder = Recorder(uri, "mine", artifacts_of(uri), nested=True)
    recorder.put(STARTED)
    until(lambda: recorder.failure)
    assert recorder.failure == "ConnectionError"
    recorder.close(60)
    assert recorder.failure == ""


def test_two_studies_that_start_at_once_share_their_experiment(uri):
    recorders = [Recorder(uri, "mine", artifacts_of(uri), nested=True) for _ in range(3)]
    for number, recorder in enumerate(recorders):
        recorder.put(replace(STARTED, study_id=str(number)))
    for recorder in recorders:
        recorder.close(60)
    assert [recorder.failure for recorder in recorders] == [""] * 3
    assert len(MlflowClient(uri).search_experiments()) == 2  # with MLflow's own


# --- a server ---------------------------------------------------------------------------------------


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Server:
    """A real MLflow server on a database in a folder; it may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.uri = f"http://user:s3cret@127.0.0.1:{self.port}"
        self._arguments = server_arguments(database(folder), folder / "artifacts", self.port)
        self._environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *self._arguments],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(self._answers, 120)

    def _answers(self) -> bool:
        assert self._process.poll() is None
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=1).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    running.kill()


def test_a_server_that_is_lost_and_comes_back_gets_everything(server, expected):
    recorder = Recorder(server.uri, "mine", Path(), nested=True)
    for event in EVENTS[:3]:
        recorder.put(event)
    until(lambda: MlflowClient(server.uri).get_experiment_by_name("mine"))
    until(lambda: len(runs(server.uri)) == 2 and series(server.uri, runs(server.uri)["0"], "val_acc"))
    server.kill()
    for event in EVENTS[3:9]:
        started = time.monotonic()
        recorder.put(event)
        assert time.monotonic() - started < 0.1
        time.sleep(0.1)  # several batches
    until(lambda: recorder.failure)
    assert "s3cret" not in recorder.failure and "user" not in recorder.failure
    for event in EVENTS[9:]:
        recorder.put(event)
    server.start()
    recorder.put(ENDED)
    recorder.close(120)
    assert recorder.failure == ""
    assert snapshot(server.uri) == expected
    check_answers(server.uri)


def test_a_server_that_stays_away_costs_no_time_and_no_secret():
    recorder = Recorder(f"http://user:s3cret@127.0.0.1:{free_port()}", "mine", Path(), nested=True)
    started = time.monotonic()
    for event in EVENTS * 100:
        recorder.put(event)
    assert time.monotonic() - started < 1
    until(lambda: recorder.failure)
    recorder.close(20)
    assert time.monotonic() - started < 20
    assert re.search("refused|Max retries", recorder.failure)
    assert "s3cret" not in recorder.failure and "user:" not in recorder.failure


def test_a_server_that_never_answers_does_not_hold_the_end_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        recorder = Recorder(f"http://127.0.0.1:{silent.getsockname()[1]}", "mine", Path(), nested=True)
        recorder.put(STARTED)
        started = time.monotonic()
        recorder.close(0.5)
        assert time.monotonic() - started < 5
        assert recorder.failure == "MLflow took more than 0.5 s"


# --- does it answer? --------------------------------------------------------------------------------


def refusal(uri: str) -> str:
    started = time.monotonic()
    with pytest.raises(InputError) as caught:
        check_answers(uri)
    assert time.monotonic() - started < 10
    said = str(caught.value)
    assert said.startswith("the tracking URI ") and "\n" not in said
    return said


def test_a_dead_port_is_refused_in_time(monkeypatch):
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    assert "does not answer" in refusal(f"http://127.0.0.1:{free_port()}")


@pytest.mark.parametrize("credentials", ["user@", "user:s3cret@", "user:s3@cret@", "user:s3/cret@"])
def test_a_refusal_names_no_secret(credentials):
    said = refusal(f"http://{credentials}127.0.0.1:{free_port()}")
    assert "does not answer" in said and not re.search("user|s3|cret", said)


def test_a_port_that_never_answers_is_refused(monkeypatch):
    monkeypatch.setattr(tracking, "ANSWER_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = refusal(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert said.endswith("does not answer: no answer within 1 s")


@pytest.mark.parametrize(
    "uri",
    ["nothing://s3cret:s3cret@x", "postgresql+nodriver://user:s3cret@localhost/db", "mysql://localhost/db?pw=s3cret"],
)
def test_what_mlflow_cannot_speak_to_is_refused(uri):
    said = refusal(uri)
    assert "no answer within" not in said and "s3cret" not in said


def test_a_database_that_is_there_or_can_be_made_is_good(tmp_path, uri):
    check_answers(uri)
    check_answers(f"sqlite:///{tmp_path / 'new.db'}")
    (tmp_path / "empty.db").touch()
    check_answers(f"sqlite:///{tmp_path / 'empty.db'}?timeout=5")
    assert not (tmp_path / "new.db").exists()


def test_a_database_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("this is no database")
    assert "is no folder" in refusal(f"sqlite:///{tmp_path / 'none' / 'mlflow.db'}")
    assert "is no folder" in refusal(f"sqlite:///{tmp_path / 'file' / 'mlflow.db'}")
    assert "is no database" in refusal(f"sqlite:///{tmp_path / 'file'}")
    assert "is no database" in refusal(f"sqlite:///{tmp_path}")


# --- reading ----------------------------------------------------------------------------------------


def study(name: str, *scores: float, time_ms: int) -> list[Event]:
    events: list[Event] = [replace(STARTED, study=name, study_id=f"{name}-{time_ms}", time=time_ms)]
    for trial, score in enumerate(scores):
        events += [ask(trial), *epochs(trial, None, None, score, score), Told(trial, "finished")]
    return events


def test_finished_trials_come_best_first_the_earlier_of_equals_before(uri):
    deliver(uri, study("a", 0.5, 0.75, 0.25, 0.75, time_ms=1))
    found = list(finished_trials(uri, "a"))
    assert [run.tags["lt.trial"] for run in found] == ["1", "3", "0", "2"]
    assert [run.metrics["score"] for run in found] == [0.75, 0.75, 0.5, 0.25]
    assert found[0].config == SPACE.base


def test_neither_confirming_runs_nor_those_that_stopped_early_nor_reused_ones_are_among_them(record):
    assert [run.tags["lt.trial"] for run in finished_trials(record, "mine-1")] == ["0"]


def test_the_newest_study_of_a_name_counts(uri):
    deliver(uri, study("a", 0.5, time_ms=2))
    deliver(uri, study("a", 0.25, time_ms=3))
    deliver(uri, study("a", 0.75, time_ms=1))
    assert [run.metrics["score"] for run in finished_trials(uri, "a")] == [0.25]


@pytest.mark.parametrize("name", ["none", "mine-1' OR '1' = '1", "", "mine-1\n"])
def test_a_study_that_the_record_has_not_is_refused(record, name):
    with pytest.raises(InputError, match="the record has no study"):
        list(finished_trials(record, name))
