import os
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from lt_core import InputError
from lt_core.sources import SOURCES, Images, download

LT_DATA = os.environ.get("LT_DATA")
with_data = pytest.mark.skipif(not LT_DATA, reason="LT_DATA is not set")
ON_DISK = {"mnist": "MNIST/raw", "cifar10": "cifar-10-batches-py"}


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
    pool, test = SOURCES["digits"].load(None)
    bunch = load_digits()
    grey = torch.from_numpy(bunch.images.astype(np.float32))
    for c in range(10):
        own = grey[torch.from_numpy(bunch.target == c)]
        joined = torch.cat([images.pixels[images.labels == c, 0] for images in (pool, test)])
        assert int((test.labels == c).sum()) == 40
        torch.testing.assert_close(joined.float(), own * 255 / 16, atol=0.5, rtol=0)


@pytest.mark.parametrize("name", ["digits", *(pytest.param(name, marks=with_data) for name in ON_DISK)])
def test_a_source_is_as_described(name):
    source = SOURCES[name]
    pool, test = source.load(Path(LT_DATA) if LT_DATA else None)
    for images in (pool, test):
        assert images.pixels.dtype == torch.uint8 and images.labels.dtype == torch.int64
        assert images.pixels.shape[1:] == (source.channels, source.image_size, source.image_size)
        assert images.pixels.is_contiguous() and images.pixels.max() == 255
    assert pool.labels.bincount().shape == (source.classes,) and pool.labels.bincount().min() >= source.n_max
    assert len(test) == {"digits": 400, "mnist": 10_000, "cifar10": 10_000}[name]
    sample = pool.pixels[::10].transpose(0, 1).flatten(1).double() / 255
    assert sample.mean(1).tolist() == pytest.approx(source.mean, abs=0.015)
    if name != "cifar10":  # the literature's 0.2023 is the mean of the images' own deviations
        assert sample.std(1).tolist() == pytest.approx(source.std, abs=0.015)


def test_names_are_the_keys():
    assert {name: source.name for name, source in SOURCES.items()} == {name: name for name in SOURCES}


@pytest.mark.parametrize("name", ON_DISK)
def test_without_a_data_folder_the_error_says_what_to_set(name):
    said = refused(name, None)
    assert f"dataset {name}" in said and "LT_DATA" in said and ON_DISK[name] in said


@pytest.mark.parametrize("name", ON_DISK)
def test_a_missing_folder_is_named(name, tmp_path):
    said = refused(name, tmp_path / "nowhere")
    assert f"dataset {name} is missing" in said and str(tmp_path / "nowhere" / ON_DISK[name]) in said


@pytest.mark.parametrize(("name", "file"), [("mnist", "train-images-idx3-ubyte"), ("cifar10", "data_batch_1")])
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


def test_images_are_indexed_together():
    images = Images(torch.arange(8, dtype=torch.uint8).view(4, 1, 1, 2), torch.tensor([3, 2, 1, 0]))
    chosen = images[np.array([2, 0])]
    assert (chosen.pixels.flatten().tolist(), chosen.labels.tolist(), len(chosen)) == (
        [4, 5, 0, 1],
        [1, 3],
        2,
    )
