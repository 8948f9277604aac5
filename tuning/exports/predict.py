"""Images -> classes, from an exported model's file alone: neither ray, optuna nor mlflow is imported here."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from lt_core.layouts import ENDINGS
from lt_core.value import InputError
from lt_core.views import read_image, still_clip, still_image, to_pixels
from tuning.exports.program import About, read

MODEL = "model.pt2"
BATCH = 64
EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")  # modes --fit converts
MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True)
class Answer:
    """What became of one image: its likeliest classes with their probabilities, or why it was refused."""

    image: Path
    top: tuple[tuple[str, float], ...] = ()
    refused: str = ""


def predict(export: Path, images: list[Path], top: int, fit: bool, as_json: bool) -> int:
    """Print each image's classes; exit code 0, 1 where some images were refused, 2 where all were.

    export: an exported folder, or its model.pt2. images: files or folders. fit: resize and convert what does not fit.
    """
    file = export / MODEL if export.is_dir() else export
    if export.is_dir() and not file.exists():
        raise InputError(f"{export} holds no {MODEL}: it was exported with --no-model, or is no export")
    model, about = read(file)
    found = list(_found(images, about))
    answers = list(classify(model, about, found, top, fit))
    for answer in answers:
        if answer.refused:
            print(f"refused: {answer.refused}", file=sys.stderr)
    if as_json:
        print(json.dumps(_document(file, about, answers), indent=2))
    else:
        _print_table(answers)
    refused = sum(bool(answer.refused) for answer in answers)
    return 0 if not refused else 1 if refused < len(answers) else 2


def classify(
    model: torch.nn.Module, about: About, images: Sequence[Path], top: int = 3, fit: bool = False
) -> Iterator[Answer]:
    """The answer to each image, in order; an image that cannot be used does not stop the others."""
    for start in range(0, len(images), BATCH):
        paths = images[start : start + BATCH]
        read_or_refused = [_pixels_or_refusal(path, about, fit) for path in paths]
        pixels = [tensor for tensor in read_or_refused if isinstance(tensor, Tensor)]
        with torch.no_grad():
            probabilities = iter(model(torch.stack(pixels)) if pixels else ())
        for path, tensor in zip(paths, read_or_refused, strict=True):
            if isinstance(tensor, Tensor):
                yield Answer(path, top=_likeliest(next(probabilities), about.classes, top))
            else:
                yield Answer(path, refused=tensor)


def pixels(path: Path, about: About, fit: bool) -> Tensor:
    """One image or clip as the program takes it, uint8; InputError says in a sentence what is wrong with it."""
    if path.is_dir() and not any(path.glob("*.jpg")):
        raise InputError(f"the folder {path} holds no image; images end in {', '.join(sorted(ENDINGS))}")
    if about.sizing == "clip":
        return still_clip(path, len(list(path.glob("*.jpg"))), about.image_size)
    if about.sizing == "centre":
        return still_image(path, about.image_size)
    image = read_image(path, rgb=about.converts)
    if not about.converts:
        image = _in_mode(image, MODES[about.channels], path, fit)
    if image.size != (about.image_size, about.image_size) and about.sizing == "exact" and not fit:
        width, height = image.size
        size = about.image_size
        raise InputError(f"{path} is {width} x {height}; the model reads {size} x {size}: resize it, or give --fit")
    return to_pixels(image, about.image_size)


def _pixels_or_refusal(path: Path, about: About, fit: bool) -> Tensor | str:
    try:
        return pixels(path, about, fit)
    except InputError as error:
        return str(error)


def _in_mode(image: Image.Image, wanted: str, path: Path, fit: bool) -> Image.Image:
    """The image in the mode that the model reads, L (greyscale) or RGB."""
    if image.mode == wanted:
        return image
    if image.mode not in EIGHT_BITS:
        raise InputError(f"{path} has the mode {image.mode}; only images of 8 bits a channel can be read")
    if not fit:
        raise InputError(f"{path} has the mode {image.mode}; the model reads {wanted}: convert it, or give --fit")
    return image.convert(wanted)


def _found(given: Iterable[Path], about: About) -> Iterator[Path]:
    """The images that files and folders mean: of a folder all images below it, sorted; of clips their folders."""
    for path in given:
        if not path.is_dir() or (about.sizing == "clip" and any(path.glob("*.jpg"))):
            yield path
            continue
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in ENDINGS)
        yield from (sorted({p.parent for p in inside}) if about.sizing == "clip" else inside) or [path]


def _likeliest(probabilities: Tensor, classes: tuple[str, ...], top: int) -> tuple[tuple[str, float], ...]:
    values, indices = probabilities.topk(min(top, len(classes)))
    return tuple((classes[i], p) for i, p in zip(indices.tolist(), values.tolist(), strict=True))


# --- printing ---------------------------------------------------------------------------------------


def _document(file: Path, about: About, answers: list[Answer]) -> dict[str, object]:
    return {
        "model": str(file),
        "config_id": about.config_id,
        "images": [_entry(answer) for answer in answers if not answer.refused],
        "refused": [{"image": str(answer.image), "reason": answer.refused} for answer in answers if answer.refused],
    }


def _entry(answer: Answer) -> dict[str, object]:
    top = [{"class": name, "probability": probability} for name, probability in answer.top]
    return {"image": str(answer.image), **top[0], "top": top}


def _print_table(answers: list[Answer]) -> None:
    console = Console(width=None if sys.stdout.isatty() else 10_000, markup=False, highlight=False)
    table = Table(box=None, pad_edge=False)
    for head in ("image", "class", "probability", "next"):
        table.add_column(head, justify="right" if head == "probability" else "left", overflow="fold")
    for answer in answers:
        if not answer.refused:
            (name, probability), *others = answer.top
            rest = ", ".join(f"{name} {p:.3f}" for name, p in others)
            table.add_row(str(answer.image), name, f"{probability:.3f}", rest)
    if table.row_count:
        console.print(table)
