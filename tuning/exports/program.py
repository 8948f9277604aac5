"""A trained network as one file: the exported program `model.pt2`, and what it says of itself.

Its graph is torch's own (torch.export) and holds the normalisation and the softmax: uint8 pixels in, probabilities out,
any number of images. Loading it needs torch, and neither ray, optuna nor mlflow.
"""

import importlib.util
import json
import zipfile
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from lt_core.predictor import Predictor
from lt_core.sources import SOURCES
from lt_core.train import Run
from lt_core.value import InputError, Value
from lt_core.views import FRAMES

ABOUT = "lt-tune.json"  # its name inside model.pt2


class About(Value):
    """What a program takes and gives.

    classes: their names, in the order of the probabilities.
    sizing: how an image gets the height and width `image_size`: `exact`, it must have them; `squeezed`, resized to a
        square; `centre`, the shorter side resized to 8/7 of it, then the centre; `clip`, the middle frame of each of
        10 segments, centre crop. Evaluation read its images the same way.
    converts: whether images of any mode become RGB; otherwise they must have the right one.
    """

    config_id: str
    classes: tuple[str, ...]
    channels: int
    image_size: int
    sizing: Literal["exact", "squeezed", "centre", "clip"]
    converts: bool

    @classmethod
    def of(cls, run: Run) -> "About":
        """What the program of a run takes and gives."""
        data, clips = run.config.data, run.config.model.clips
        sizing = "clip" if clips else "centre" if data.streams else "squeezed" if data.image_size else "exact"
        return cls(
            config_id=run.config.id,
            classes=run.parts.class_names,
            channels=run.parts.channels,
            image_size=run.parts.image_size,
            sizing=sizing,
            converts=SOURCES[data.name].files,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one image or clip."""
        frames = (FRAMES,) if self.sizing == "clip" else ()
        return (self.channels, *frames, self.image_size, self.image_size)


def write(predictor: Predictor, about: About, path: Path) -> None:
    """Write `model.pt2`. The predictor must be on the CPU, where its program will run unless it is moved."""
    program = torch.export.export(predictor, (_example(about),), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, path, extra_files={ABOUT: about.model_dump_json()})


def read(path: Path) -> tuple[nn.Module, About]:
    """The program and what it says of itself; InputError where the file is none of ours, or damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                raise InputError(f"{path} is damaged")
            said = next((archive.read(name) for name in archive.namelist() if name.endswith(f"/{ABOUT}")), None)
    except (OSError, zipfile.BadZipFile) as error:
        why = "it is damaged, or no exported program" if isinstance(error, zipfile.BadZipFile) else error.strerror
        raise InputError(f"{path} cannot be read: {why}") from None
    if said is None:
        raise InputError(f"{path} was not written by lt-tune export: it does not say what it takes")
    return torch.export.load(path).module(), About.parse(json.loads(said))


def has_onnx() -> bool:
    """Whether what torch needs to write ONNX is installed."""
    return all(importlib.util.find_spec(package) is not None for package in ("onnx", "onnxscript"))


def write_onnx(predictor: Predictor, about: About, path: Path) -> None:
    """Write the same as ONNX; `has_onnx` says whether that is possible here."""
    program = torch.onnx.export(
        predictor,
        (_example(about),),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        input_names=["pixels"],
        output_names=["probabilities"],
        verbose=False,
    )
    assert program is not None
    program.model.metadata_props[ABOUT] = about.model_dump_json()
    program.save(path)


def _example(about: About) -> torch.Tensor:
    """Two images: one would make the batch dimension a constant."""
    return torch.zeros((2, *about.shape), dtype=torch.uint8)
