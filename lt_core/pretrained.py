"""Weights of a network from a file: a state dict, as torchvision and the Kinetics models of 3D-ResNets ship them.

Not here: downloading. Only tensors are read, so a file cannot run code.
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from lt_core.heads import BodyAndHead
from lt_core.value import InputError


def load_weights(model: BodyAndHead, file: str, root: Path | None) -> None:
    """Take over a file's weights: the body's, and the classifier's (`fc`) where it has the same shape.

    file: relative to `root`, the data folder, or absolute. The state dict may stand under the key `state_dict` and
    its names may begin with `module.` (Kinetics). For grey images the first convolution's weights are summed over
    the colours, as if the image were given three times. InputError names the file, and what does not fit.
    """
    path = (root or Path()) / file
    state = _read(path)
    head = {name.removeprefix("fc."): tensor for name, tensor in state.items() if name.startswith("fc.")}
    body = {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}
    if "conv1.weight" in body and model.body.state_dict()["conv1.weight"].shape[1] == 1:
        body["conv1.weight"] = body["conv1.weight"].sum(1, keepdim=True)
    _load(model.body, body, path)
    if _shapes(head) == _shapes(model.classifier.state_dict()):
        model.classifier.load_state_dict(head)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(f"there is no weights file {path}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle raises anything
        raise InputError(f"weights file {path} cannot be read: it is damaged or not torch's ({_line(error)})") from None
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise InputError(f"weights file {path} holds no state dict: it must map names to tensors")
    return {str(name).removeprefix("module."): tensor for name, tensor in state.items()}


def _load(body: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Strictly: every tensor of the body must be there, in its shape, and no other."""
    own, given = _shapes(body.state_dict()), _shapes(state)
    for name, shape in own.items():
        if name not in given:
            raise InputError(f"weights file {path} does not fit the network: it has no `{name}`")
        if given[name] != shape:
            raise InputError(f"weights file {path} does not fit the network: `{name}` is {given[name]}, not {shape}")
    for name in given.keys() - own.keys():
        raise InputError(f"weights file {path} does not fit the network, which has no `{name}`")
    body.load_state_dict(dict(state))


def _shapes(state: Mapping[str, Tensor]) -> dict[str, list[int]]:
    """Shapes by name, without the batch counters, which older files do not have."""
    return {name: list(tensor.shape) for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
