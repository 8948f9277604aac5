import io
import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from conftest import SECONDS, workers
from mlflow import MlflowClient
from test_events import epoch

from lt_core import InputError, fit
from search_spaces import SPACES, Study
from tuning.engine.driver import Driver, Session
from tuning.engine.library import Library
from tuning.engine.rungs import stops
from tuning.engine.search import _cause
from tuning.engine.stages import SearchStage
from tuning.log.events import EventLog
from tuning.record.identity import Identity

CHECK = Path(__file__).parents[2] / "shared" / "checks" / "record.py"
TRIALS = 5
DEMO = ("search", "demo", "--concurrent", 1, "--epochs", 8, "--trials", TRIALS, "--confirm", 1)
NUMBERS = ("trials", "confirmed", "verdicts")


@pytest.fixture(scope="module")
def home(lt_of_module):
    return lt_of_module


@pytest.fixture(scope="module")
def undisturbed(home):
    return home.document(*DEMO)


def numbers(document):
    return {key: document[key] for key in NUMBERS}


def val_acc(lt):
    """Of every run of a study, by kind and number."""
    kinds = ("trial", "confirm")
    return {(kind, r.data.tags["lt.trial"]): lt.series(r, "val_acc") for kind in kinds for r in lt.runs(kind)}


def test_a_study_is_recorded_whole(home, undisturbed):
    trials = home.runs("trial")
    assert [run.data.tags["lt.trial"] for run in trials] == [str(n) for n in range(TRIALS)]
    assert {run.info.status for run in home.runs()} == {"FINISHED"}
    by_number = {t["trial"]: t for t in undisturbed["trials"]}
    for number, run in enumerate(trials):
        trial = by_number[number]
        assert list(home.series(run, "val_acc")) == list(range(1, trial["epochs"] + 1))
        assert run.data.metrics["score"] == trial["score"]
        assert run.data.tags["lt.config_id"] == trial["config_id"]
        assert run.data.tags["lt.stop_reason"] == trial["stop_reason"]
        assert {s: run.data.params[s] for s in trial["settings"]} == {s: str(v) for s, v in trial["settings"].items()}
    assert {run.data.tags["lt.role"]: run.data.metrics["test_acc"] for run in home.runs("confirm")} == {
        group["config"]: acc for group in undisturbed["confirmed"] for acc in group["test_acc"].values()
    }


def test_the_record_keeps_its_contract(home, undisturbed):
    if not CHECK.exists():
        pytest.skip(f"no {CHECK}")
    done = subprocess.run(
        [sys.executable, CHECK, home.uri, str(TRIALS), "demo-1"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"{TRIALS} trials {{'FINISHED': {TRIALS}}}; problems: none\n"), (
        done.stderr
    )


def test_the_report_out_of_the_record_is_the_one_that_the_driver_left_there(home, undisturbed, tmp_path):
    code, _, err = home.here("report", "demo-1", "--out", tmp_path)
    assert (code, err) == (0, "")
    left = home.home / "studies" / "demo-1" / "report"
    for path in sorted(path for path in left.rglob("*.*") if path.suffix != ".json"):
        assert (tmp_path / path.relative_to(left)).read_bytes() == path.read_bytes(), path.name
    (study,) = home.runs("study")
    assert {"report.html", "figures", "leaderboard.csv"} <= {file.path for file in home.artifacts(study)}
    assert "![The score of each trial" in study.data.tags["mlflow.note.content"]


def test_the_leaderboard_is_a_table_of_mlflow(home, undisturbed, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", home.uri)
    (study,) = home.runs("study")
    table = MlflowClient().load_table(study.info.experiment_id, "leaderboard.json", [study.info.run_id])
    assert list(table["#"])[:2] == [1, 2] and table["score"].max() == table["score"][0]


@pytest.mark.parametrize("name", ["SIGINT", pytest.param("SIGTERM", marks=pytest.mark.slow)])
def test_a_study_that_is_killed_and_then_interrupted_goes_on_to_the_same_numbers(home, undisturbed, lt, name):
    process = lt.start(*DEMO)
    lt.until(process, lambda: len(lt.events("demo-1", "EpochDone")) >= 12)
    lt.end(process, signal.SIGKILL)
    cut = lt.events("demo-1")
    assert {event["event"] for event in cut} == {"Started", "Asked", "EpochDone", "Told"}
    assert len({e["trial"] for e in cut if e["event"] == "Asked"} - {e["trial"] for e in cut if e["event"] == "Told"})

    process = lt.start("search", "demo", "--resume")
    lt.until(process, lambda: len(lt.events("demo-1", "EpochDone")) >= len(cut))
    started = time.monotonic()
    code, out, _ = lt.end(process, signal.Signals[name])
    assert code == 130
    assert time.monotonic() - started < 10
    assert lt.events("demo-1")[: len(cut)] == cut
    assert "Leaderboard" in out and "0 (paper)" in out
    *asked, last = [e["trial"] for e in lt.events("demo-1", "Asked")]
    ended = {e["trial"]: e["stop_reason"] for e in lt.events("demo-1", "Told")}
    assert ended.keys() == set(asked)
    reasons = {r.data.tags["lt.trial"]: (r.info.status, r.data.tags["lt.stop_reason"]) for r in lt.runs()}
    killed = dict.fromkeys(["none", str(last)], ("KILLED", "interrupted"))
    assert reasons == killed | {str(n): ("FINISHED", reason) for n, reason in ended.items()}

    go_on = next(line.removeprefix("go on: lt-tune ") for line in out.splitlines() if line.startswith("go on: "))
    assert numbers(lt.document(*shlex.split(go_on))) == numbers(undisturbed)
    assert [event["trial"] for event in lt.events("demo-1", "Asked")] == list(range(len(val_acc(home))))
    assert val_acc(lt) == val_acc(home)
    assert len(lt.runs()) == len(home.runs())
    assert {(run.info.status, run.data.tags["lt.stop_reason"]) for run in lt.runs()} <= {
        ("FINISHED", "finished"),
        ("FINISHED", "early_stopped"),
    }


# --- the driver, without Ray ------------------------------------------------------------------------


@pytest.fixture
def session(tmp_path):
    return Session(
        EventLog(tmp_path / "events.jsonl", lambda event: None), str(tmp_path / "store"), tmp_path, Library(tmp_path)
    )


def driver(session, trials=2):
    study = Study(space=SPACES["demo"], trials=trials)
    return Driver(session, SearchStage(study, session.history, Identity(session.root)), "cpu")


def reported(number, score, numerics="n"):
    return {"result": epoch(0, number, score).result, "numerics": numerics}


def test_the_paper_s_setting_is_never_stopped_but_its_scores_count(session):
    first = driver(session)
    assert [first.next()["trial"], first.next()["trial"]] == [0, 1]
    for trial, score in ((1, 0.5), (0, 0.25)):
        for number in range(1, 13):
            assert not first.report(trial, reported(number, score))
    assert stops(Study(space=SPACES["demo"]).effective_rungs, session.history, session.history.trials[0])
    third = driver(session, trials=3)
    assert [third.next()["trial"] for _ in range(3)] == [0, 1, 2]  # going on asks for it again
    for number in range(1, 12):
        assert not third.report(2, reported(number, 0.25))
    assert not third.report(2, reported(12, 0.25))  # as good as the paper's, which is one of two rivals
    assert session.history.trials[0].told is None


def test_a_lost_trial_has_the_cause_that_ray_told(session):
    made = driver(session)
    made.next(), made.next()
    made.trouble(0, "no such image")
    made.lost(0)
    made.lost(1)
    ends = {n: (t.told.stop_reason, t.told.error) for n, t in session.history.trials.items()}
    assert ends == {0: ("failed", "no such image"), 1: ("failed", "its worker process died")}


@pytest.mark.parametrize(
    ("errors", "cause"),
    [
        ("", "its worker process died"),
        ("Failure # 1\n\x1b[36mray::T()\x1b[39m\n  File x\nOSError: disk full\n\n", "OSError: disk full"),
        ("Failure # 1\nold\nFailure # 2\nThe actor died.\n\tpid: 3\nIts node has died.\n", "Its node has died."),
    ],
)
def test_the_cause_is_the_last_line_that_ray_wrote(errors, cause):
    assert _cause(errors).endswith(cause) and "\x1b" not in _cause(errors)


def test_a_store_that_a_trial_s_node_does_not_share_ends_the_stage_and_leaves_the_trial_to_go_on(session):
    made = driver(session)
    made.next()
    made.check_end()
    assert made.report(0, {"unshared": "node-7", "stop_reason": "failed"})
    with pytest.raises(InputError, match="is not readable on node node-7: give --store"):
        made.check_end()
    assert session.history.trials[0].told is None


def test_a_driver_leaves_nothing_in_the_store(session):
    made = driver(session)
    assert [path.name for path in Path(session.store).iterdir()] == [made.next()["probe"]]
    made.close()
    assert not list(Path(session.store).iterdir())


# --- trials that do not end well --------------------------------------------------------------------

MIXED = """
space:
  name: mixed
  base:
    data: {name: digits, imbalance: 20, val_per_class: 30}
    model: {kind: small_cnn}
    optimizer: {lr: 0.05, warmup_epochs: 1}
    batch_size: 32
    epochs: 4
  domains:
    lr:
      kind: choice
      labels: {usual: {}, huge: {optimizer.lr: 1.0e+9}}
    batch:
      kind: choice
      labels: {of 32: {}, of 48: {batch_size: 48}, of 64: {batch_size: 64}}
trials: 5
rungs: {epochs: []}
confirm: 0
concurrent: 2
cpus: 0.5
first: [{}, {lr: huge}, {batch: of 48}, {batch: of 64}]
"""


def test_trials_that_diverge_fail_or_repeat_leave_the_others_alone(lt):
    """Trial 1 repeats trial 0 while that one runs; trial 3 finds a damaged checkpoint."""
    (lt.folder / "mixed.yaml").write_text(MIXED)
    checkpoints = lt.home / "studies" / "mixed-1" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "00003.pt").write_bytes(b"\0")
    done = lt.run("search", "mixed.yaml")
    assert done.returncode == 0, done.stderr
    assert "trial 3 failed: " in done.stdout

    runs = lt.runs("trial")
    assert [(r.info.status, r.data.tags["lt.stop_reason"]) for r in runs] == [
        ("FINISHED", "finished"),
        ("FINISHED", "reused"),
        ("FAILED", "diverged"),
        ("FAILED", "failed"),
        ("FINISHED", "finished"),
    ]
    assert runs[3].data.tags["lt.error"].startswith("UnpicklingError: ")
    first, reused = runs[:2]
    assert reused.data.tags["lt.reused_from"] == first.info.run_id
    assert lt.series(reused, "val_acc") == lt.series(first, "val_acc")
    assert set(lt.series(reused, "seconds").values()) == {0.0}
    ends = ("score", "epochs_trained", "epochs_reused", "device_seconds")
    assert [reused.data.metrics[key] for key in ends] == [first.data.metrics["score"], 0, 4, 0]
    assert len({frozenset(run.data.params) for run in runs}) == 1

    space = Study.load(MIXED).space
    for number, batch in ((0, "of 32"), (4, "of 64")):
        *_, alone = fit(space.config({"lr": "usual", "batch": batch}))
        assert runs[number].data.metrics["score"] == alone.score
        assert lt.series(runs[number], "train_loss")[4] == alone.train_loss


@pytest.mark.slow
def test_a_trial_whose_worker_is_killed_goes_on_from_its_checkpoint(lt):
    study = ("search", "demo", "--epochs", 60, "--trials", 1, "--confirm", 0, "--concurrent", 1, "--json")
    process = lt.start(*study)
    lt.until(process, lambda: len(lt.events("demo-1", "EpochDone")) >= 5)
    (worker,) = workers(psutil.Process(process.pid))
    worker.kill()
    before = lt.events("demo-1", "EpochDone")

    def seconds_saved_since():
        content = (lt.home / "studies/demo-1/checkpoints/00000.pt").read_bytes()
        history = torch.load(io.BytesIO(content), weights_only=True)["history"]
        return [epoch["seconds"] for epoch in history] if len(history) > len(before) + 3 else []

    saved = lt.until(process, seconds_saved_since)
    assert saved[: len(before)] == [event["result"]["seconds"] for event in before]
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    assert json.loads(out)["state"] == "finished"  # and no word of Ray's about the worker
    assert [event["result"]["epoch"] for event in lt.events("demo-1", "EpochDone")] == list(range(1, 61))
    (run,) = lt.runs("trial")
    assert list(lt.series(run, "val_acc")) == list(range(1, 61))
    assert run.data.tags["lt.stop_reason"] == "finished"


@pytest.mark.slow
def test_a_trial_whose_checkpoint_cannot_be_written_fails_after_its_retries(lt):
    (lt.home / "studies/demo-1/checkpoints/00001.pt/in the way").mkdir(parents=True)
    study = ("search", "demo", "--epochs", 3, "--trials", 3, "--confirm", 0, "--concurrent", 1)
    assert [trial["trial"] for trial in lt.document(*study)["trials"]][-1] == 1
    reasons = [(run.info.status, run.data.tags["lt.stop_reason"]) for run in lt.runs("trial")]
    assert reasons == [("FINISHED", "finished"), ("FAILED", "failed"), ("FINISHED", "finished")]
    assert "00001.pt" in lt.runs("trial")[1].data.tags["lt.error"]


def test_an_exported_config_retrains_to_the_same_score(home, undisturbed, lt):
    code, out, err = lt.here("train", home.folder / undisturbed["export"], "--json")
    assert code == 0, err
    again = json.loads(out)
    best = undisturbed["trials"][0]
    assert {key: again[key] for key in ("score", "config_id", "best_epoch")} == {
        key: best[key] for key in ("score", "config_id", "best_epoch")
    }
    (run,) = lt.runs()
    assert (run.data.tags["lt.kind"], run.data.metrics["score"]) == ("run", best["score"])
    assert "test_acc" in run.data.metrics


def test_a_finished_study_is_extended(home, undisturbed):
    confirming = len(home.runs("confirm"))
    more = home.document("search", "demo", "--name", "demo-1", "--resume", "--trials", TRIALS + 1)
    after = sorted(more["trials"], key=lambda trial: trial["trial"])
    before = sorted(undisturbed["trials"], key=lambda trial: trial["trial"])
    assert after[:TRIALS] == before
    assert [trial["trial"] for trial in after[TRIALS:]] == [TRIALS + confirming]
    assert len(home.runs("trial")) == TRIALS + 1
    assert {run.info.status for run in home.runs()} == {"FINISHED"}


@pytest.mark.slow
def test_a_search_ends_where_ray_has_lost_its_last_node(lt):
    process = lt.start("search", "demo", "--trials", 30, "--confirm", 0, "--concurrent", 1)
    lt.until(process, lambda: lt.events("demo-1", "Told"))
    (node,) = (child for child in psutil.Process(process.pid).children() if child.name() == "raylet")
    node.kill()
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 1 and "error: Ray has lost its last node: a search goes on with --resume" in err
    assert {run.info.status for run in lt.runs()} <= {"FINISHED", "KILLED"}


@pytest.mark.slow
def test_trials_that_a_budget_cut_go_on_under_a_larger_one(lt, tmp_path):
    study = ("search", "demo", "--epochs", 6, "--trials", 3, "--confirm", 0, "--concurrent", 1, "--sampler", "random")
    cut = lt.document(*study, "--budget", "8ep")
    assert [trial["stop_reason"] for trial in cut["trials"]] == ["finished", "budget"]
    assert cut["remarks"][0] == "The search ended: the budget of 8 epochs is used up."
    assert "1 of 3 trials, 1 cut by its budget" in lt.run("list").stdout
    whole = lt.document("search", "demo", "--resume", "--name", "demo-1", "--budget", "99ep")
    undisturbed = lt.document(*study, "--budget", "99ep", "--home", tmp_path / "other")
    assert whole["trials"] == undisturbed["trials"] and whole["remarks"] == []
    epochs = [(event["trial"], event["result"]["epoch"]) for event in lt.events("demo-1", "EpochDone")]
    assert len(set(epochs)) == len(epochs)
    runs = lt.runs("trial")
    assert {(run.info.status, run.data.tags["lt.stop_reason"]) for run in runs} == {("FINISHED", "finished")}
    assert {run.data.metrics["epochs_trained"] for run in runs} == {6.0}
    assert not list((lt.home / "studies" / "demo-1" / "checkpoints").glob("0000[12].pt"))


@pytest.mark.slow
def test_a_study_that_cannot_train_gives_up_after_five_and_says_why(lt):
    checkpoints = lt.home / "studies" / "demo-1" / "checkpoints"
    checkpoints.mkdir(parents=True)
    for number in range(8):
        (checkpoints / f"{number:05d}.pt").write_bytes(b"\0")
    done = lt.run("search", "demo", "--epochs", 2, "--trials", 8, "--concurrent", 1)
    assert done.returncode == 1, done.stderr
    assert "The search ended: the first 5 trials all failed: UnpicklingError" in done.stdout
    assert len(lt.runs("trial")) == 5


@pytest.mark.slow
def test_a_batch_gives_the_same_study_one_at_a_time_and_two_at_a_time(lt):
    study = ("search", "demo", "--epochs", 8, "--trials", 6, "--confirm", 0, "--batch", 3, "--cpus", 0.5)
    alone = lt.document(*study, "--concurrent", 1)
    (lt.home / "studies" / "demo-1").rename(lt.folder / "elsewhere")  # or all would be taken over
    together = lt.document(*study, "--concurrent", 2)
    assert sorted(together["trials"], key=lambda t: t["trial"]) == sorted(alone["trials"], key=lambda t: t["trial"])
