import json

import layout_folders as folders
import pytest
import torch

from lt_core import Data, InputError, Run, SmallCNN, TrainConfig, fit, override
from lt_core.data import load_parts
from lt_core.models import ResNeXt3D

SETS = {
    "tiny-imagenet": lambda root: folders.tiny_imagenet(root, flat=True),
    "imagenet": folders.imagenet,
    "imagenet-lt": folders.imagenet_lt,
    "inaturalist2017": lambda root: folders.inaturalist(root, 2017),
    "inaturalist2018": folders.inaturalist,
}
NATURAL = {"val_per_class": 0, "profile": "natural"}


def data(name, **changes):
    return Data(name=name, **{**NATURAL, "image_size": 16, **changes})


def refused(settings, root):
    with pytest.raises(InputError) as caught:
        load_parts(settings, root)
    said = str(caught.value)
    assert "\n" not in said and said.strip()
    return said


def broken(path, line, new):
    """A text file with one line (from 1) replaced; null removes it."""
    lines = path.read_text().splitlines()
    lines[line - 1 : line] = [] if new is None else [new]
    path.write_text("\n".join(lines) + "\n")


# --- what is read -----------------------------------------------------------------------------------


def test_imagenet_is_its_folders(tmp_path):
    folders.imagenet(tmp_path)
    parts = load_parts(data("imagenet"), tmp_path)
    assert parts.class_names == folders.WNIDS and parts.class_counts == (12, 8, 4)
    assert (len(parts.val), len(parts.test), parts.channels, parts.image_size) == (0, 9, 3, 16)
    assert sorted(parts.test.paths)[0] == "val/n01440764/n01440764_0.JPEG"
    assert [path.split("/")[1] for path in parts.train.paths] == [folders.WNIDS[c] for c in parts.train.labels]


def test_natural_sets_without_val_take_it_from_train(tmp_path):
    folders.imagenet(tmp_path)
    parts = load_parts(data("imagenet", val_fraction=0.25), tmp_path)
    assert parts.class_counts == (9, 6, 3) and parts.val.labels.bincount().tolist() == [3, 2, 1]
    assert not set(parts.train.paths) & set(parts.val.paths)
    assert load_parts(data("imagenet", val_per_class=2), tmp_path).class_counts == (10, 6, 2)


def test_imagenet_lt_is_its_lists(tmp_path):
    folders.imagenet_lt(tmp_path)
    parts = load_parts(data("imagenet-lt", subset="file_order"), tmp_path)
    assert parts.class_counts == (6, 4, 2) and parts.train.paths[0] == "train/n01440764/n01440764_0.JPEG"
    assert parts.val.paths[2] == "train/n02056570/n02056570_3.JPEG" and parts.val.labels.tolist() == [0, 1, 2]
    assert parts.test.labels.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("year", [2017, 2018])
def test_inaturalist_is_its_json(year, tmp_path):
    folders.inaturalist(tmp_path, year)
    parts = load_parts(data(f"inaturalist{year}"), tmp_path)
    assert parts.class_names == ("species 0", "species 1", "species 2") and parts.class_counts == (8, 4, 2)
    assert parts.normalise.mean == (0.466, 0.471, 0.380) and len(parts.test) == 6
    assert all(path.split("/")[2] == str(int(c)) for path, c in zip(parts.train.paths, parts.train.labels, strict=True))


@pytest.mark.parametrize("flat", [True, False])
def test_tiny_imagenet_lies_in_memory_and_its_val_is_test(flat, tmp_path):
    folders.tiny_imagenet(tmp_path, flat=flat)
    parts = load_parts(Data(name="tiny-imagenet", **NATURAL), tmp_path)
    assert parts.class_names == folders.WNIDS and parts.class_counts == (10, 8, 6)
    assert parts.test.labels.bincount().tolist() == [2, 2, 2] and parts.train.pixels.shape == (24, 3, 64, 64)
    for part in (parts.train, parts.test):
        assert torch.equal(part.pixels.double().mean((2, 3)).argmax(1), part.labels)


def test_a_profile_that_needs_more_than_there_is_is_refused(tmp_path):
    folders.tiny_imagenet(tmp_path, flat=True)
    said = refused(Data(name="tiny-imagenet", imbalance=10), tmp_path)
    assert "n01440764 has 10 images" in said


@pytest.mark.parametrize("frames", [1, 4, 11, 30])
def test_egtea_has_one_frame_of_each_of_ten_segments(frames, tmp_path):
    folders.egtea(tmp_path, frames)
    parts = load_parts(Data(name="egtea", image_size=8), tmp_path)
    assert parts.class_counts == (1,) * 19 and parts.classes == 19 and len(parts.val) == len(parts.test) == 19
    (clip, label), *_ = parts.val.batches(1)
    assert clip.shape == (1, 3, 10, 8, 8) and label.tolist() == [0]
    shown = (clip[0, 0].double().mean((1, 2)) / 8).round()
    edges = torch.linspace(0, frames - 1, 11, dtype=torch.float64)
    assert torch.equal(shown, (edges[:-1] + edges[1:]).floor_divide(2))
    assert parts.normalise.std == (1 / 255,) * 3


# --- trained ----------------------------------------------------------------------------------------


def learns(settings, root, **changes):
    config = TrainConfig(data=settings, model=SmallCNN(), batch_size=8, epochs=12)
    last = list(fit(override(config, {"optimizer.lr": 0.02, "optimizer.warmup_epochs": 0, **changes}), root))[-1]
    return not last.diverged and last.train_loss < 0.7


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("augment", ["crop_flip", "random_resized_crop", "random_resized_crop_jitter"])
def test_a_network_learns_from_each_layout(name, augment, tmp_path):
    SETS[name](tmp_path)
    assert learns(data(name, augment=augment, image_size=16), tmp_path)


def test_a_network_of_clips_trains_on_egtea(tmp_path):
    folders.egtea(tmp_path, 11)
    config = TrainConfig(data=Data(name="egtea", image_size=8), model=ResNeXt3D(), batch_size=19, epochs=1)
    run = Run(override(config, {"optimizer.lr": 1e-4}), tmp_path)
    (result,) = run.epochs()
    assert not result.diverged and 0 <= result.val["acc"] <= 1 and run.parts.train.image_size == 8


# --- damage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*SETS, "egtea"])
def test_a_missing_folder_is_named(name, tmp_path):
    said = refused(data(name), tmp_path)
    assert "there is no f" in said and str(tmp_path) in said


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_a_missing_list_is_named(part, tmp_path):
    path = folders.imagenet_lt(tmp_path) / f"ImageNet_LT_{part}.txt"
    path.unlink()
    assert f"there is no file {path}" in refused(data("imagenet-lt"), tmp_path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("train/n01440764/n01440764_0.JPEG", "not `PATH LABEL`"),
        ("train/n01440764/n01440764_0.JPEG cat", "the label is 'cat'"),
        ("train/n01440764/n01440764_0.JPEG -1", "the label is '-1'"),
        ("train/n01440764/n01440764_0.JPEG 3", "the label is 3; allowed: 0 to 2"),
        ("train/n01440764/none.JPEG 0", "there is no file"),
        ("\x00\x01\x02", "not `PATH LABEL`"),
    ],
)
def test_a_bad_line_of_a_list_is_named(line, said, tmp_path):
    path = folders.imagenet_lt(tmp_path) / "ImageNet_LT_train.txt"
    broken(path, 3, line)
    found = refused(data("imagenet-lt"), tmp_path)
    assert f"{path} line 3: " in found and said in found


def test_an_empty_list_is_named(tmp_path):
    path = folders.imagenet_lt(tmp_path) / "ImageNet_LT_val.txt"
    path.write_text("\n")
    assert refused(data("imagenet-lt"), tmp_path) == f"{path} has no image"


@pytest.mark.parametrize("augment", ["none", "random_resized_crop"])
@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_an_unreadable_image_is_named(augment, content, tmp_path):
    path = folders.imagenet_lt(tmp_path) / "train" / "n01440764" / "n01440764_2.JPEG"
    path.write_bytes(path.read_bytes()[:400] if content is None else content)  # null: cut off
    with pytest.raises(InputError) as caught:
        learns(data("imagenet-lt", augment=augment), tmp_path)
    assert str(caught.value) == f"cannot read the image {path}: it is damaged or no image"


@pytest.mark.parametrize(
    ("line", "said"),
    [("val_0.JPEG", "not `FILE<tab>"), ("val_0.JPEG\tn9", "the class 'n9'"), ("val_9.JPEG\tn01440764", "no file")],
)
def test_a_bad_line_of_tiny_imagenets_annotations_is_named(line, said, tmp_path):
    path = folders.tiny_imagenet(tmp_path, flat=True) / "val" / "val_annotations.txt"
    broken(path, 2, line)
    found = refused(data("tiny-imagenet"), tmp_path)
    assert f"{path} line 2: " in found and said in found


def test_a_class_that_train_has_not_is_named(tmp_path):
    folder = folders.imagenet(tmp_path)
    folders.image(folder / "val" / "n03000000" / "x.JPEG", 0)
    assert str(folder / "val" / "n03000000") in refused(data("imagenet"), tmp_path)


def test_a_val_that_is_not_filed_by_class_is_told(tmp_path):
    folder = folders.imagenet(tmp_path)
    for path in list((folder / "val").iterdir()):
        path.rename(folder / path.name)
    folders.image(folder / "val" / "ILSVRC2012_val_00000001.JPEG", 0)
    assert f"{folder / 'val'} has no subfolder" in refused(data("imagenet"), tmp_path)


def edited(path, change):
    tables = json.loads(path.read_text())
    change(tables)
    path.write_text(json.dumps(tables, indent=1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t["annotations"][3].update(category_id=7), "annotations[3]: category_id is 7; allowed: 0 to 2"),
        (lambda t: t["annotations"][3].update(image_id=99), "annotations[3]: image_id is 99"),
        (lambda t: t["annotations"][3].pop("image_id"), "annotations[3]: `image_id` is missing"),
        (lambda t: t["annotations"][3].update(category_id="1"), "annotations[3]: `category_id` is missing or no int"),
        (lambda t: t["images"][3].update(file_name="x.jpg"), "annotations[3]: there is no file"),
        (lambda t: t["images"].insert(2, 5), "images[2]: `id` is missing"),
        (lambda t: t.pop("images"), "has no list `images`"),
        (lambda t: t.update(annotations={}), "has no list `annotations`"),
        (lambda t: t.update(categories=[]), "allowed: no category"),
    ],
)
def test_a_bad_entry_of_inaturalists_json_is_named(change, said, tmp_path):
    path = folders.inaturalist(tmp_path) / "train2018.json"
    edited(path, change)
    found = refused(data("inaturalist2018"), tmp_path)
    assert str(path) in found and said in found


def test_json_that_is_none_is_named_with_its_line(tmp_path):
    path = folders.inaturalist(tmp_path) / "train2018.json"
    broken(path, 4, "  {,")
    assert f"{path} line 4: not valid JSON" in refused(data("inaturalist2018"), tmp_path)


def test_categories_that_differ_are_told(tmp_path):
    path = folders.inaturalist(tmp_path) / "val2018.json"
    edited(path, lambda t: t["categories"].append({"id": 3, "name": "more"}))
    assert f"{path}: its categories are not those of" in refused(data("inaturalist2018"), tmp_path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("OP00-R01-PastaSalad-1-10-F1-F2 31", "not `CLIP ACTION VERB"),
        ("clip 31 1 5", "not `CLIP ACTION VERB"),
        ("OP00-R01-PastaSalad-1-10-F1-F2 31 20 5", "the verb is 20; allowed: 1 to 19"),
        ("OP00-R01-PastaSalad-1-10-F1-F2 31 0 5", "the verb is 0; allowed: 1 to 19"),
        ("OP00-R01-PastaSalad-1-10-F1-F2 31 x 5", "the verb is 'x'"),
        ("OP00-R01-PastaSalad-1-10-F1-F2 31 2 5", "there is no frame in"),
    ],
)
def test_a_bad_line_of_egteas_split_is_named(line, said, tmp_path):
    path = folders.egtea(tmp_path, 2) / "train_split.txt"
    broken(path, 2, line)
    found = refused(Data(name="egtea"), tmp_path)
    assert f"{path} line 2: " in found and said in found


def test_a_damaged_frame_is_named(tmp_path):
    folder = folders.egtea(tmp_path, 1)
    frame = next((folder / "extracted_frames" / "OP01-R01-PastaSalad").glob("*/000000.jpg"))
    frame.write_bytes(b"")
    with pytest.raises(InputError, match=rf"cannot read the image {frame}"):
        list(load_parts(Data(name="egtea", image_size=8), tmp_path).val.batches(4))


# --- identity ---------------------------------------------------------------------------------------


def test_the_id_of_streamed_files_changes_with_a_path_a_label_or_a_size(tmp_path):
    folder = folders.imagenet_lt(tmp_path)
    settings = data("imagenet-lt", subset="file_order", augment="random_resized_crop")
    ids = [load_parts(settings, tmp_path).id]
    assert load_parts(settings, tmp_path).id == ids[0]
    for line in ("train/n01440764/n01440764_9.JPEG 0", "train/n01440764/n01440764_0.JPEG 1"):
        broken(folder / "ImageNet_LT_train.txt", 1, line)
        ids.append(reread(settings, tmp_path).id)
    folders.image(folder / "val" / "n01440764" / "n01440764_0.JPEG", 0, (64, 64))
    ids.append(reread(settings, tmp_path).id)
    assert len(set(ids)) == 4


def reread(settings, root):
    from lt_core import sources

    sources._load.cache_clear()
    return load_parts(settings, root)
