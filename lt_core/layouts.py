"""The official layouts of datasets that lie in image files: folders by class, text lists, COCO JSON, EGTEA's splits.

Each reader gives Files and decodes nothing. What is wrong is told with the file and the line (JSON: the entry).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from lt_core.images import Files, Sets
from lt_core.value import InputError

ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}


class Row(NamedTuple):
    """One image of a list: where it is written, its path relative to the data folder, its class."""

    where: str
    path: str
    label: int


def listed(folder: Path, rows: list[Row], what: str) -> Files:
    """The images of a list; InputError for the first that is no file, and for an empty list."""
    if not rows:
        raise InputError(f"{what} has no image")
    sizes = tuple(_size(folder / row.path, row.where) for row in rows)
    return Files(folder, tuple(row.path for row in rows), torch.tensor([row.label for row in rows]), sizes)


def _size(path: Path, where: str) -> int:
    try:
        return path.stat().st_size
    except OSError:
        raise InputError(f"{where}: there is no file {path}") from None


def lines(path: Path, hint: str) -> Iterator[tuple[str, str]]:
    """The lines of a text file that are not blank, each with its place; InputError where the file is missing."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        raise InputError(f"there is no file {path}: {hint}") from None
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield f"{path} line {number}", line


def number(text: str, where: str, what: str, low: int, high: int) -> int:
    """A whole number from low to high; InputError says what it is and where it stands."""
    if not (text.isascii() and text.isdecimal()):
        raise InputError(f"{where}: {what} is {text!r}, but must be a whole number from {low} to {high}")
    if not low <= int(text) <= high:
        raise InputError(f"{where}: {what} is {text}; allowed: {low} to {high}")
    return int(text)


# --- folders by class -------------------------------------------------------------------------------


def class_folders(folder: Path, hint: str) -> tuple[str, ...]:
    """The names of the classes: a folder's subfolders, sorted."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}: {hint}")
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not names:
        raise InputError(f"{folder} has no subfolder: {hint}")
    return tuple(names)


def by_folder(root: Path, part: str, names: tuple[str, ...], hint: str, below: str = "") -> Files:
    """The images in root/part/CLASS/below, class after class, sorted by name."""
    label = {name: c for c, name in enumerate(names)}
    rows = []
    for name in class_folders(root / part, hint):
        if name not in label:
            raise InputError(f"{root / part / name}: the class {name} is not among the folders of {root / 'train'}")
        inner = f"{part}/{name}/{below}" if below and (root / part / name / below).is_dir() else f"{part}/{name}"
        files = sorted(path.name for path in (root / inner).iterdir() if path.suffix.lower() in ENDINGS)
        rows += [Row(str(root / inner), f"{inner}/{file}", label[name]) for file in files]
    return listed(root, rows, str(root / part))


def imagenet(root: Path) -> Sets:
    """ImageNet's 2012 train/WNID and val/WNID; val is the test part. Label: the place among the sorted wnids."""
    hint = "ImageNet (image-net.org) is filed as train/WNID/*.JPEG and val/WNID/*.JPEG"
    names = class_folders(root / "train", hint)
    return Sets(by_folder(root, "train", names, hint), None, by_folder(root, "val", names, hint), names)


def tiny_imagenet(root: Path) -> Sets:
    """Tiny ImageNet (200 classes, 64 x 64); its val, as unpacked or filed by wnid, is test, as in IB's code."""
    hint = "Tiny ImageNet (cs231n.stanford.edu/tiny-imagenet-200.zip) is unpacked as it is"
    names = class_folders(root / "train", hint)
    annotations = root / "val" / "val_annotations.txt"
    if annotations.is_file() and (root / "val" / "images").is_dir():
        test = listed(root, list(_annotated(annotations, names, hint)), str(annotations))
    else:
        test = by_folder(root, "val", names, hint, below="images")
    return Sets(by_folder(root, "train", names, hint, below="images"), None, test, names)


def _annotated(path: Path, names: tuple[str, ...], hint: str) -> Iterator[Row]:
    """val_annotations.txt: file name, wnid and a box, with tabs between."""
    label = {name: c for c, name in enumerate(names)}
    for where, line in lines(path, hint):
        fields = line.split("\t")
        if len(fields) < 2:
            raise InputError(f"{where}: not `FILE<tab>WNID<tab>...`: {line.strip()[:80]!r}")
        if fields[1] not in label:
            raise InputError(
                f"{where}: the class {fields[1]!r} is not among the folders of {path.parents[1] / 'train'}"
            )
        yield Row(where, f"val/images/{fields[0]}", label[fields[1]])


# --- lists ------------------------------------------------------------------------------------------


def imagenet_lt(root: Path) -> Sets:
    """ImageNet-LT (Liu et al., CVPR 2019, "OLTR"): three lists of `PATH LABEL` over ImageNet's folder.

    train: 115,846 images, 5 to 1,280 a class; val: 20 a class, out of ImageNet's train; test: ImageNet's val.
    """
    hint = "ImageNet-LT needs the lists ImageNet_LT_train.txt, ImageNet_LT_val.txt and ImageNet_LT_test.txt"
    names = class_folders(root / "train", hint + " in ImageNet's folder, beside train/WNID and val/WNID")
    paths = [root / f"ImageNet_LT_{part}.txt" for part in ("train", "val", "test")]
    train, val, test = (listed(root, list(_text_list(path, len(names), hint)), str(path)) for path in paths)
    return Sets(train, val, test, names)


def _text_list(path: Path, classes: int, hint: str) -> Iterator[Row]:
    for where, line in lines(path, hint):
        fields = line.rsplit(maxsplit=1)
        if len(fields) != 2:
            raise InputError(f"{where}: not `PATH LABEL`: {line.strip()[:80]!r}")
        yield Row(where, fields[0].strip(), number(fields[1], where, "the label", 0, classes - 1))


def inaturalist(root: Path, year: int) -> Sets:
    """iNaturalist 2017 or 2018: COCO-like train20XX.json and val20XX.json; val is the test part, as in the papers."""
    train, test = (_coco(root / f"{part}{year}.json") for part in ("train", "val"))
    if train[1] != test[1]:
        raise InputError(f"{root / f'val{year}.json'}: its categories are not those of {root / f'train{year}.json'}")
    return Sets(train[0], None, test[0], train[1])


def _coco(path: Path) -> tuple[Files, tuple[str, ...]]:
    """The images of a JSON file and the categories' names; the label is the category's place among the sorted ids."""
    images, annotations, categories = _coco_tables(path)
    ids = sorted(category["id"] for category in categories)
    label = {number: c for c, number in enumerate(ids)}
    names = {category["id"]: str(category.get("name", category["id"])) for category in categories}
    files = {image["id"]: image["file_name"] for image in images}
    rows = []
    for i, annotation in enumerate(annotations):
        where = f"{path} annotations[{i}]"
        if annotation["image_id"] not in files:
            raise InputError(f"{where}: image_id is {annotation['image_id']}, which no entry of images has")
        if annotation["category_id"] not in label:
            allowed = f"{ids[0]} to {ids[-1]}" if ids else "no category"
            raise InputError(f"{where}: category_id is {annotation['category_id']}; allowed: {allowed}")
        rows.append(Row(where, files[annotation["image_id"]], label[annotation["category_id"]]))
    return listed(path.parent, rows, str(path)), tuple(names[i] for i in ids)


COCO = {
    "images": {"id": int, "file_name": str},
    "annotations": {"image_id": int, "category_id": int},
    "categories": {"id": int},
}


def _coco_tables(path: Path) -> list[list[dict[str, Any]]]:
    """The three tables of a COCO file, each entry with the fields that are read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        raise InputError(f"there is no file {path}: iNaturalist's JSON files lie beside its folder of images") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path} line {error.lineno}: not valid JSON: {error.msg}") from None
    for table, fields in COCO.items():
        if not isinstance(found, dict) or not isinstance(found.get(table), list):
            raise InputError(f"{path} has no list `{table}`")
        for i, entry in enumerate(found[table]):
            wrong = [f for f, kind in fields.items() if not isinstance(entry, dict) or type(entry.get(f)) is not kind]
            if wrong:
                raise InputError(f"{path} {table}[{i}]: `{wrong[0]}` is missing or no {fields[wrong[0]].__name__}")
    return [found[table] for table in COCO]


# --- EGTEA Gaze+ ------------------------------------------------------------------------------------

VERBS = 19


def egtea(root: Path) -> Sets:
    """EGTEA Gaze+, split 1 as CDB's code has it: train_split.txt, val_split.txt (P20 to P26), test_split.txt.

    A line is `CLIP ACTION VERB NOUN ...`, counted from 1; frames are extracted_frames/VIDEO/CLIP/000000.jpg and on, the
    video being the first three fields of the clip's name. Classes are the verbs, by number: most names are not public.
    """
    train, val, test = (_clips(root, root / f"{part}_split.txt") for part in ("train", "val", "test"))
    return Sets(train, val, test, tuple(f"verb {i}" for i in range(1, VERBS + 1)))


def _clips(root: Path, path: Path) -> Files:
    rows = list(_clip_rows(path))
    if not rows:
        raise InputError(f"{path} has no clip")
    sizes = tuple(_frame_count(root / row.path, row.where) for row in rows)
    labels = torch.tensor([row.label for row in rows])
    return Files(root, tuple(row.path for row in rows), labels, sizes, kind="clip")


def _clip_rows(path: Path) -> Iterator[Row]:
    hint = "EGTEA Gaze+ needs train_split.txt, val_split.txt and test_split.txt beside extracted_frames"
    for where, line in lines(path, hint):
        fields = line.split()
        if len(fields) < 3 or fields[0].count("-") < 3:
            raise InputError(f"{where}: not `CLIP ACTION VERB NOUN ...`: {line.strip()[:80]!r}")
        video = "-".join(fields[0].split("-")[:3])
        label = number(fields[2], where, "the verb", 1, VERBS) - 1
        yield Row(where, f"extracted_frames/{video}/{fields[0]}", label)


def _frame_count(folder: Path, where: str) -> int:
    frames = sum(path.suffix == ".jpg" for path in folder.iterdir()) if folder.is_dir() else 0
    if not frames:
        raise InputError(f"{where}: there is no frame in {folder}")
    return frames
