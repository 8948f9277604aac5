import io
import json
import subprocess
import sys
import zipfile

import pytest
import torch

from lt_core import Data, InputError, ResNet, ResNet32, Run, SmallCNN, TrainConfig, override
from search_spaces import baselines
from tuning.exports.program import ABOUT, About, has_onnx, read, write, write_onnx

DIGITS = TrainConfig(
    data=Data(name="digits", imbalance=20, val_per_class=30), model=SmallCNN(), batch_size=16, epochs=1
)
CONFIGS = {
    "small_cnn": DIGITS,
    "lenet5": override(DIGITS, {"model": {"kind": "lenet5"}}),
    "resnet32": DIGITS.replaced(model=ResNet32()),
    "ghost batches": DIGITS.replaced(model=ResNet32(ghost_batch=8)),
    "resnet10": DIGITS.replaced(model=ResNet(depth=10)),
    "cosine head": baselines.ldam(DIGITS),
    "tau-normalised": baselines.tau_normalised(DIGITS),
    "adjusted": baselines.post_hoc_adjusted(DIGITS),
}


@pytest.fixture(scope="module")
def run():
    found = Run(DIGITS)
    found.step()
    return found


@pytest.fixture
def written(run, tmp_path):
    write(run.predictor(), About.of(run), tmp_path / "model.pt2")
    return tmp_path / "model.pt2"


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_program_gives_what_the_predictor_gives_for_any_number_of_images(config, tmp_path):
    run = Run(config)
    predictor, about = run.predictor(), About.of(run)
    write(predictor, about, tmp_path / "model.pt2")
    program, said = read(tmp_path / "model.pt2")
    assert said == about
    for count in (1, 2, 33):
        pixels = run.parts.test.pixels[:count]
        assert torch.equal(program(pixels), predictor(pixels))


def test_it_says_what_it_takes_and_gives(run, written):
    _, about = read(written)
    assert about == About(
        config_id=DIGITS.id,
        classes=tuple("0123456789"),
        channels=1,
        image_size=8,
        sizing="exact",
        converts=False,
    )
    assert about.shape == (1, 8, 8)


def test_the_file_loads_with_torch_alone(run, written):
    pixels = run.parts.test.pixels[:5]
    code = (
        "import io, json, sys, torch\n"
        f"extra = {{{ABOUT!r}: ''}}\n"
        f"program = torch.export.load({str(written)!r}, extra_files=extra).module()\n"
        "pixels = torch.load(io.BytesIO(sys.stdin.buffer.read()))\n"
        "assert not {'lt_core', 'tuning', 'search_spaces'} & set(sys.modules)\n"
        f"print(json.dumps([json.loads(extra[{ABOUT!r}])['classes'], program(pixels).tolist()]))\n"
    )
    stream = io.BytesIO()
    torch.save(pixels, stream)
    done = subprocess.run([sys.executable, "-c", code], input=stream.getvalue(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    classes, probabilities = json.loads(done.stdout)
    assert classes == list("0123456789")
    assert torch.allclose(torch.tensor(probabilities), run.predictor()(pixels), atol=1e-6)


def test_a_program_refuses_pixels_of_another_type_or_size(written):
    program, _ = read(written)
    with pytest.raises(RuntimeError, match="dtype"):
        program(torch.zeros(2, 1, 8, 8))
    with pytest.raises((RuntimeError, AssertionError), match="size"):
        program(torch.zeros(2, 1, 9, 8, dtype=torch.uint8))


def damaged(content):
    place = len(content) // 2
    return content[:place] + bytes(255 - byte for byte in content[place : place + 20]) + content[place + 20 :]


@pytest.mark.parametrize("spoil", [lambda c: b"", lambda c: b"x" * 500, lambda c: c[:9000], damaged])
def test_a_damaged_file_is_refused_in_a_sentence(written, spoil, capfd):
    written.write_bytes(spoil(written.read_bytes()))
    with pytest.raises(InputError, match=r"model.pt2 (is damaged|cannot be read: it is damaged)"):
        read(written)
    assert capfd.readouterr() == ("", "")


def test_what_is_no_export_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.pt2 cannot be read: No such file or directory"):
        read(tmp_path / "none.pt2")
    with zipfile.ZipFile(tmp_path / "other.pt2", "w") as archive:
        archive.writestr("model/data.txt", "of somebody else")
    with pytest.raises(InputError, match="was not written by lt-tune export"):
        read(tmp_path / "other.pt2")


@pytest.mark.skipif(not has_onnx(), reason="onnx and onnxscript are not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_onnx_gives_the_same(run, tmp_path):
    import onnx
    from onnx.reference import ReferenceEvaluator

    write_onnx(run.predictor(), About.of(run), tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    pixels = run.parts.test.pixels[:7]
    (found,) = ReferenceEvaluator(model).run(None, {"pixels": pixels.numpy()})
    assert torch.allclose(torch.from_numpy(found), run.predictor()(pixels), atol=1e-5)
    assert About.parse(json.loads({p.key: p.value for p in model.metadata_props}[ABOUT])) == About.of(run)
