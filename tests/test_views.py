import numpy as np
import pytest
import torch
from PIL import Image

from lt_core.views import crop_box, random_clip, random_image, read_image, still_clip, still_image, to_pixels


def saved(path, pixels):
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


@pytest.fixture
def noise(tmp_path):
    return saved(tmp_path / "noise.png", np.random.default_rng(0).integers(0, 256, (300, 400, 3)))


def draws(seed=0):
    return np.random.default_rng(seed)


def test_the_evaluation_view_is_torchvisions_resize_256_and_centre_224(noise):
    from torchvision.transforms import v2

    official = v2.Compose([v2.Resize(256), v2.CenterCrop(224), v2.PILToTensor()])(read_image(noise))
    assert torch.equal(still_image(noise, 224), official)


@pytest.mark.parametrize("shape", [(5, 900, 3), (900, 5, 3), (1, 1, 3), (16, 16, 3)])
def test_any_shape_has_a_view(shape, tmp_path):
    path = saved(tmp_path / "x.png", np.zeros(shape))
    for found in (still_image(path, 16), *(random_image(path, 16, draws(s), jitter=True) for s in range(5))):
        assert found.shape == (3, 16, 16) and found.dtype == torch.uint8


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK", "LA"])
def test_any_mode_is_read_as_rgb(mode, tmp_path):
    path = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
    Image.new(mode, (6, 6)).save(path)
    assert read_image(path).mode == "RGB"


def test_crop_boxes_are_distributed_as_torchvisions():
    from torchvision.transforms import RandomResizedCrop

    generator = draws()
    own = np.array([crop_box(400, 300, generator) for _ in range(3000)])
    torch.manual_seed(0)
    image = torch.empty(3, 300, 400)
    theirs = np.array([RandomResizedCrop.get_params(image, [0.08, 1], [3 / 4, 4 / 3]) for _ in range(3000)])
    left, top, right, bottom = own.T
    assert left.min() >= 0 and top.min() >= 0 and right.max() <= 400 and bottom.max() <= 300
    for found, expected in zip((top, left, bottom - top, right - left), theirs.T, strict=True):
        assert found.mean() == pytest.approx(expected.mean(), rel=0.06)
        assert found.std() == pytest.approx(expected.std(), rel=0.06)


def test_a_strip_has_the_centre_as_its_crop():
    assert crop_box(3000, 30, draws()) == (1480, 0, 1520, 30)


def test_half_of_the_views_are_flipped(tmp_path):
    ramp = np.tile(np.arange(200)[None, :, None], (200, 1, 3))
    path = saved(tmp_path / "ramp.png", ramp)
    views = [random_image(path, 8, draws(s), jitter=False).float() for s in range(200)]
    flipped = sum(bool(view[0, :, 0].mean() > view[0, :, -1].mean()) for view in views)
    assert 75 < flipped < 125


def test_jitter_changes_colours_within_its_range(tmp_path):
    path = saved(tmp_path / "x.png", np.full((20, 20, 3), (120, 60, 30)))
    reds = [int(random_image(path, 8, draws(s), jitter=True)[0, 0, 0]) for s in range(100)]
    assert random_image(path, 8, draws(), jitter=False)[:, 0, 0].tolist() == [120, 60, 30]
    assert len(set(reds)) > 30 and min(reds) < 90 and max(reds) > 150


@pytest.fixture
def clip(tmp_path):
    """31 frames of 640 x 500, whose blue is the frame's number and whose red is 200 right of the middle."""
    for i in range(31):
        pixels = np.zeros((500, 640, 3))
        pixels[:, 320:, 0], pixels[..., 2] = 200, i * 8
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{i:06d}.jpg", quality=100, subsampling=0)
    return tmp_path


def test_a_still_clip_is_the_centre_of_the_middle_frames_in_bgr(clip):
    found = still_clip(clip, 31, 8).float()
    assert found.shape == (3, 10, 8, 8)
    assert (found[0].mean((1, 2)) / 8).round().tolist() == [1, 4, 7, 10, 13, 16, 19, 22, 25, 28]
    assert found[2, :, :, :3].max() < 20 and found[2, :, :, 5:].min() > 180


def test_a_random_clip_has_one_frame_of_each_segment_and_one_crop_for_all(clip):
    found = torch.stack([random_clip(clip, 31, 16, draws(s)) for s in range(24)]).float()
    inner = found[:, 0, :, 4:12, 4:12].mean((2, 3))  # rotation blackens the corners
    segments = (inner / 8).round().div(3, rounding_mode="floor")
    assert torch.equal(segments, torch.arange(10.0).expand(24, -1))
    reds = found[:, 2]
    assert (reds - reds[:, :1]).abs().max() < 20  # all frames alike, but for JPEG's losses
    right = [bool(view[0, 4:12, 12].mean() > view[0, 4:12, 3].mean()) for view in reds]
    assert 5 < sum(right) < 19  # flipped about half of the time
    assert len({view[0].numpy().tobytes() for view in reds}) == 24  # crops and angles differ


def test_to_pixels_keeps_what_has_the_size():
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    assert to_pixels(image, 4).permute(1, 2, 0).flatten().tolist() == list(range(48))
