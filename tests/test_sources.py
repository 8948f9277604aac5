import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torchvision.datasets import CIFAR100

from lt_core import InputError
from lt_core.sources import BY_HAND, SOURCES, download

LT_DATA = os.environ.get("LT_DATA")
with_data = pytest.mark.skipif(not LT_DATA, reason="LT_DATA is not set")
ON_DISK = {
    "mnist": "MNIST/raw",
    "mnist-4-9": "MNIST/raw",
    "cifar10": "cifar-10-batches-py",
    "cifar100": "cifar-100-python",
}
HERE = ("mnist", "mnist-4-9", "cifar10")  # CIFAR-100 is not among the data that tests are given


def refused(name: str, root: Path | None) -> str:
    with pytest.raises(InputError) as caught:
        SOURCES[name].load(root)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def intact(request, tmp_path):
    """A data folder of links to the real files, which a test may break."""
    folder = tmp_path / ON_DISK[request.param]
    folder.mkdir(parents=True)
    for path in (Path(LT_DATA or "") / ON_DISK[request.param]).iterdir():
        (folder / path.name).symlink_to(path)
    return request.param, tmp_path, folder


def test_the_digits_test_part_is_the_last_40_of_each_class():
    sets = SOURCES["digits"].load(None)
    pool, test = sets.train, sets.test
    bunch = load_digits()
    grey = torch.from_numpy(bunch.images.astype(np.float32))
    for c in range(10):
        own = grey[torch.from_numpy(bunch.target == c)]
        joined = torch.cat([images.pixels[images.labels == c, 0] for images in (pool, test)])
        assert int((test.labels == c).sum()) == 40
        torch.testing.assert_close(joined.float(), own * 255 / 16, atol=0.5, rtol=0)


@pytest.mark.parametrize("name", ["digits", *(pytest.param(name, marks=with_data) for name in HERE)])
def test_a_source_is_as_described(name):
    source = SOURCES[name]
    sets = source.load(Path(LT_DATA) if LT_DATA else None)
    pool, test = sets.train, sets.test
    assert sets.val is None and len(sets.class_names) == source.classes
    for images in (pool, test):
        assert images.pixels.dtype == torch.uint8 and images.labels.dtype == torch.int64
        assert images.pixels.shape[1:] == (source.channels, source.image_size, source.image_size)
        assert images.pixels.is_contiguous() and images.pixels.max() == 255
    assert pool.labels.bincount().shape == (source.classes,) and pool.labels.bincount().min() >= (source.n_max or 5842)
    assert len(test) == {"digits": 400, "mnist": 10_000, "mnist-4-9": 982 + 1009, "cifar10": 10_000}[name]
    sample = pool.pixels[::10].transpose(0, 1).flatten(1).double() / 255
    mean, std = source.normalise
    assert sample.mean(1).tolist() == pytest.approx(mean, abs=0.015)
    if name != "cifar10":  # the literature's 0.2023 is the mean of the images' own deviations
        assert sample.std(1).tolist() == pytest.approx(std, abs=0.015)


def test_names_are_the_keys():
    assert {name: source.name for name, source in SOURCES.items()} == {name: name for name in SOURCES}


@pytest.mark.parametrize("name", ON_DISK)
def test_without_a_data_folder_the_error_says_what_to_set(name):
    said = refused(name, None)
    assert f"dataset {name.partition('-4-9')[0]}" in said and "LT_DATA" in said and ON_DISK[name] in said


@pytest.mark.parametrize("name", ON_DISK)
def test_a_missing_folder_is_named(name, tmp_path):
    said = refused(name, tmp_path / "nowhere")
    assert (
        f"dataset {name.partition('-4-9')[0]} is missing" in said and str(tmp_path / "nowhere" / ON_DISK[name]) in said
    )


@pytest.mark.parametrize(
    ("name", "file"), [("mnist", "train-images-idx3-ubyte"), ("cifar10", "data_batch_1"), ("cifar100", "train")]
)
def test_a_damaged_file_is_named(name, file, tmp_path):
    path = tmp_path / ON_DISK[name] / file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")
    said = refused(name, tmp_path)
    assert f"dataset {name} is damaged" in said and str(path) in said


@with_data
@pytest.mark.parametrize(
    ("intact", "file"),
    [("mnist", "t10k-labels-idx1-ubyte"), ("cifar10", "batches.meta")],
    indirect=["intact"],
)
def test_one_missing_or_damaged_file_among_intact_ones_is_named(intact, file):
    name, root, folder = intact
    (folder / file).unlink()
    said = refused(name, root)
    assert "missing" in said and str(folder / file) in said
    (folder / file).write_bytes(b"\0" * 100)
    said = refused(name, root)
    assert "damaged" in said and str(folder / file) in said


def test_an_embedded_dataset_needs_no_download(tmp_path):
    download("digits", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", BY_HAND)
def test_what_cannot_be_downloaded_says_from_where_it_comes(name, tmp_path):
    with pytest.raises(InputError, match=rf"dataset {name} cannot be downloaded into {tmp_path}: .*\."):
        download(name, tmp_path)
    (tmp_path / SOURCES[name].home).mkdir()
    download(name, tmp_path)


@pytest.mark.parametrize("name", BY_HAND)
def test_data_in_files_need_a_data_folder(name):
    assert all(part in refused(name, None) for part in (name, "LT_DATA", SOURCES[name].home))


def test_the_digits_are_those_of_scikit_learn_without_importing_it():
    code = (
        "import sys; from lt_core.sources import SOURCES; SOURCES['digits'].load(None); print('sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def cifar100(folder):
    """CIFAR-100's files in its format, with 2 images a class to train on and 1 to test."""
    names = [f"class {c}" for c in range(100)]
    draw = np.random.default_rng(0)
    contents = {"meta": {"fine_label_names": names, "coarse_label_names": ["all"]}}
    for file, n in (("train", 200), ("test", 100)):
        data = draw.integers(0, 256, (n, 3072), dtype=np.uint8)
        contents[file] = {"data": data, "fine_labels": [i % 100 for i in range(n)], "coarse_labels": [0] * n}
    folder.mkdir(parents=True)
    for file, content in contents.items():
        (folder / file).write_bytes(pickle.dumps(content))
    return {file: hashlib.md5((folder / file).read_bytes()).hexdigest() for file in contents}, contents


def test_cifar100_is_read_in_its_format(tmp_path, monkeypatch):
    md5, contents = cifar100(tmp_path / "cifar-100-python")
    monkeypatch.setattr(CIFAR100, "train_list", [["train", md5["train"]]])
    monkeypatch.setattr(CIFAR100, "test_list", [["test", md5["test"]]])
    monkeypatch.setattr(CIFAR100, "meta", {**CIFAR100.meta, "md5": md5["meta"]})
    sets = SOURCES["cifar100"].load(tmp_path)
    assert sets.class_names == tuple(f"class {c}" for c in range(100))
    assert torch.equal(sets.train.pixels.flatten(1), torch.from_numpy(contents["train"]["data"]))
    assert sets.train.labels.tolist() == contents["train"]["fine_labels"] and len(sets.test) == 100
