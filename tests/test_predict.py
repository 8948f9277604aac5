import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lt_core import Data, InputError, Run, SmallCNN, TrainConfig
from tuning.exports.predict import classify, pixels, predict
from tuning.exports.program import About, read, write

ROOT = Path(__file__).parent.parent
CONFIG = TrainConfig(
    data=Data(name="digits", imbalance=20, val_per_class=30), model=SmallCNN(), batch_size=16, epochs=4
)


@pytest.fixture(scope="module")
def run():
    found = Run(CONFIG)
    list(found.epochs())
    return found


@pytest.fixture(scope="module")
def export(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    write(run.predictor(), About.of(run), folder / "model.pt2")
    return folder


@pytest.fixture
def images(run, tmp_path):
    """A folder of 12 test images, some of them in a folder below it."""
    for i in range(12):
        path = tmp_path / "images" / ("more" if i % 3 else "") / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(run.parts.test.pixels[i * 30, 0].numpy()).save(path)
    return tmp_path / "images"


def document(capsys, *arguments, code=0):
    assert predict(*arguments) == code
    return json.loads(capsys.readouterr().out)


def test_a_folder_is_classified_as_the_network_classifies_it(run, export, images, capsys):
    found = document(capsys, export, [images], 2, False, True)
    assert found["config_id"] == CONFIG.id and found["refused"] == []
    assert len(found["images"]) == 12
    for image in found["images"]:
        number = int(Path(image["image"]).stem)
        expected = run.predictor()(run.parts.test.pixels[number * 30 :][:1])[0]
        assert image["class"] == str(int(expected.argmax())) == image["top"][0]["class"]
        assert image["probability"] == pytest.approx(float(expected.max()), abs=1e-6)
        first, second = (entry["probability"] for entry in image["top"])
        assert first >= second == pytest.approx(float(expected.topk(2).values[1]), abs=1e-6)


def test_files_and_folders_keep_their_order(export, images, capsys):
    given = [images / "03.png", images / "more", images / "00.png"]
    found = document(capsys, export / "model.pt2", given, 1, False, True)
    names = [Path(image["image"]).name for image in found["images"]]
    assert names == ["03.png", *sorted(path.name for path in (images / "more").iterdir()), "00.png"]


def test_the_table_has_a_row_for_each_image(export, images, capsys):
    assert predict(export, [images], 3, False, False) == 0
    out, err = capsys.readouterr()
    head, *rows = out.splitlines()
    assert head.split() == ["image", "class", "probability", "next"] and err == ""
    assert len(rows) == 12 and all(str(images) in row for row in rows)


def spoil(images):
    Image.new("L", (9, 8)).save(images / "size.png")
    Image.new("RGB", (8, 8)).save(images / "mode.png")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(images / "deep.png")
    (images / "damaged.jpg").write_bytes(b"not an image")
    (images / "[b]cut.png").write_bytes((images / "00.png").read_bytes()[:60])
    return {
        "size.png": "size.png is 9 x 8; the model reads 8 x 8: resize it, or give --fit",
        "mode.png": "mode.png has the mode RGB; the model reads L: convert it, or give --fit",
        "deep.png": "deep.png has the mode I;16; only images of 8 bits a channel can be read",
        "damaged.jpg": "damaged.jpg: it is damaged or no image",
        "[b]cut.png": "[b]cut.png: it is damaged or no image",
    }


def test_what_cannot_be_used_gets_a_sentence_and_the_others_their_classes(export, images, capsys):
    said = spoil(images)
    assert predict(export, [images], 3, False, True) == 1
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert len(found["images"]) == 12
    reasons = {Path(entry["image"]).name: entry["reason"] for entry in found["refused"]}
    assert reasons.keys() == said.keys() and all(reasons[name].endswith(said[name]) for name in said)
    assert err.splitlines() == [f"refused: {entry['reason']}" for entry in found["refused"]]


def test_fit_resizes_and_converts(export, images, capsys):
    spoil(images)
    found = document(capsys, export, [images], 3, True, True, code=1)
    used = {Path(image["image"]).name for image in found["images"]}
    assert {"size.png", "mode.png"} <= used
    assert {Path(entry["image"]).name for entry in found["refused"]} == {"deep.png", "damaged.jpg", "[b]cut.png"}


def test_nothing_to_classify_is_wrong_input(export, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert predict(export, [tmp_path / "none.png", tmp_path / "empty"], 3, False, False) == 2
    out, err = capsys.readouterr()
    assert out == "" and "none.png: there is no such file" in err and "empty holds no image" in err


def test_what_is_no_export_is_refused(tmp_path, images):
    with pytest.raises(InputError, match=r"holds no model\.pt2: it was exported with --no-model, or is no export"):
        predict(tmp_path, [images], 3, False, False)
    with pytest.raises(InputError, match=r"00\.png cannot be read: it is damaged, or no exported program"):
        predict(images / "00.png", [images], 3, False, False)


def test_more_images_than_a_batch_holds_are_each_read_once(run, export, tmp_path):
    model, about = read(export / "model.pt2")
    for i in range(150):
        Image.fromarray(run.parts.test.pixels[i, 0].numpy()).save(tmp_path / f"{i:03}.png")
    (tmp_path / "070.png").write_bytes(b"")
    answers = list(classify(model, about, sorted(tmp_path.iterdir()), top=1))
    expected = run.predictor()(run.parts.test.pixels[:150]).argmax(1)
    assert [bool(answer.refused) for answer in answers] == [i == 70 for i in range(150)]
    assert all(answer.top[0][0] == str(int(expected[i])) for i, answer in enumerate(answers) if i != 70)


# --- images of other kinds --------------------------------------------------------------------------


def about(**changes):
    given = {"config_id": "x", "classes": ("a", "b"), "channels": 3, "image_size": 8, "sizing": "exact"}
    return About(**{**given, "converts": True, **changes})


def coloured(path, size, mode="RGB"):
    draws = np.random.default_rng(0)
    Image.fromarray(draws.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)).convert(mode).save(path)
    return path


def test_images_of_files_become_rgb_as_in_training(tmp_path):
    for mode in ("L", "RGBA", "P"):
        assert pixels(coloured(tmp_path / "x.png", (8, 8), mode), about(), False).shape == (3, 8, 8)


def test_squeezed_and_centred_images_may_have_any_size(tmp_path):
    path = coloured(tmp_path / "x.png", (21, 14))
    squeezed, centre = (pixels(path, about(sizing=sizing), False) for sizing in ("squeezed", "centre"))
    assert squeezed.shape == centre.shape == (3, 8, 8) and squeezed.dtype == centre.dtype == torch.uint8
    assert not torch.equal(squeezed, centre)


def test_a_clip_is_a_folder_of_frames(tmp_path, capsys):
    for clip in ("one", "two"):
        (tmp_path / clip).mkdir()
        for frame in range(11):
            coloured(tmp_path / clip / f"{frame:06}.jpg", (12, 10))
    said = about(sizing="clip")

    class Two(torch.nn.Module):
        def forward(self, x):
            return torch.tensor([[0.25, 0.75]]).expand(len(x), 2)

    assert pixels(tmp_path / "one", said, False).shape == said.shape == (3, 10, 8, 8)
    answers = list(classify(Two(), said, [tmp_path / "one", tmp_path / "two"]))
    assert [answer.top for answer in answers] == [(("b", 0.75), ("a", 0.25))] * 2


# --- from the file alone ----------------------------------------------------------------------------


def test_the_command_needs_neither_ray_nor_optuna_nor_mlflow(export, images, tmp_path):
    code = (
        "import sys\n"
        "from tuning.cli import main\n"
        f"sys.argv = ['lt-tune', 'predict', {str(export)!r}, {str(images)!r}, '--json']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    heavy = {'ray', 'optuna', 'mlflow', 'pyarrow', 'scipy'} & set(sys.modules)\n"
        "    sys.exit(end.code or ' '.join(sorted(heavy)) or 0)\n"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["images"]) == 12
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images"]  # no home was made
