"""What a number depends on beside its config: the core's code and the numerics of the machine."""

import ast
import hashlib
from functools import cache
from pathlib import Path

import torch

from lt_core.config import TrainConfig


@cache
def core_id() -> str:
    """12 hexadecimal digits of this package's syntax trees without docstrings: comments and layout do not count."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        if path.name == "__init__.py":  # names and the version; no number depends on them
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                node.body = [s for i, s in enumerate(node.body) if i or not _is_docstring(s)]
        digest.update(f"{path.relative_to(Path(__file__).parent).as_posix()}\n{ast.dump(tree)}\n".encode())
    return digest.hexdigest()[:12]


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def numerics(config: TrainConfig, device: torch.device, threads: int) -> str:
    """Device, threads, precision and torch version: two runs that agree in them are equal bit for bit on a CPU."""
    if device.type == "cuda":
        where = torch.cuda.get_device_name(device)
    else:
        where = f"{device.type} {torch.backends.cpu.get_cpu_capability()} threads={threads}"
    return f"{where} {config.precision} torch={torch.__version__}"
