import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import ray
import yaml
from conftest import OURS, SECONDS, workers
from jsonschema import ValidationError

import tuning.engine.cluster
from lt_core import InputError

ROOT = Path(__file__).parent.parent
HIDING = ["unshare", "--map-root-user", "--mount"]  # a mount that one process tree alone sees


# --- cluster.yaml -----------------------------------------------------------------------------------


def definition():
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())


def validated(config):
    from ray.autoscaler._private.util import prepare_config, validate_config

    prepared = prepare_config(config)
    validate_config(prepared)
    return prepared


def test_ray_accepts_the_definition():
    config = validated(definition())
    types = config["available_node_types"]
    head = types.pop(config["head_node_type"])
    assert head["resources"]["CPU"] == 0
    assert all(node["min_workers"] == 0 < node["max_workers"] for node in types.values())
    assert any(node["resources"].get("GPU") for node in types.values())
    assert any(not node["resources"].get("GPU") for node in types.values())
    assert sum(node["max_workers"] for node in types.values()) <= config["max_workers"]


def test_every_node_has_the_tested_versions():
    config = validated(definition())
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    images = [config["docker"]["image"], config["docker"]["head_image"]]
    images += [t["docker"]["worker_image"] for t in config["available_node_types"].values() if "docker" in t]
    assert all(image.startswith(f"rayproject/ray:{pins['ray']}-py311-") for image in images)
    for commands in (config["head_setup_commands"], config["worker_setup_commands"]):
        assert any("--constraint /home/ray/lt-tune/constraints.txt" in command for command in commands)
        assert not any("ray-wheels" in command for command in commands)


def test_no_node_is_left_to_guess_how_to_authenticate():
    config = validated(definition())
    assert "--env RAY_AUTH_MODE=disabled" in config["docker"]["run_options"]
    for commands in (config["head_start_ray_commands"], config["worker_start_ray_commands"]):
        (start,) = [command for command in commands if "ray start" in command]
        assert start.startswith("export RAY_AUTH_MODE=disabled; ")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["max_worker"], 3),
        (["max_workers"], "many"),
        (["docker", "imagge"], "x"),
        (["available_node_types", "gpu", "max_worker"], 3),
        (["available_node_types", "gpu", "resources"], {"GPU": "one"}),
        (["available_node_types", "gpu", "min_workers"], 99),
        (["head_node_type"], "haed"),
        (["idle_timeout_minutes"], "ten"),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, list) else None,
)
def test_a_slip_in_the_definition_would_be_seen(path, value):
    config = node = definition()
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    with pytest.raises((ValidationError, ValueError)):
        validated(config)


# --- addresses that are no cluster's ----------------------------------------------------------------


def free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def test_an_address_that_does_not_answer_is_refused(refused):
    (port,) = free_ports(1)
    assert f"no Ray cluster answers at `127.0.0.1:{port}`" in refused(
        "search", "demo", "--address", f"127.0.0.1:{port}"
    )


def test_what_answers_but_is_no_cluster_is_refused_soon(refused, monkeypatch):
    monkeypatch.setattr(tuning.engine.cluster, "ANSWER_SECONDS", 1)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        started = time.monotonic()
        said = refused("search", "demo", "--address", address)
    assert said == f"what answers at `{address}` is not a Ray cluster"
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("address", ["nowhere", "head:", "head:ray", "127.0.0.1:99999", "no.such.host.invalid:6379"])
def test_what_is_no_address_is_refused(refused, address):
    assert f"`{address}`" in refused("search", "demo", "--address", address)


def test_a_client_address_is_refused_and_the_way_on_named(refused):
    assert "lt-tune submit search" in refused("search", "demo", "--address", "ray://127.0.0.1:10001")


# --- what the nodes can hold ------------------------------------------------------------------------


def test_nothing_is_said_where_a_node_can_hold_a_trial():
    assert tuning.engine.cluster.unmet({"CPU": 1, "GPU": 0}, [{}, {"CPU": 2}]) == ""
    assert tuning.engine.cluster.unmet({"CPU": 4, "GPU": 0.5}, [{"CPU": 4, "GPU": 1}]) == ""


def test_what_no_node_can_give_is_said_though_all_together_could():
    assert tuning.engine.cluster.unmet({"CPU": 3, "GPU": 0.5}, [{"CPU": 2}, {"CPU": 2}, {}]) == (
        "a trial needs 3 CPU and 0.5 GPU, but the cluster's nodes have 2 CPU and 0 GPU, or 0 CPU and 0 GPU: "
        "trials wait for one that has it"
    )


# --- two nodes, the second without our packages -----------------------------------------------------


@dataclass
class Head:
    """A head node that trains nothing, and what a second node is started with."""

    address: str
    dashboard: str
    process: psutil.Process
    python: Path  # of the second node
    elsewhere: Path  # where that one is started
    hidden: Path  # a folder whose content it does not see
    hides: bool

    def second(self) -> psutil.Process:
        """Start the second node."""
        hide = [*HIDING, "sh", "-c", f'mount -t tmpfs none "{self.hidden}" && exec "$@"', "sh"] if self.hides else []
        (agent,) = free_ports(1)
        options = (f"--address={self.address}", "--num-cpus=2", f"--dashboard-agent-listen-port={agent}", *WORKER_PORTS)
        return start_node(self.python, self.elsewhere, self.elsewhere / "log", *options, within=hide)


@dataclass
class Cluster:
    head: Head
    second: psutil.Process

    @property
    def address(self) -> str:
        return self.head.address


WORKER_PORTS = ("--min-worker-port=0", "--max-worker-port=0", "--node-ip-address=127.0.0.1")


def start_node(python: Path, folder: Path, log: Path, *options: object, within: list[str]) -> psutil.Process:
    """`ray start`, as an administrator types it on a machine."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith((*OURS, "PYTHON", "VIRTUAL_ENV"))}
    clean["PATH"] = f"{python.parent}{os.pathsep}{clean['PATH']}"
    command = [str(python), "-m", "ray.scripts.scripts", "start", "--block", *map(str, options)]
    with log.open("w") as output:
        started = subprocess.Popen(
            [*within, *command],
            cwd=folder,
            env=clean | {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + SECONDS
    while "Ray runtime started" not in log.read_text():
        assert started.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    started.returncode = 0  # psutil waits for it, not this object
    return psutil.Process(started.pid)


def end_node(node: psutil.Process) -> None:
    everything = [node, *node.children(recursive=True)]
    node.terminate()
    _, alive = psutil.wait_procs(everything, timeout=20)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=10)


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    folder = tmp_path_factory.mktemp("cluster")
    hidden, elsewhere = folder / "hidden", folder / "elsewhere"
    hidden.mkdir()
    elsewhere.mkdir()
    short = tempfile.mkdtemp(prefix="lt-")  # Ray's sockets need short paths
    port, dashboard, agent, client = free_ports(4)

    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "other"], check=True)
    python = folder / "other" / "bin" / "python"
    (packages,) = (folder / "other" / "lib").glob("python*/site-packages")
    (packages / "theirs.pth").write_text(f"{Path(ray.__file__).parents[1]}\n")
    hides = not subprocess.run([*HIDING, "true"], capture_output=True, check=False).returncode

    options = ("--head", f"--port={port}", "--num-cpus=0", f"--temp-dir={short}", f"--dashboard-port={dashboard}")
    agents = (f"--dashboard-agent-listen-port={agent}", f"--ray-client-server-port={client}")
    node = start_node(Path(sys.executable), folder, folder / "log", *options, *agents, *WORKER_PORTS, within=[])
    addresses = (f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard}")
    yield Head(*addresses, node, python, elsewhere, hidden, hides)
    end_node(node)
    shutil.rmtree(short, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(head: Head) -> Iterator[Cluster]:
    second = head.second()
    yield Cluster(head, second)
    end_node(second)


@pytest.mark.slow
def test_a_search_waits_for_a_node_and_refuses_it_where_it_does_not_share_the_store(head, lt):
    """No node can hold a trial yet: it says so once. The one that comes sees an empty folder in the store's place."""
    if not head.hides:
        pytest.skip("no private mounts here")
    store = head.hidden / "store"
    study = ("search", "demo", "--epochs", 3, "--trials", 1, "--confirm", 0, "--name", "late")
    process = lt.start(*study, "--address", head.address, "--store", store)
    lt.until(process, lambda: lt.events("late", "Asked"))
    second = head.second()
    try:
        out, err = process.communicate(timeout=SECONDS)
    finally:
        end_node(second)
    assert (process.returncode, out) == (2, "")
    (waits,) = [line for line in err.splitlines() if "wait" in line]
    assert waits == (
        "note: a trial needs 1 CPU, but the cluster's nodes have 0 CPU and 0 GPU: trials wait for one that has it"
    )
    (said,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert f"the checkpoint store {store} is not readable on node " in said and "--store" in said
    assert [event["event"] for event in lt.events("late")] == ["Started", "Asked", "Ended"]


def test_trials_run_on_a_node_that_has_neither_our_packages_nor_our_folder(cluster, lt):
    command = [cluster.head.python, "-c", "import lt_core"]
    alone = subprocess.run(command, cwd=cluster.head.elsewhere, capture_output=True, text=True, check=False)
    assert "No module named 'lt_core'" in alone.stderr

    options = ("--trials", 3, "--epochs", 6, "--confirm", 0)
    process = lt.start("search", "demo", "--address", cluster.address, *options, "--json")
    lt.until(process, lambda: workers(cluster.second))
    assert not workers(cluster.head.process)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    runs = lt.runs("trial")
    assert [(r.info.status, r.data.tags["lt.stop_reason"]) for r in runs] == [("FINISHED", "finished")] * 3
    assert [list(lt.series(run, "val_acc")) for run in runs] == [[1, 2, 3, 4, 5, 6]] * 3
    assert '"state": "finished"' in out


@pytest.mark.parametrize("store", ["ftp://key:s3cret@host/x", "/proc/none?token=s3cret"])
def test_no_secret_of_a_store_is_shown(store):
    with pytest.raises(InputError, match="cannot be written") as caught:
        tuning.engine.cluster.check_store(store)
    assert "s3cret" not in str(caught.value) + tuning.engine.cluster.unshared(store, "10.0.0.1")


@pytest.mark.slow
def test_a_submitted_search_runs_on_the_cluster(cluster, lt):
    """As a job whose driver is on the head; its entry point is the `python` that the head was started with."""
    options = ("--trials", 1, "--epochs", 4, "--confirm", 0, "--home", lt.home)
    there = ("--address", cluster.head.dashboard)
    done = lt.run("submit", *there, "search", "demo", *options)
    assert done.returncode == 0, done.stderr
    job = done.stdout.split()[0]
    assert f"lt-tune logs {job} --follow --address {cluster.head.dashboard}" in done.stdout
    followed = lt.run("logs", job, "--follow", *there)
    assert followed.returncode == 0 and "Leaderboard" in followed.stdout, followed.stderr
    assert lt.run("logs", job, *there).stdout == followed.stdout
    assert [(r.info.status, r.data.tags["lt.stop_reason"]) for r in lt.runs("trial")] == [("FINISHED", "finished")]
    (listed,) = [each for each in json.loads(lt.run("status", *there, "--json").stdout) if each["id"] == job]
    assert listed["state"] == "SUCCEEDED" and listed["command"].startswith("lt-tune search demo --trials 1")
    assert listed["started"] < listed["ended"]
    unknown = lt.run("logs", "no-such-job", *there)
    assert unknown.returncode == 2 and "there is no job no-such-job at " in unknown.stderr


@pytest.mark.slow
def test_a_job_that_is_stopped_ends_in_order(cluster, lt):
    there = ("--address", cluster.head.dashboard)
    options = ("--name", "long", "--trials", 1, "--epochs", 4000, "--confirm", 0, "--home", lt.home)
    job = lt.run("submit", *there, "search", "demo", *options).stdout.split()[0]
    followed = lt.start("logs", job, "--follow", *there)
    lt.until(followed, lambda: len(lt.events("long", "EpochDone")) > 3)
    done = lt.run("stop", job, *there)
    assert done.returncode == 0 and done.stdout.split()[:2] == [job, "stopped"], done.stderr
    assert lt.events("long")[-1]["event"] == "Ended" and lt.events("long")[-1]["stop_reason"] == "interrupted"
    assert {run.info.status for run in lt.runs()} == {"KILLED"}
    assert "go on: lt-tune search demo --name long --resume --address auto" in followed.communicate(timeout=SECONDS)[0]


@pytest.mark.slow
def test_the_doctor_looks_at_every_node(cluster, lt):
    done = lt.run("doctor", "--address", cluster.address, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = [finding for finding in json.loads(done.stdout) if finding["what"] in ("Ray", "versions", "store")]
    assert [finding["what"] for finding in told] == ["Ray", "versions", "versions", "store"]
    assert told[0]["says"] == f"the cluster at {cluster.address} answers, 2 nodes"


def test_a_store_that_another_node_cannot_read_is_refused(cluster, lt):
    if not cluster.head.hides:
        pytest.skip("no private mounts here")
    (cluster.head.hidden / "ours").touch()
    store = cluster.head.hidden / "store"
    done = lt.run("search", "demo", "--address", cluster.address, "--store", store)
    assert (done.returncode, done.stdout) == (2, "")
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert f"the checkpoint store {store} is not readable on node " in said and "--store" in said
    assert not (lt.home / "studies").exists()
