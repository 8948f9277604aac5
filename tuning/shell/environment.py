"""What a study ran with: Python, the machine, every package's version."""

import importlib.metadata
import os
import platform

import torch

from lt_core import __version__

NAMED = ("torch", "torchvision", "ray", "optuna", "mlflow")
WORKERS = ("torch", "torchvision", "ray", "numpy", "pydantic", "lazy_loader")


def versions() -> str:
    """The versions that matter, in one line."""
    packages = [f"{name} {importlib.metadata.version(name)}" for name in NAMED]
    return ", ".join([f"lt-tune {__version__}", *packages, f"Python {platform.python_version()}"])


def requirements() -> str:
    """Every package's version as pip reads it, below comments about Python and the machine."""
    cuda = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    head = [
        f"# Python {platform.python_version()} on {platform.platform()}",
        f"# {os.cpu_count()} CPUs; torch is built for {cuda}; GPUs: {', '.join(gpus) or 'none'}",
    ]
    found = {(d.metadata["Name"] or "").lower(): d.version for d in importlib.metadata.distributions()}
    return "\n".join(head + [f"{name}=={found[name]}" for name in sorted(found) if name]) + "\n"


def facts() -> dict[str, str]:
    """The versions that a trial's worker process needs, wherever it runs."""
    return {"Python": platform.python_version(), **{name: _version(name) for name in WORKERS}}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
