"""A user's own data: a folder of images by class, a CSV of paths and labels, or an .npz of images and labels.

Each may bring its own val and test. Without them, data.py takes them from the training images.
"""

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lt_core.images import Files, Images, Part, Sets
from lt_core.layouts import Row, by_folder, class_folders, listed
from lt_core.value import InputError

PARTS = ("train", "val", "test")


def read_folder(path: Path) -> Sets:
    """PATH/train/CLASS/*.png (or .jpg, ...), and val and test alike where they are there. Classes: sorted names."""
    hint = "an image folder has train/CLASS/*.png, and may have val/CLASS and test/CLASS"
    names = class_folders(path / "train", hint)
    val, test = (by_folder(path, part, names, hint) if (path / part).exists() else None for part in ("val", "test"))
    return Sets(by_folder(path, "train", names, hint), val, test, names)


def read_csv(path: Path) -> Sets:
    """A CSV with the columns `path` (relative to the CSV), `label` and, if wanted, `split` (train, val or test).

    Labels are names; their order is that of the numbers if all are whole numbers, else of the alphabet.
    """
    rows: dict[str, list[tuple[str, str, str]]] = {part: [] for part in PARTS}
    for where, row in _csv_rows(path):
        part = row.get("split", "train")
        if part not in rows:
            raise InputError(f"{where}: split is {part!r}; allowed: train, val, test")
        rows[part].append((where, row["path"], row["label"]))
    names = _ordered({label for _, _, label in rows["train"]})
    train, val, test = (_csv_part(path, rows[part], names) for part in PARTS)
    if train is None:
        raise InputError(f"{path} has no image to train on")
    return Sets(train, val, test, names)


def _csv_rows(path: Path) -> list[tuple[str, dict[str, str]]]:
    """Each row after the head as a mapping, with its place."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        raise InputError(f"data.path: there is no file {path}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        head = next(reader, [])
        if not {"path", "label"} <= set(head) <= {"path", "label", "split"} or len(set(head)) != len(head):
            raise InputError(f"{path} line 1: the columns must be path, label and, if wanted, split, not {head}")
        return [(f"{path} line {reader.line_num}", _csv_row(path, reader.line_num, head, row)) for row in reader if row]
    except csv.Error as error:
        raise InputError(f"{path} line {reader.line_num}: not valid CSV: {error}") from None


def _csv_row(path: Path, line: int, head: list[str], fields: list[str]) -> dict[str, str]:
    if len(fields) != len(head) or not all(fields):
        raise InputError(f"{path} line {line}: needs a value for each of {', '.join(head)}, but is {fields}")
    return dict(zip(head, fields, strict=True))


def _ordered(labels: set[str]) -> tuple[str, ...]:
    numbers = all(label.isascii() and label.isdecimal() for label in labels)
    return tuple(sorted(labels, key=(lambda label: (int(label), label)) if numbers else None))


def _csv_part(path: Path, rows: list[tuple[str, str, str]], names: tuple[str, ...]) -> Files | None:
    label = {name: c for c, name in enumerate(names)}
    for where, _, name in rows:
        if name not in label:
            raise InputError(f"{where}: the label {name!r} has no image to train on")
    return listed(path.parent, [Row(w, p, label[n]) for w, p, n in rows], str(path)) if rows else None


# --- .npz -------------------------------------------------------------------------------------------


def read_npz(path: Path) -> Sets:
    """Arrays of images, uint8 [N, H, W] or [N, H, W, channels], and whole-number labels, [N] or [N, 1].

    `images` and `labels`, with `split` [N] (train, val, test) if wanted; or `train_images` and `train_labels`, and the
    same for val and test, as MedMNIST has them. `class_names` (or `classes`) if wanted; without, the labels' numbers.
    """
    arrays = _npz_arrays(path)
    prefixes = ["train_", "val_", "test_"] if "train_images" in arrays else [""]
    parts = [_npz_images(path, arrays, prefix) for prefix in prefixes]
    train = parts[0]
    if train is None:
        raise InputError(f"{path} has no arrays `images` and `labels` (or `train_images` and `train_labels`)")
    names = _npz_names(path, arrays, [part for part in parts if part])
    if "split" in arrays and len(parts) == 1:
        return _by_split(path, arrays["split"], train, names)
    val, test = (*parts[1:], None, None)[:2]
    return Sets(train, val, test, names)


def _npz_arrays(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as opened, np.load(opened) as file:
            return {key: file[key] for key in file.files}
    except FileNotFoundError:
        raise InputError(f"data.path: there is no file {path}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError):
        raise InputError(f"cannot read {path}: it is damaged, no .npz, or holds Python objects") from None


def _npz_images(path: Path, arrays: dict[str, Any], prefix: str) -> Images | None:
    images, labels = (arrays.get(f"{prefix}{name}") for name in ("images", "labels"))
    if images is None or labels is None:
        return None
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise InputError(
            f"{path}: {prefix}images is {images.dtype} {list(images.shape)}, but must be uint8 [N, height, width] or "
            "[N, height, width, channels]"
        )
    if not images.size:
        raise InputError(f"{path}: {prefix}images is {list(images.shape)}, but must hold an image")
    if images.shape[1] != images.shape[2] or images[:1].shape[3:] not in ((), (1,), (3,)):
        raise InputError(f"{path}: {prefix}images is {list(images.shape)}, but must be square with 1 or 3 channels")
    if labels.dtype.kind not in "iu" or labels.size != len(images):
        raise InputError(
            f"{path}: {prefix}labels is {labels.dtype} {list(labels.shape)}, but must be {len(images)} whole numbers"
        )
    channels_first = images.reshape(*images.shape[:3], -1).transpose(0, 3, 1, 2)
    pixels = torch.from_numpy(np.ascontiguousarray(channels_first))
    return Images(pixels, torch.from_numpy(labels.reshape(-1).astype(np.int64)))


def _npz_names(path: Path, arrays: dict[str, Any], parts: list[Images]) -> tuple[str, ...]:
    """The classes' names; InputError for the first label out of their range."""
    named = arrays.get("class_names", arrays.get("classes"))
    classes = int(parts[0].labels.max()) + 1 if named is None else len(named)
    for part in parts:
        wrong = ((part.labels < 0) | (part.labels >= classes)).nonzero()
        if len(wrong):
            i = int(wrong[0])
            raise InputError(f"{path}: the label of image {i} is {int(part.labels[i])}; allowed: 0 to {classes - 1}")
    return tuple(str(name) for name in (range(classes) if named is None else named))


def _by_split(path: Path, split: np.ndarray, images: Images, names: tuple[str, ...]) -> Sets:
    unknown = [part for part in np.unique(split) if str(part) not in PARTS]
    if unknown or len(split) != len(images):
        said = f"holds {str(unknown[0])!r}; allowed: train, val, test" if unknown else f"has {len(split)} values"
        raise InputError(f"{path}: split {said} (images: {len(images)})")
    parts: list[Part | None] = [images[np.where(split == p)[0]] if (split == p).any() else None for p in PARTS]
    if parts[0] is None:
        raise InputError(f"{path}: split has no image to train on")
    return Sets(parts[0], parts[1], parts[2], names)
