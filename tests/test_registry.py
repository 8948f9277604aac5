import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from exporting import BEST, night, trained
from mlflow import MlflowClient
from recording import Server, database, deliver, free_port

from tuning.exports.registered import Registered
from tuning.exports.registry import register
from tuning.exports.trained import Network, Retraining, network
from tuning.reports.winners import winners

NAME = "lt-tune-mine"
BLOCKED = ("lt_core", "tuning", "search_spaces", "ray", "optuna")


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    retraining = Retraining(BEST, tmp_path_factory.mktemp("data"), "cpu", None, "")
    list(retraining.epochs())
    return network(retraining)


class Place:
    """A record to which studies are added, whose best models are registered."""

    def __init__(self, folder: Path, net: Network) -> None:
        self.folder, self.net = folder, net
        self.uri = database(folder)

    def add(self, study: str, fresh: Mapping[int, float | None], data_id: str = "") -> Registered:
        deliver(self.uri, night(study, fresh))
        return self.again(study, data_id)

    def again(self, study: str, data_id: str = "", net: Network | None = None) -> Registered:
        found = winners(self.uri, study, 1)
        if data_id:
            run = replace(found.best[0].run, tags={**found.best[0].run.tags, "lt.data_id": data_id})
            found = replace(found, best=(replace(found.best[0], run=run),))
        (self.folder / "model_card.md").write_text(f"# The card of {study}")
        return register(self.uri, found, net or self.net, [self.folder / "model_card.md"])

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)

    @property
    def aliases(self) -> dict[str, str]:
        return {alias: str(v) for alias, v in self.client.get_registered_model(NAME).aliases.items()}


@pytest.fixture
def place(tmp_path, net):
    return Place(tmp_path, net)


# --- champion and challenger ------------------------------------------------------------------------


def test_the_first_that_was_confirmed_is_the_champion(place):
    found = place.add("one", {1: 0.75, 2: 0.5})
    assert (found.name, found.version, found.alias, found.why) == (NAME, "1", "champion", "there was none")
    assert place.aliases == {"champion": "1"}


def test_a_champion_is_replaced_by_a_better_mean_on_fresh_seeds_only(place):
    place.add("one", {1: 0.75, 2: 0.5})
    worse = place.add("two", {1: 0.625, 2: 0.5})
    assert worse.alias == "challenger" and place.aliases == {"champion": "1", "challenger": "2"}
    assert worse.why == "0.5625 against 0.6250, the mean score on fresh seeds of version 1"
    equal = place.add("three", {1: 0.625, 2: 0.625})
    assert equal.alias == "challenger" and place.aliases == {"champion": "1", "challenger": "3"}
    better = place.add("four", {1: 0.75, 2: 0.75})
    assert better.alias == "champion" and place.aliases == {"champion": "4", "challenger": "3"}


def test_one_on_other_data_is_a_challenger_however_good(place):
    place.add("one", {1: 0.75, 2: 0.5})
    found = place.add("two", {1: 1.0, 2: 1.0}, data_id="others")
    assert (found.alias, found.why) == ("challenger", "the champion, version 1, has other data")
    assert place.aliases == {"champion": "1", "challenger": "2"}


def test_one_that_was_not_confirmed_is_a_challenger(place):
    found = place.add("one", {})
    assert (found.alias, found.why) == ("challenger", "it was not trained again on fresh seeds")
    assert place.add("two", {1: 0.25}).alias == "champion"


def test_one_that_diverged_on_a_fresh_seed_is_a_challenger_however_good_the_others_were(place):
    first = place.add("one", {1: 1.0, 2: None, 3: None})
    why = "it diverged on 2 of 3 fresh seeds (seeds 2 and 3): its means are of the others, which survived"
    assert (first.alias, first.why, place.aliases) == ("challenger", why, {"challenger": "1"})
    assert place.client.get_model_version(NAME, "1").tags["lt.diverged"] == "2"
    place.add("two", {1: 0.5})
    place.client.set_registered_model_alias(NAME, "champion", "1")
    assert place.again("one").alias == "challenger" and place.aliases == {"challenger": "1"}


def test_a_champion_that_somebody_chose_by_hand_stays(place):
    place.add("one", {})
    place.client.set_registered_model_alias(NAME, "champion", "1")
    found = place.add("two", {1: 0.75})
    assert (found.alias, found.why) == (
        "challenger",
        "the champion, version 1, was not trained again on fresh seeds",
    )


def test_a_challenger_that_becomes_champion_is_no_challenger_any_more(place):
    place.add("one", {1: 0.75})
    assert place.add("two", {1: 0.5}).alias == "challenger"
    place.client.delete_registered_model_alias(NAME, "champion")
    assert place.again("two").alias == "champion" and place.aliases == {"champion": "2"}


def test_test_accuracy_is_shown_and_decides_nothing(place, net):
    place.add("one", {1: 0.75, 2: 0.5})
    flattered = replace(net, test=replace(net.test, confusion=torch.eye(10, dtype=torch.int64)))
    place.add("two", {1: 0.5})
    again = place.again("two", net=flattered)
    assert again.alias == "challenger"
    first, second = (place.client.get_model_version(NAME, version) for version in ("1", "2"))
    assert float(first.tags["lt.test_acc"]) == net.test.accuracy
    assert float(second.tags["lt.test_acc_mean"]) == 0.25


def test_a_model_that_is_registered_is_not_registered_twice(place):
    first = place.add("one", {1: 0.75})
    again = place.again("one")
    assert again.version == first.version == "1" and again.alias == "champion"
    assert again.why == "it was the champion before"
    assert len(place.client.search_model_versions(f"name = '{NAME}'")) == 1


# --- what is registered -----------------------------------------------------------------------------


def test_a_version_says_where_it_comes_from(place):
    place.add("one", {1: 0.75, 2: 0.5})
    version = place.client.get_model_version(NAME, "1")
    best = winners(place.uri, "one", 1).best[0]
    assert version.run_id == best.run.run_id and version.description == "# The card of one"
    expected = {"lt.study": "one", "lt.config_id": BEST.id, "lt.data_id": best.identity("data_id"), "lt.seeds": "2"}
    assert expected.items() <= version.tags.items()
    assert float(version.tags["lt.score_mean"]) == 0.625 and float(version.tags["lt.score"]) == best.score


def test_the_study_and_the_trial_show_the_model_and_keep_their_metrics(place):
    place.add("one", {1: 0.75})
    found = winners(place.uri, "one", 1)
    version = place.client.get_model_version(NAME, "1")
    for run_id in (found.run_id, found.best[0].run.run_id):
        run = place.client.get_run(run_id)
        assert [f"models:/{output.model_id}" for output in run.outputs.model_outputs] == [version.source]
        assert not [name for name in run.data.metrics if name.startswith("test")]


def test_it_loads_in_mlflow_without_lt_tune(place, net, tmp_path):
    place.add("one", {1: 0.75})
    pixels = trained(2).parts.test.pixels[:9].numpy()
    np.save(tmp_path / "pixels.npy", pixels)
    code = f"""
import sys, warnings
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
import json, mlflow, numpy, torch
mlflow.set_tracking_uri({place.uri!r})
pixels = numpy.load({str(tmp_path / "pixels.npy")!r})
served = mlflow.pyfunc.load_model("models:/{NAME}@champion")
loaded = mlflow.pytorch.load_model("models:/{NAME}/1")
classes = served.metadata.metadata["classes"]
print(json.dumps([classes, served.predict(pixels).tolist(), loaded(torch.from_numpy(pixels)).tolist()]))
"""
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | quiet,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    classes, by_pyfunc, by_pytorch = json.loads(done.stdout)
    assert classes == list("0123456789")
    expected = net.predictor(torch.from_numpy(pixels))
    for found in (by_pyfunc, by_pytorch):
        assert torch.allclose(torch.tensor(found), expected, atol=1e-6)


@pytest.mark.slow
def test_it_is_registered_with_a_server_and_loads_from_there(net, tmp_path, monkeypatch):
    server = Server(tmp_path)
    try:
        deliver(server.uri, night(fresh={1: 0.75}))
        (tmp_path / "model_card.md").write_text("# A card")
        found = register(server.uri, winners(server.uri, "night", 1), net, [tmp_path / "model_card.md"])
        assert (found.version, found.alias) == ("1", "champion")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
        loaded = mlflow.pyfunc.load_model(f"models:/{NAME}@champion")
    finally:
        server.kill()
    pixels = trained(2).parts.test.pixels[:5]
    assert np.allclose(loaded.predict(pixels.numpy()), net.predictor(pixels).numpy(), atol=1e-6)


@pytest.mark.slow
def test_it_is_served(place, net, tmp_path):
    place.add("one", {1: 0.75})
    port = free_port()
    command = ["models", "serve", "-m", f"models:/{NAME}@champion", "--env-manager", "local", "--port", str(port)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # the server starts uvicorn by its name
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *command],
        cwd=tmp_path,
        env=os.environ | {"MLFLOW_TRACKING_URI": place.uri, "PATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not answers(f"http://127.0.0.1:{port}/ping"):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
        pixels = trained(2).parts.test.pixels[:5]
        body = json.dumps({"inputs": pixels.tolist()}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.loads(answer.read())["predictions"]
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert torch.allclose(torch.tensor(found), net.predictor(pixels), atol=1e-6)


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=1).close()
    except (urllib.error.URLError, OSError):
        return False
    return True
