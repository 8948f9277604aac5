"""Small folders in the official layouts of datasets that tests cannot have, filled with noise in each class's hue."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

WNIDS = ("n01440764", "n01443537", "n02056570")


def image(path: Path, label: int, size: tuple[int, int] = (40, 48)) -> str:
    """An image of noise, brightest in the channel of its label."""
    draw = np.random.default_rng(sum(map(ord, path.name)) + label)
    pixels = draw.integers(0, 100, (*size, 3))
    pixels[..., label % 3] += 120
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path.name


def classes(folder: Path, counts: tuple[int, ...], below: str = "", ending: str = "JPEG", size=(40, 48)) -> None:
    """folder/WNID/below/WNID_0.JPEG and on, as many of each class as counts say."""
    for label, (wnid, n) in enumerate(zip(WNIDS, counts, strict=True)):
        for i in range(n):
            image(folder / wnid / below / f"{wnid}_{i}.{ending}", label, size)


def imagenet(root: Path, train=(12, 8, 4), val=(3, 3, 3)) -> Path:
    classes(root / "imagenet" / "train", train)
    classes(root / "imagenet" / "val", val)
    return root / "imagenet"


def imagenet_lt(root: Path) -> Path:
    """Lists of 6, 4 and 2 images to train on, 1 a class for val (of ImageNet's train), 2 for test (of its val)."""
    folder = imagenet(root)
    for part, inner, chosen in (
        ("train", "train", [range(6), range(4), range(2)]),
        ("val", "train", [range(7, 8), range(5, 6), range(3, 4)]),
        ("test", "val", [range(2)] * 3),
    ):
        lines = [f"{inner}/{w}/{w}_{i}.JPEG {c}\n" for c, w in enumerate(WNIDS) for i in chosen[c]]
        (folder / f"ImageNet_LT_{part}.txt").write_text("".join(lines))
    return folder


def tiny_imagenet(root: Path, *, flat: bool) -> Path:
    folder = root / "tiny-imagenet-200"
    classes(folder / "train", (10, 8, 6), "images", size=(64, 64))
    (folder / "wnids.txt").write_text("\n".join(reversed(WNIDS)))
    if not flat:
        classes(folder / "val", (2, 2, 2), "images", size=(64, 64))
        return folder
    names = [(image(folder / "val" / "images" / f"val_{i}.JPEG", i % 3, (64, 64)), WNIDS[i % 3]) for i in range(6)]
    (folder / "val" / "val_annotations.txt").write_text("".join(f"{n}\t{w}\t0\t32\t44\t62\n" for n, w in names))
    return folder


def inaturalist(root: Path, year: int = 2018) -> Path:
    folder = root / f"inaturalist{year}"
    categories = [{"id": c, "name": f"species {c}"} for c in range(3)]
    for part, counts, first in (("train", (8, 4, 2), 0), ("val", (2, 2, 2), 1000)):
        labels = [c for c, n in enumerate(counts) for _ in range(n)]
        images = []
        for i, c in enumerate(labels, first):
            name = f"train_val{year}/Plantae/{c}/{i:032x}.jpg"
            image(folder / name, c)
            images.append({"id": i, "file_name": name, "width": 48, "height": 40})
        annotations = [{"id": i, "image_id": i, "category_id": c} for i, c in enumerate(labels, first)]
        tables = {"images": images, "annotations": annotations, "categories": categories}
        (folder / f"{part}{year}.json").write_text(json.dumps(tables, indent=1))
    return folder


def egtea(root: Path, frames: int = 12, verbs=range(1, 20)) -> Path:
    """One clip of each verb in each split; frame i is grey of brightness 8 * i."""
    folder = root / "egtea"
    for number, part in enumerate(("train", "val", "test")):
        rows = []
        for verb in verbs:
            clip = f"OP0{number}-R01-PastaSalad-{verb}-{verb + 9}-F000001-F0000{frames}"
            inner = folder / "extracted_frames" / f"OP0{number}-R01-PastaSalad" / clip
            inner.mkdir(parents=True)
            for i in range(frames):
                Image.new("RGB", (24, 20), (8 * i, 8 * i, 8 * i)).save(inner / f"{i:06d}.jpg")
            rows.append(f"{clip} {verb + 30} {verb} 5 7\n")
        (folder / f"{part}_split.txt").write_text("".join(rows))
    return folder
