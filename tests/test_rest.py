"""A study read with nothing but MLflow's REST interface, by a reader who has no lt-tune."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml
from recording import EVENTS, STARTED, Server, deliver
from test_events import history
from test_reading import FINISHED, STUDY, told

from tuning.log.results import of_history
from tuning.record.reading import read_study
from tuning.reports.leaderboard import leaderboard

EVENTS_WITH_STUDY = [replace(STARTED, artifacts={"study.yaml": STUDY.dump()}), *EVENTS[1:]]


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    server = Server(tmp_path_factory.mktemp("server"))
    deliver(server.uri, [*EVENTS_WITH_STUDY, FINISHED])
    yield f"http://127.0.0.1:{server.port}"
    server.kill()


def post(address: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(f"{address}/api/2.0/mlflow/{path}", json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def get(address: str, at: str, **query: str) -> bytes:
    with urllib.request.urlopen(f"{address}/{at}?{urllib.parse.urlencode(query)}") as answer:
        return answer.read()


def by_key(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: pair["value"] for pair in pairs}


@pytest.fixture(scope="module")
def children(address) -> list[dict[str, Any]]:
    """The runs below the study's, with id, tags, params and metrics, by number."""
    experiment = json.loads(get(address, "api/2.0/mlflow/experiments/get-by-name", experiment_name="mine"))
    ids = [experiment["experiment"]["experiment_id"]]
    search = {"experiment_ids": ids, "filter": "tags.`lt.kind` = 'study' and tags.`lt.study` = 'mine-1'"}
    (parent,) = post(address, "runs/search", search)["runs"]
    below = {"experiment_ids": ids, "filter": f"tags.mlflow.parentRunId = '{parent['info']['run_id']}'"}
    found = post(address, "runs/search", below)["runs"]
    runs = [
        {"id": run["info"]["run_id"], **{k: by_key(run["data"].get(k, [])) for k in ("tags", "params", "metrics")}}
        for run in found
    ]
    return sorted(runs, key=lambda run: int(run["tags"]["lt.trial"]))


def test_the_leaderboard_can_be_rebuilt(children):
    trials = [run for run in children if run["tags"]["lt.kind"] == "trial"]
    whole = {run["id"] for run in trials if run["tags"]["lt.stop_reason"] == "finished"}
    ranked = [r for r in trials if r["id"] in whole or r["tags"].get("lt.reused_from") in whole]
    ranked.sort(key=lambda run: (-run["metrics"]["score"], int(run["tags"]["lt.trial"])))
    rest = [run for run in trials if run not in ranked]
    rebuilt = [
        [
            run["tags"]["lt.trial"],
            *(float(run["params"][symbol]) for symbol in ("T1", "epsilon", "alpha")),
            run["metrics"].get("score"),
            run["metrics"].get("best_epoch"),
            f"{int(run['metrics']['epochs_trained'] + run['metrics']['epochs_reused'])}/{run['params']['epochs']}",
        ]
        for run in (*ranked, *rest)
    ]
    grid = leaderboard(of_history("mine-1", STUDY, history(*EVENTS_WITH_STUDY, FINISHED)))
    printed = [
        [row[1].split()[0], *map(float, row[2:5]), *(float(cell) if cell else None for cell in row[5:7]), row[7]]
        for row in grid.rows
    ]
    assert rebuilt == printed


def test_each_child_has_config_seed_stop_reason_and_a_complete_series(address, children):
    assert [run["tags"]["lt.trial"] for run in children] == [str(n) for n in range(7)]
    for run in children:
        config = yaml.safe_load(get(address, "get-artifact", run_uuid=run["id"], path="config.yaml"))
        assert str(config["seed"]) == run["tags"]["lt.seed"] and str(config["epochs"]) == run["params"]["epochs"]
        assert run["tags"]["lt.stop_reason"] in ("finished", "early_stopped", "diverged", "failed", "reused")
        answer = get(address, "api/2.0/mlflow/metrics/get-history", run_id=run["id"], metric_key="train_loss")
        steps = sorted(int(point["step"]) for point in json.loads(answer).get("metrics", []))
        epochs = run["metrics"]["epochs_trained"] + run["metrics"]["epochs_reused"]
        assert steps == list(range(1, int(epochs) + 1))


def test_seeds_pair_what_was_confirmed(children):
    confirming = [run for run in children if run["tags"]["lt.kind"] == "confirm"]
    values = {(run["tags"]["lt.role"], run["tags"]["lt.seed"]): run["metrics"]["test_acc"] for run in confirming}
    assert values == {("paper", "1"): 0.875, ("CE", "1"): 0.25}


def test_lt_tune_itself_reads_the_same_through_a_server_as_from_its_log(address):
    found = read_study(address, "mine-1")
    assert told(found) == told(of_history("mine-1", STUDY, history(*EVENTS_WITH_STUDY, FINISHED)))
