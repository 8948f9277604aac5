import json
import shutil
import socket
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient
from recording import free_port

from tuning.record.tracking import TRIAL
from tuning.shell.environment import facts
from tuning.shell.home import Home
from tuning.verbs import doctor
from tuning.verbs.doctor import Finding, findings

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def home(tmp_path, uri):
    return Home(tmp_path, uri, tmp_path / "data")


@pytest.fixture
def no_ray(monkeypatch):
    """Without the check that starts Ray, which takes seconds."""
    monkeypatch.setattr(doctor, "_ray", lambda *given: iter(()))


def of(home, what, **given):
    found = findings(home, given.get("address"), given.get("store"))
    return [(finding.state, finding.says) for finding in found if finding.what == what]


def disk_with(free):
    """A disk of 1 TB with so many bytes free, whatever this machine's is."""
    usage = type(shutil.disk_usage("/"))
    return lambda path: usage(10**12, 10**12 - free, free)


@pytest.mark.usefixtures("no_ray")
def test_a_machine_that_is_well_is_told_so(home, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", disk_with(free=10**11))
    told = list(findings(home, None, None))
    assert [f for f in told if f.state == "fails"] == []
    assert {f.what for f in told if f.state == "ok"} >= {"Python", "torch", "disk", "MLflow", "data"}
    assert ("ok", "digits is complete") in of(home, "data")


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize("version", [("3", "10", "1"), ("3", "13", "0")])
def test_another_python_is_named(home, monkeypatch, version):
    monkeypatch.setattr(doctor.platform, "python_version_tuple", lambda: version)
    ((state, says),) = of(home, "Python")
    assert state == "fails" and says.endswith(", not 3.11 or 3.12")


@pytest.mark.usefixtures("no_ray")
def test_a_torchvision_of_another_build_is_named(home, monkeypatch):
    def refuse(name):
        raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(doctor.importlib, "import_module", refuse)
    assert of(home, "torch") == [("fails", "RuntimeError: operator torchvision::nms does not exist")]


@pytest.mark.usefixtures("no_ray")
def test_a_gpu_that_torch_does_not_see_is_named(home, monkeypatch, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'Tesla T4, 450.10'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    ((state, says),) = of(home, "GPU")
    assert state == "fails" and says.startswith("torch does not see Tesla T4, driver 450.10: ")


@pytest.mark.usefixtures("no_ray")
def test_a_full_disk_is_named(home, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", disk_with(free=10**8))
    (own, rays, full) = of(home, "disk")
    assert own[0] == "fails" and own[1].startswith("0.1 GB free for the home")
    assert rays[0] == "fails" and rays[1].startswith("0.1 GB free for Ray's files in")
    assert full[0] == "note" and "100% full" in full[1]


@pytest.mark.usefixtures("no_ray")
def test_a_large_disk_that_is_almost_full_is_noted(home, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", disk_with(free=30 * 10**9))
    assert [state for state, _ in of(home, "disk")] == ["ok", "ok", "note"]


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("http://u:s3cret@127.0.0.1:{port}", "http://***@127.0.0.1:{port} does not answer: Connection refused"),
        ("sqlite:////no/such/folder/mlflow.db", "/no/such/folder is no folder that can be written"),
    ],
)
def test_a_record_that_cannot_be_had_is_named(home, uri, says):
    port = free_port()
    ((state, said),) = of(Home(home.path, uri.format(port=port), home.data), "MLflow")
    assert state == "fails" and said.endswith(says.format(port=port)) and "s3cret" not in said


@pytest.mark.usefixtures("no_ray")
def test_a_record_whose_artifacts_find_no_place_is_named(home):
    home.artifacts.write_text("in the way")
    ((state, said),) = of(home, "MLflow")
    assert state == "fails" and "cannot be written" in said


@pytest.mark.usefixtures("no_ray")
def test_what_could_not_be_written_once_does_not_hinder_the_next_time(home):
    home.artifacts.write_text("in the way")
    assert [state for state, _ in of(home, "MLflow")] == ["fails"]
    assert [experiment.name for experiment in MlflowClient(home.tracking_uri).search_experiments()] == ["Default"]
    home.artifacts.unlink()
    assert [state for state, _ in of(home, "MLflow")] == ["ok"]


@pytest.mark.usefixtures("no_ray")
def test_an_experiment_that_an_earlier_doctor_left_is_used(home):
    MlflowClient(home.tracking_uri).create_experiment(TRIAL, (home.artifacts / TRIAL).as_uri())
    assert [state for state, _ in of(home, "MLflow")] == ["ok"]


@pytest.mark.usefixtures("no_ray")
def test_asking_twice_leaves_no_experiment(home):
    assert of(home, "MLflow") == of(home, "MLflow") == [("ok", f"{home.tracking_uri} takes runs and artifacts")]
    assert [experiment.name for experiment in MlflowClient(home.tracking_uri).search_experiments()] == ["Default"]


@pytest.mark.usefixtures("no_ray")
def test_a_dataset_is_whole_damaged_incomplete_or_not_there(home):
    absent = dict.fromkeys(("mnist", "cifar10", "cifar100", "imagenet", "egtea"))
    assert absent.items() <= doctor._datasets(home.data).items()
    raw = home.data / "MNIST" / "raw"
    raw.mkdir(parents=True)
    ((_, missing), *_) = [(s, says) for s, says in of(home, "data") if s == "fails"]
    assert missing.startswith("dataset mnist is missing: no file ")
    (raw / "train-images-idx3-ubyte").write_bytes(b"not these")
    ((_, damaged), *_) = [(s, says) for s, says in of(home, "data") if s == "fails"]
    assert damaged.startswith("dataset mnist is damaged: the MD5 of ")


def test_a_cluster_that_does_not_answer_is_named(home):
    port = free_port()
    ((state, says),) = of(home, "Ray", address=f"127.0.0.1:{port}")
    assert state == "fails" and says.startswith(f"no Ray cluster answers at `127.0.0.1:{port}`")


def test_nodes_with_other_versions_are_named():
    own = facts()
    assert doctor._versions("10.0.0.1", own) == Finding("versions", "ok", "node 10.0.0.1 has those of this machine")
    other = {**own, "torch": "1.0", "ray": "missing"}
    says = f"node 10.0.0.1: torch 1.0, here {own['torch']}; ray missing, here {own['ray']}"
    assert doctor._versions("10.0.0.1", other) == Finding("versions", "fails", says)


def test_nodes_that_lack_data_are_named():
    ours = {"digits": "", "mnist": "", "cifar10": None}
    whole, lacking = {"digits": "", "mnist": "", "cifar10": ""}, {"digits": "", "mnist": None, "cifar10": None}
    nodes: list[tuple[str, doctor.Datasets]] = [("a", whole), ("b", lacking)]
    (found,) = doctor._data_of_nodes(nodes, ours, Path("/data"))
    assert (found.state, found.says) == ("fails", "node b lacks mnist in /data, or has a damaged one")


@pytest.mark.slow
def test_the_command_says_each_thing_in_a_line_and_fails_where_something_would(lt):
    done = lt.run("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert all(line[:7].strip() in ("ok", "note") for line in lines)
    assert any(line.startswith("ok     Ray       starts on this machine, 1 node") for line in lines)
    assert any(line.startswith("ok     store") for line in lines)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = lt.run("doctor", "--json", "--store", "/proc/none", "--tracking-uri", uri)
    assert done.returncode == 1
    failing = {finding["what"]: finding["says"] for finding in json.loads(done.stdout) if finding["state"] == "fails"}
    assert failing.keys() == {"MLflow", "store"}
    assert "no answer within" in failing["MLflow"] and "cannot be written" in failing["store"]
