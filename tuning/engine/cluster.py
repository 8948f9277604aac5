"""Connecting to Ray, on this machine or on a cluster, and what its nodes can do."""

import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import grpc
import ray
from ray._private.grpc_utils import init_grpc_channel
from ray._private.utils import read_ray_address
from ray.exceptions import GetTimeoutError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import lt_core
import search_spaces
import tuning
from lt_core.value import InputError
from tuning.engine.capacity import Resources, needed
from tuning.log.store import Store
from tuning.shell.uris import without_secrets

ANSWER_SECONDS = 8
NODE_SECONDS = 60

T = TypeVar("T")


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Ray while the block runs: its own on this machine, or an existing cluster, to which our packages are shipped.

    InputError where the cluster cannot be used. `check_address` says earlier, and faster, whether it answers.
    """
    root = Path(__file__).parents[2]
    try:
        # Ray puts the present working directory first on its workers' path; a user's may hold a folder `tuning`.
        with contextlib.chdir(root):
            ray.init(
                address=address or "local",
                runtime_env=shipped_packages() if address else None,
                include_dashboard=False if address is None else None,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
            )
    except Exception as error:  # Ray raises that very class, too
        what = f"the Ray cluster at `{address}` cannot be used" if address else "Ray does not start on this machine"
        raise InputError(f"{what}: {(str(error) or type(error).__name__).splitlines()[0]}") from None
    try:
        # Ray tells of dead workers on stdout, which is for the tables, or the one document, that follow.
        with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        ray.shutdown()


def shipped_packages() -> dict[str, list[str]]:
    """Ray's runtime environment that takes our packages to nodes which have only their dependencies."""
    folders = [str(Path(package.__file__).parent) for package in (lt_core, search_spaces, tuning) if package.__file__]
    return {"py_modules": folders, "excludes": ["**/__pycache__"]}


def waiting(needs: Resources) -> str:
    """What a user should know where no node of a cluster can hold a trial now, '' where one can."""
    return unmet(needed(needs), [node["Resources"] for node in ray.nodes() if node["Alive"]])


def unmet(needs: Mapping[str, float], nodes: Sequence[Mapping[str, float]]) -> str:
    """What a trial needs and what the nodes have, by resource, in words; '' where one of them can hold it."""
    if any(all(amount <= node.get(name, 0) for name, amount in needs.items()) for node in nodes):
        return ""
    asked = " and ".join(f"{amount:g} {name}" for name, amount in needs.items() if amount)
    kinds = dict.fromkeys(" and ".join(f"{node.get(name, 0):g} {name}" for name in ("CPU", "GPU")) for node in nodes)
    return f"a trial needs {asked}, but the cluster's nodes have {', or '.join(kinds)}: trials wait for one that has it"


def check_nodes() -> None:
    """ConnectionError where no node of Ray's is left: it would wait for one for ever."""
    if not any(node["Alive"] for node in ray.nodes()):
        raise ConnectionError("Ray has lost its last node")


def check_store(store: str) -> None:
    """InputError where a checkpoint store cannot be written here, or another node cannot read what was written.

    Nodes that come later are asked when a trial starts there.
    """
    name = f"probe-{secrets.token_hex(4)}"
    try:
        Store(store).write(name, b"readable")
    except (OSError, ValueError) as error:  # pyarrow's are of both kinds
        said = without_secrets(f"the checkpoint store {store} cannot be written: {error}")  # pyarrow's name it, too
        raise InputError(said.splitlines()[0]) from None
    try:
        for node in _other_nodes():
            if not _reads(store, name, node["NodeID"]):
                raise InputError(unshared(store, node["NodeManagerAddress"]))
    finally:
        Store(store).delete(name)


def _other_nodes() -> list[dict[str, Any]]:
    here = ray.get_runtime_context().get_node_id()
    return [node for node in ray.nodes() if node["Alive"] and node["NodeID"] != here]


def unshared(store: str, node: str) -> str:
    """What is wrong with a checkpoint store that a node does not share."""
    return (
        f"the checkpoint store {without_secrets(store)} is not readable on node {node}: "
        "give --store a folder that all nodes share, or a URI such as s3://bucket/folder"
    )


def _reads(store: str, name: str, node_id: str) -> bool:
    @ray.remote(num_cpus=0)
    def readable() -> bool:
        try:
            return Store(store).read(name) is not None
        except (OSError, ValueError):
            return False

    try:
        return ray.get(readable.options(scheduling_strategy=_on(node_id)).remote(), timeout=NODE_SECONDS)
    except GetTimeoutError:
        return False


def on_every_node(function: Callable[[], T]) -> list[tuple[str, T]]:
    """The address of each node that is up, and what a function gives there."""

    @ray.remote(num_cpus=0)
    def asked() -> T:
        return function()

    nodes = [node for node in ray.nodes() if node["Alive"]]
    found = [asked.options(scheduling_strategy=_on(node["NodeID"])).remote() for node in nodes]
    values = ray.get(found, timeout=NODE_SECONDS)
    return list(zip([node["NodeManagerAddress"] for node in nodes], values, strict=True))


def _on(node_id: str) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node_id=node_id, soft=False)


def check_address(address: str | None) -> None:
    """InputError within 10 s where an address is not one to connect to, or nothing answers there."""
    if address is None:
        return
    if address.startswith("ray://"):
        raise InputError(
            f"--address {address} is a Ray client address, through which a search would end with the connection: "
            "run it on the cluster with `lt-tune submit search ...`"
        )
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or read_ray_address()
    if address is None:
        raise InputError("--address auto: no Ray cluster runs on this machine")
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise InputError(f"--address `{address}` is not an address: give `auto` or HOST:PORT")
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"no Ray cluster answers at `{address}`: {error}") from None
    channel: Any = init_grpc_channel(address)
    try:
        grpc.channel_ready_future(channel).result(ANSWER_SECONDS)  # ray.init would wait for ever
    except grpc.FutureTimeoutError:
        raise InputError(f"what answers at `{address}` is not a Ray cluster") from None
    finally:
        channel.close()
