import re

import pytest
import torch

from lt_core import InputError
from lt_core.models import ResNet, ResNeXt3D


@pytest.fixture(scope="module")
def state():
    """ResNet-10 of another initialisation, 5 classes, in torchvision's names."""
    return named(built(ResNet(depth=10), 3, 5, seed=1))


def built(settings, channels, classes, root=None, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return settings.build(channels, 32, classes, root=root)


def named(model):
    state = {n.removeprefix("body."): t for n, t in model.state_dict().items()}
    return {n.replace("classifier.", "fc."): t for n, t in state.items()}


def loaded(folder, saved, channels=3, classes=5, **changes):
    """A ResNet-10 built from a file of the data folder that holds what is given."""
    torch.save(saved, folder / "weights.pth")
    return built(ResNet(depth=10, weights="weights.pth", **changes), channels, classes, folder)


def refused(folder, saved, **changes):
    with pytest.raises(InputError) as error:
        loaded(folder, saved, **changes)
    assert str(folder / "weights.pth") in str(error.value) and "\n" not in str(error.value)
    return str(error.value).partition("weights.pth")[2]


def test_all_weights_come_from_the_file(tmp_path, state):
    ours = named(loaded(tmp_path, state))
    assert ours.keys() == state.keys()
    assert all(torch.equal(ours[name], state[name]) for name in state)


def test_an_absolute_path_needs_no_data_folder(tmp_path, state):
    torch.save(state, tmp_path / "weights.pth")
    model = built(ResNet(depth=10, weights=str(tmp_path / "weights.pth")), 3, 5)
    assert torch.equal(model.body.conv1.weight, state["conv1.weight"])


@pytest.mark.parametrize("changes", [{"classes": 7}, {"head": "cosine"}], ids=str)
def test_another_classifier_stays_as_it_was_drawn(tmp_path, state, changes):
    model = loaded(tmp_path, state, **changes)
    classes = changes.get("classes", 5)
    fresh = built(ResNet(depth=10, head=changes.get("head")), 3, classes)
    assert torch.equal(model.classifier.weight, fresh.classifier.weight)
    assert torch.equal(model.body.conv1.weight, state["conv1.weight"])


def test_a_file_without_a_classifier_serves(tmp_path, state):
    body = {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}
    assert torch.equal(loaded(tmp_path, body).body.conv1.weight, state["conv1.weight"])


def test_old_files_have_no_batch_counters(tmp_path, state):
    old = {name: tensor for name, tensor in state.items() if "num_batches" not in name}
    assert torch.equal(loaded(tmp_path, old).body.bn1.weight, state["bn1.weight"])


def test_a_grey_image_is_read_as_three_equal_colours(tmp_path, state):
    colour, grey = (loaded(tmp_path, state, channels=channels).eval() for channels in (3, 1))
    x = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(grey(x).logits, colour(x.expand(-1, 3, -1, -1)).logits, atol=1e-4)


def test_a_checkpoint_of_a_network_on_several_gpus_serves(tmp_path, state):
    saved = {"epoch": 200, "state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}
    ours = named(loaded(tmp_path, saved))
    assert all(torch.equal(ours[name], state[name]) for name in state)


@pytest.mark.slow
def test_the_3d_resnext_reads_the_kinetics_file(tmp_path):
    theirs = {f"module.{n}": t for n, t in named(built(ResNeXt3D(), 3, 400, seed=1)).items()}
    torch.save({"epoch": 200, "arch": "resnext-101", "state_dict": theirs}, tmp_path / "kinetics.pth")
    model = built(ResNeXt3D(weights="kinetics.pth"), 3, 19, tmp_path)
    assert torch.equal(model.body.layer3[22].conv2.weight, theirs["module.layer3.22.conv2.weight"])
    assert model.classifier.weight.shape == (19, 2048)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=re.escape(f"there is no weights file {tmp_path / 'none.pth'}")):
        built(ResNet(weights="none.pth"), 3, 5, tmp_path)


def test_a_file_that_does_not_fit_is_refused(tmp_path, state):
    lacking = {name: tensor for name, tensor in state.items() if name != "layer2.0.conv1.weight"}
    assert refused(tmp_path, lacking) == " does not fit the network: it has no `layer2.0.conv1.weight`"
    more = {**state, "layer1.1.conv1.weight": torch.zeros(1)}
    assert refused(tmp_path, more) == " does not fit the network, which has no `layer1.1.conv1.weight`"
    wrong = " does not fit the network: `conv1.weight` is [64, 3, 7, 7], not [64, 2, 7, 7]"
    assert refused(tmp_path, state, channels=2) == wrong


@pytest.mark.parametrize("saved", [[1, 2], {"epoch": 3}, {"state_dict": {"conv1.weight": 1}}], ids=str)
def test_a_file_without_a_state_dict_is_refused(tmp_path, saved):
    assert refused(tmp_path, saved) == " holds no state dict: it must map names to tensors"


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b"not weights", lambda b: b[: len(b) // 2]])
def test_a_damaged_file_is_refused(tmp_path, state, damage):
    path = tmp_path / "weights.pth"
    torch.save({"conv1.weight": state["conv1.weight"]}, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="cannot be read: it is damaged") as error:
        built(ResNet(depth=10, weights=str(path)), 3, 5)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    assert "cannot be read" in refused(tmp_path, {"conv1.weight": print})
