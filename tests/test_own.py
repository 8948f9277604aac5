import csv

import layout_folders as folders
import numpy as np
import pytest
import torch
from test_layouts import broken, learns, refused

from lt_core import Data
from lt_core.data import load_parts
from lt_core.value import InputError

COUNTS = (10, 8, 6)


def folder(root, parts=("train",)):
    for part in parts:
        folders.classes(root / "mine" / part, COUNTS, ending="png", size=(16, 16))
    return root / "mine"


def table(root, rows=None, columns=("path", "label")):
    """A CSV of 10 cats, 8 dogs and 6 eels, in folders beside it."""
    labels = [c for c, n in enumerate(COUNTS) for _ in range(n)]
    own = [[f"i/{folders.image(root / 'i' / f'{i}.png', c, (16, 16))}", "cde"[c]] for i, c in enumerate(labels)]
    path = root / "mine.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *(own if rows is None else rows)])
    return path


def arrays(root, **changes):
    labels = np.repeat(np.arange(3), COUNTS)
    draw = np.random.default_rng(0)
    images = draw.integers(0, 80, (24, 8, 8, 1), dtype=np.uint8) + (labels * 80)[:, None, None, None].astype(np.uint8)
    given = {"images": images, "labels": labels, **changes}
    np.savez(root / "mine.npz", **{key: value for key, value in given.items() if value is not None})
    return given


def folder_data(**changes):
    return Data(**{"name": "folder", "path": "mine", **changes})


def csv_data(**changes):
    return Data(**{"name": "csv", "path": "mine.csv", **changes})


def npz_data(**changes):
    return Data(**{"name": "npz", "path": "mine.npz", **changes})


def sizes(parts):
    return [len(part) for part in (parts.train, parts.meta, parts.val, parts.test)]


# --- folders ----------------------------------------------------------------------------------------


def test_a_folder_with_its_natural_counts(tmp_path):
    path = folder(tmp_path)
    parts = load_parts(folder_data(), tmp_path)
    assert parts.class_names == folders.WNIDS and parts.class_counts == COUNTS and sizes(parts) == [24, 0, 0, 0]
    assert (parts.channels, parts.image_size) == (3, 16)
    assert parts.normalise.mean == pytest.approx((parts.train.pixels / 255.0).mean((0, 2, 3)).tolist(), abs=1e-4)
    assert parts.normalise.std == pytest.approx(
        (parts.train.pixels / 255.0).transpose(0, 1).flatten(1).std(1), abs=1e-3
    )
    assert load_parts(folder_data(path=str(path))).id == parts.id


def test_a_folder_brings_its_own_split(tmp_path):
    folder(tmp_path, ("train", "val", "test"))
    assert sizes(load_parts(folder_data(), tmp_path)) == [24, 0, 24, 24]
    assert sizes(load_parts(folder_data(meta_source="val"), tmp_path)) == [24, 24, 24, 24]
    assert "data.val_fraction is 0.1, but mine has its own val" in refused(folder_data(val_fraction=0.1), tmp_path)
    assert "data.test_fraction is 0.1, but mine has its own test" in refused(folder_data(test_fraction=0.1), tmp_path)


def test_a_stratified_split_is_fixed_by_its_seed(tmp_path):
    folder(tmp_path)
    settings = folder_data(val_fraction=0.13, test_fraction=0.25)
    parts, again, other = (
        load_parts(settings.model_copy(update=u), tmp_path) for u in ({}, {"augment": "none"}, {"subset_seed": 1})
    )
    assert [part.labels.bincount().tolist() for part in (parts.val, parts.test)] == [[1, 1], [2, 2, 1]]
    assert parts.class_counts == (7, 5, 5)  # a class with too few for a fraction gives none
    assert parts.id == again.id != other.id and parts.class_counts == other.class_counts
    images = torch.cat([part.pixels for part in (parts.train, parts.val, parts.test)])
    assert len({image.numpy().tobytes() for image in images}) == 24


@pytest.mark.parametrize(("rho", "expected"), [(1, (6, 6, 6)), (2, (10, 7, 5)), (5, (10, 4, 2))])
def test_own_data_may_be_cut_to_a_profile(rho, expected, tmp_path):
    folder(tmp_path)
    assert load_parts(folder_data(profile="exp", imbalance=rho), tmp_path).class_counts == expected


def test_ranks_not_names_decide_which_class_is_the_head(tmp_path):
    arrays(tmp_path, labels=np.repeat([0, 1, 2], COUNTS[::-1]))
    assert load_parts(npz_data(profile="exp", imbalance=5), tmp_path).class_counts == (2, 4, 10)


def test_a_cut_too_deep_is_refused(tmp_path):
    folder(tmp_path)
    assert "imbalance is 11" in refused(folder_data(profile="step", imbalance=11), tmp_path)


@pytest.mark.parametrize("settings", [{"augment": "random_resized_crop", "image_size": 16}, {"augment": "crop_flip"}])
def test_a_network_learns_from_a_folder(settings, tmp_path):
    folder(tmp_path, ("train", "val", "test"))
    assert learns(folder_data(**settings), tmp_path)


def test_images_of_several_sizes_need_a_size(tmp_path):
    odd = folder(tmp_path) / "train" / folders.WNIDS[1] / "odd.png"
    folders.image(odd, 1, (20, 12))
    said = refused(folder_data(), tmp_path)
    assert str(odd) in said and "12 x 20" in said and "data.image_size" in said
    assert load_parts(folder_data(image_size=10), tmp_path).train.pixels.shape == (25, 3, 10, 10)


def test_a_folder_that_is_none_is_named(tmp_path):
    assert str(tmp_path / "mine" / "train") in refused(folder_data(), tmp_path)
    assert "data.path is mine" in refused(folder_data(), None)


def test_an_unknown_or_empty_class_is_named(tmp_path):
    path = folder(tmp_path, ("train", "val"))
    (path / "val" / "zebra").mkdir()
    assert str(path / "val" / "zebra") in refused(folder_data(), tmp_path)
    (path / "val" / "zebra").rmdir()
    (path / "train" / "aardvark").mkdir()
    assert "class aardvark of folder has no image" in refused(folder_data(), tmp_path)


def test_a_damaged_image_is_named(tmp_path):
    image = folder(tmp_path) / "train" / folders.WNIDS[0] / f"{folders.WNIDS[0]}_3.png"
    image.write_bytes(image.read_bytes()[:90])
    assert refused(folder_data(image_size=16), tmp_path) == f"cannot read the image {image}: it is damaged or no image"


# --- CSV --------------------------------------------------------------------------------------------


def test_a_csv_of_paths_and_labels(tmp_path):
    table(tmp_path)
    parts = load_parts(csv_data(), tmp_path)
    assert parts.class_names == ("c", "d", "e") and parts.class_counts == COUNTS
    assert torch.equal(parts.train.pixels.double().mean((2, 3)).argmax(1), parts.train.labels)
    assert learns(csv_data(val_fraction=0.2, test_fraction=0.2), tmp_path)


def test_labels_that_are_numbers_have_the_order_of_numbers(tmp_path):
    table(tmp_path, [["i/0.png", "10"], ["i/1.png", "9"]])
    assert load_parts(csv_data(), tmp_path).class_names == ("9", "10")


def test_a_csv_may_have_a_column_split(tmp_path):
    rows = [[f"i/{i}.png", "cd"[i % 2], part] for i, part in enumerate(["train", "train", "val", "test", "train"])]
    table(tmp_path, rows, ("path", "label", "split"))
    assert sizes(load_parts(csv_data(), tmp_path)) == [3, 0, 1, 1]


def test_a_changed_csv_is_read_again(tmp_path):
    path = table(tmp_path)
    first = load_parts(csv_data(), tmp_path)
    broken(path, 2, None)
    assert len(load_parts(csv_data(), tmp_path).train) == len(first.train) - 1


@pytest.mark.parametrize(
    ("line", "new", "said"),
    [
        (1, "file,label", "line 1: the columns must be path, label"),
        (3, "i/1.png", "line 3: needs a value for each of path, label"),
        (3, "i/1.png,", "line 3: needs a value for each of path, label"),
        (3, "i/1.png,c,train", "line 3: needs a value for each of path, label"),
        (3, "none.png,c", "line 3: there is no file"),
        (3, 'i/1.png,"c', "not valid CSV"),
    ],
)
def test_a_bad_line_of_a_csv_is_named(line, new, said, tmp_path):
    path = table(tmp_path)
    broken(path, line, new)
    found = refused(csv_data(), tmp_path)
    assert str(path) in found and said in found


@pytest.mark.parametrize(
    ("row", "said"), [(["i/1.png", "z", "val"], "line 3: the label 'z'"), (["i/1.png", "c", "dev"], "split is 'dev'")]
)
def test_a_bad_split_of_a_csv_is_named(row, said, tmp_path):
    path = table(tmp_path, [["i/0.png", "c", "train"], row], ("path", "label", "split"))
    found = refused(csv_data(), tmp_path)
    assert f"{path} line 3: " in found and said in found


def test_a_csv_that_is_none_or_empty_is_named(tmp_path):
    assert f"there is no file {tmp_path / 'mine.csv'}" in refused(csv_data(), tmp_path)
    table(tmp_path, [])
    assert f"{tmp_path / 'mine.csv'} has no image to train on" in refused(csv_data(), tmp_path)


# --- .npz -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(24, 8, 8, 1), (24, 8, 8)])
def test_an_npz_of_images_and_labels(shape, tmp_path):
    given = arrays(tmp_path, images=arrays(tmp_path)["images"].reshape(shape), class_names=np.array(["a", "b", "c"]))
    parts = load_parts(npz_data(subset="file_order"), tmp_path)
    assert np.array_equal(parts.train.pixels.numpy().reshape(shape), given["images"])
    assert parts.class_names == ("a", "b", "c") and (parts.channels, parts.image_size) == (1, 8)
    assert learns(npz_data(val_fraction=0.2, test_fraction=0.2), tmp_path)


def test_an_npz_may_have_an_array_split(tmp_path):
    arrays(tmp_path, split=np.array(["train"] * 22 + ["val", "test"]))
    assert sizes(load_parts(npz_data(), tmp_path)) == [22, 0, 1, 1]


def test_an_npz_may_have_arrays_of_its_parts(tmp_path):
    given = arrays(tmp_path)
    images, labels = given["images"], given["labels"][:, None]
    arrays(
        tmp_path,
        images=None,
        labels=None,
        train_images=images,
        train_labels=labels,
        test_images=images[:3],
        test_labels=labels[:3],
    )
    assert sizes(load_parts(npz_data(), tmp_path)) == [24, 0, 0, 3]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": None}, "has no arrays `images` and `labels`"),
        ({"labels": np.full(24, -1)}, "the label of image 0 is -1; allowed: 0 to"),
        ({"class_names": np.array(["a", "b"])}, "the label of image 18 is 2; allowed: 0 to 1"),
        ({"labels": np.zeros(23, dtype=int)}, "must be 24 whole numbers"),
        ({"labels": np.zeros(24)}, "must be 24 whole numbers"),
        ({"images": np.zeros((24, 8, 8, 1))}, "images is float64"),
        ({"images": np.zeros((24, 8, 9, 1), np.uint8)}, "must be square"),
        ({"images": np.zeros((24, 8, 8, 2), np.uint8)}, "1 or 3 channels"),
        ({"images": np.zeros((0, 8, 8), np.uint8), "labels": np.zeros(0, int)}, "must hold an image"),
        ({"split": np.array(["dev"] * 24)}, "split holds 'dev'"),
        ({"split": np.array(["train"] * 23)}, "split has 23 values"),
        ({"split": np.array(["val"] * 24)}, "split has no image to train on"),
        ({"images": np.array([{}] * 24, dtype=object)}, "it is damaged, no .npz, or holds Python objects"),
    ],
)
def test_a_bad_array_is_named(changes, said, tmp_path):
    arrays(tmp_path, **changes)
    found = refused(npz_data(), tmp_path)
    assert str(tmp_path / "mine.npz") in found and said in found


def test_one_class_alone_is_refused(tmp_path):
    arrays(tmp_path, labels=np.zeros(24, int), class_names=np.array(["cat"]))
    with pytest.raises(InputError, match=r"mine\.npz has one class, cat; it must have two at least"):
        load_parts(npz_data(), tmp_path)


def test_an_npz_that_is_none_or_damaged_is_named(tmp_path):
    path = tmp_path / "mine.npz"
    assert f"there is no file {path}" in refused(npz_data(), tmp_path)
    arrays(tmp_path)
    path.write_bytes(path.read_bytes()[:300])
    assert f"cannot read {path}" in refused(npz_data(), tmp_path)
    path.write_bytes(b"x")
    assert f"cannot read {path}" in refused(npz_data(), tmp_path)


def test_a_normalisation_for_colour_is_refused_on_grey_images(tmp_path):
    arrays(tmp_path)
    assert "data.normalise is imagenet" in refused(npz_data(normalise="imagenet"), tmp_path)


def test_meta_images_from_val_need_val_images(tmp_path):
    arrays(tmp_path)
    assert "data.meta_source is val" in refused(npz_data(meta_source="val"), tmp_path)


def test_more_val_images_than_a_class_has_are_refused(tmp_path):
    arrays(tmp_path)
    assert refused(npz_data(val_per_class=6), tmp_path) == "val_per_class is 6; class 2 has 6 images"
