import layout_folders as folders
import numpy as np
import pytest
import torch
from PIL import Image

from lt_core import Data
from lt_core.batches import Batches
from lt_core.data import load_parts
from lt_core.images import Images


def test_images_are_indexed_together():
    images = Images(torch.arange(8, dtype=torch.uint8).view(4, 1, 1, 2), torch.tensor([3, 2, 1, 0]))
    chosen = images[np.array([2, 0])]
    assert (chosen.pixels.flatten().tolist(), chosen.labels.tolist(), len(chosen)) == ([4, 5, 0, 1], [1, 3], 2)


def test_batches_in_memory_are_in_order():
    images = Images(torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1), torch.arange(5))
    assert [labels.tolist() for _, labels in images.batches(2)] == [[0, 1], [2, 3], [4]]
    assert list(images[np.array([], dtype=np.int64)].batches(2)) == []


def test_resizing_is_torchvisions():
    from torchvision.transforms.v2.functional import resize

    pixels = torch.randint(0, 256, (3, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = Images(pixels, torch.arange(3)).resized(32).pixels
    assert (found.int() - resize(pixels, [32, 32], antialias=True).int()).abs().max() <= 1


@pytest.fixture
def files(tmp_path):
    folders.imagenet_lt(tmp_path)
    return load_parts(Data(name="imagenet-lt", image_size=16), tmp_path).train


def epoch(files, augment, workers=0, seed=1, order=None):
    order = torch.arange(len(files)) if order is None else order
    draws = torch.Generator().manual_seed(seed)
    pixels, labels = zip(*Batches(files, augment, workers).epoch(order, 5, draws), strict=True)
    return torch.cat(pixels), torch.cat(labels)


def test_files_are_evaluated_in_order_and_always_alike(files):
    first, again = (list(files.batches(size)) for size in (5, 12))
    assert torch.equal(torch.cat([pixels for pixels, _ in first]), again[0][0])
    assert torch.equal(torch.cat([labels for _, labels in first]), files.labels)
    assert list(files[np.array([], dtype=np.int64)].batches(2)) == []


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("augment", ["random_resized_crop", "random_resized_crop_jitter"])
def test_the_draws_of_files_do_not_depend_on_the_number_of_workers(files, augment):
    (alone, labels), (several, _), (other, _) = (epoch(files, augment, *how) for how in ((0,), (2,), (0, 2)))
    assert torch.equal(alone, several) and not torch.equal(alone, other)
    assert torch.equal(labels, files.labels)


def test_each_position_of_an_order_has_draws_of_its_own(files):
    pixels, labels = epoch(files, "random_resized_crop", order=torch.tensor([3] * 8))
    assert len({p.numpy().tobytes() for p in pixels}) == 8 and set(labels.tolist()) == {int(files.labels[3])}


def test_without_augmentation_an_epoch_of_files_is_what_is_evaluated(files):
    order = torch.tensor([4, 4, 0])
    still = torch.cat([pixels for pixels, _ in files.batches(5)])
    assert torch.equal(epoch(files, "none", order=order)[0], still[order])


def test_decoded_files_are_squeezed_to_a_square(tmp_path):
    path = folders.imagenet(tmp_path)
    parts = load_parts(Data(name="imagenet", augment="none", image_size=20, subset="file_order"), tmp_path)
    first = Image.open(path / "train" / "n01440764" / "n01440764_0.JPEG").resize((20, 20), Image.Resampling.BILINEAR)
    assert np.array_equal(parts.train.pixels[0].permute(1, 2, 0).numpy(), np.array(first))


def test_a_clip_is_drawn_anew_and_the_same_for_all_workers(tmp_path):
    folders.egtea(tmp_path, 22, range(1, 20))
    files = load_parts(Data(name="egtea", image_size=8), tmp_path).train
    first, other = (epoch(files, "clip_crop_rotate", seed=s)[0] for s in (1, 2))
    assert first.shape == (19, 3, 10, 8, 8) and not torch.equal(first, other)
    assert torch.equal(first, epoch(files, "clip_crop_rotate")[0])
