"""What would fail, before it does: Python and torch, the GPU, Ray, the record, the data, disks, a cluster's nodes."""

import importlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import starmap
from pathlib import Path
from typing import Literal

import torch

from lt_core.sources import SOURCES
from lt_core.value import InputError
from tuning.engine import cluster
from tuning.record.tracking import check_writes
from tuning.shell.environment import facts
from tuning.shell.home import Home
from tuning.shell.uris import without_secrets

PYTHON = ((3, 11), (3, 12))
FREE_GB = 1.0  # below which checkpoints and the record may find no room
FULL = 0.95  # of the disk that Ray writes to, above which it moves nothing there from memory
Datasets = dict[str, str | None]
BY_HAND = ("folder", "csv", "npz")  # the user's own data, which no name finds


@dataclass(frozen=True)
class Finding:
    """What was looked at, whether it is good (`note`: no hindrance, but to be known), and what was found."""

    what: str
    state: Literal["ok", "note", "fails"]
    says: str


def findings(home: Home, address: str | None, store: str | None) -> Iterator[Finding]:
    """Look at one thing after the other. Nothing is left but what MLflow keeps of an experiment that is deleted."""
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "Python": _python,
        "torch": _torch,
        "GPU": _gpu,
        "disk": partial(_disks, home),
        "MLflow": partial(_mlflow, home),
        "data": partial(_data, home),
        "Ray": partial(_ray, address, store, home),
    }
    for what, check in checks.items():
        try:
            yield from check()
        except InputError as error:
            yield Finding(what, "fails", str(error))
        except Exception as error:  # whatever it is: it is what would have come later
            yield Finding(what, "fails", f"{type(error).__name__}: {without_secrets(str(error))}".splitlines()[0])


def _python() -> Iterator[Finding]:
    known = " or ".join(f"{major}.{minor}" for major, minor in PYTHON)
    good = tuple(map(int, platform.python_version_tuple()[:2])) in PYTHON
    yield Finding("Python", "ok" if good else "fails", platform.python_version() + ("" if good else f", not {known}"))


def _torch() -> Iterator[Finding]:
    """Whether torch and torchvision fit together: of two builds they do not, and importing the second fails."""
    importlib.import_module("torchvision.ops")
    torchvision = importlib.import_module("torchvision")
    yield Finding("torch", "ok", f"{torch.__version__} with torchvision {torchvision.__version__}")


def _gpu() -> Iterator[Finding]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for number in range(count):
        torch.ones(64, 64, device=f"cuda:{number}").matmul(torch.ones(64, 64, device=f"cuda:{number}")).sum().item()
        free, total = (size / 2**30 for size in torch.cuda.mem_get_info(number))
        yield Finding("GPU", "ok", f"{torch.cuda.get_device_name(number)}, {free:.0f} of {total:.0f} GiB free")
    if count:
        return
    cards = _cards()
    if cards:
        why = str(said[0].message).splitlines()[0] if said else f"torch is built for CUDA {torch.version.cuda}"
        yield Finding("GPU", "fails", f"torch does not see {cards}: {why}")
    else:
        yield Finding("GPU", "note", "none: trials train on the CPU")


def _cards() -> str:
    """The GPUs that the driver knows, and its version; '' where there is no driver."""
    if shutil.which("nvidia-smi") is None:
        return ""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return (
        "; ".join(line.replace(", ", ", driver ") for line in found.stdout.splitlines()) if not found.returncode else ""
    )


def _disks(home: Home) -> Iterator[Finding]:
    yield _free(home.path, "the home")
    scratch = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir())
    yield _free(scratch, "Ray's files in")
    used = shutil.disk_usage(scratch)
    full = 1 - used.free / used.total
    if full > FULL:
        says = f"{scratch} is {full:.0%} full: above {FULL:.0%} Ray warns, and fails where its memory does not suffice"
        yield Finding("disk", "note", says)


def _free(folder: Path, of: str) -> Finding:
    free = shutil.disk_usage(folder).free / 1e9
    return Finding("disk", "ok" if free >= FREE_GB else "fails", f"{free:.1f} GB free for {of} {folder}")


def _mlflow(home: Home) -> Iterator[Finding]:
    check_writes(home.tracking_uri, home.artifacts)
    yield Finding("MLflow", "ok", f"{without_secrets(home.tracking_uri)} takes runs and artifacts")


def _data(home: Home) -> Iterator[Finding]:
    """Each dataset whole, by its checksums where it has some; those that are not there are named together."""
    found = _datasets(home.data)
    for name, lacks in found.items():
        if lacks is not None:
            yield Finding("data", "fails" if lacks else "ok", lacks or f"{name} is complete")
    absent = [name for name, lacks in found.items() if lacks is None]
    if absent:
        yield Finding("data", "note", f"not in {home.data}: {', '.join(absent)}")


def _datasets(root: Path) -> Datasets:
    """What is wrong with each dataset of a data folder: '' for one that is whole, None for one that is not there."""
    found: Datasets = {}
    for name in [name for name in SOURCES if name not in BY_HAND]:
        try:
            SOURCES[name].load(root)
            found[name] = ""
        except InputError as error:
            found[name] = None if _is_absent(name, root, str(error)) else str(error)
    return found


def _is_absent(name: str, root: Path, said: str) -> bool:
    """Whether nothing of a dataset is there, rather than a part of it."""
    file = re.search(r"no file (\S+);", said)
    folder = Path(file[1]).parent if file else root / SOURCES[name].home
    return not folder.is_dir()


def _ray(address: str | None, store: str | None, home: Home) -> Iterator[Finding]:
    cluster.check_address(address)
    place = store or str(home.path)
    with cluster.connected(address):  # where nothing can be printed
        nodes, refusal = cluster.on_every_node(facts), _refusal(place)
        data = cluster.on_every_node(partial(_datasets, home.data)) if address else []
    where = f"the cluster at {address} answers" if address else "starts on this machine"
    yield Finding("Ray", "ok", f"{where}, {len(nodes)} node{'' if len(nodes) == 1 else 's'}")
    yield from starmap(_versions, nodes)
    yield from _data_of_nodes(data, _datasets(home.data) if address else {}, home.data)
    shared = f"{without_secrets(place)} is written here and read by every node"
    yield Finding("store", "fails" if refusal else "ok", refusal or shared)


def _data_of_nodes(theirs: list[tuple[str, Datasets]], ours: Datasets, root: Path) -> Iterator[Finding]:
    """Whether every node has the datasets that are whole here, in a folder of the same name."""
    for node, found in theirs:
        lacking = [name for name, lacks in ours.items() if lacks == "" and found[name] != ""]
        if lacking:
            yield Finding("data", "fails", f"node {node} lacks {', '.join(lacking)} in {root}, or has a damaged one")


def _refusal(store: str) -> str:
    """Why the nodes cannot share a checkpoint store, '' where they can."""
    try:
        cluster.check_store(store)
    except InputError as error:
        return str(error)
    return ""


def _versions(node: str, theirs: dict[str, str]) -> Finding:
    """Whether a node has this machine's versions: whether anything runs there, and its numbers, depend on them."""
    differ = [f"{name} {theirs[name]}, here {own}" for name, own in facts().items() if theirs[name] != own]
    says = f"node {node}: {'; '.join(differ)}" if differ else f"node {node} has those of this machine"
    return Finding("versions", "fails" if differ else "ok", says)
