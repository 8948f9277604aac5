import importlib.util
import re
import shutil
from pathlib import Path

import pytest
import torch

import lt_core
from lt_core import Data, SmallCNN, TrainConfig
from lt_core.identity import core_id, numerics

CONFIG = TrainConfig(data=Data(name="digits", imbalance=20, val_per_class=20), model=SmallCNN())


@pytest.fixture
def package(tmp_path):
    return Path(shutil.copytree(Path(lt_core.__file__).parent, tmp_path / "lt_core"))


def id_of(package: Path) -> str:
    """The core_id that a copied package computes for itself."""
    spec = importlib.util.spec_from_file_location("copied_identity", package / "identity.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.core_id()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_copy_elsewhere_has_the_same_id(package):
    assert re.fullmatch("[0-9a-f]{12}", core_id())
    assert id_of(package) == core_id()


def test_comments_layout_and_docstrings_do_not_count(package):
    edit(package / "weights.py", '"""Every class counts the same."""', '"""Another\n\n    text."""')
    edit(package / "weights.py", "import torch", "# a comment\n\n\nimport torch")
    assert id_of(package) == core_id()


@pytest.mark.parametrize("new", ["torch.zeros(len(counts)", "(torch.ones)(len(tuple(counts))"])
def test_code_counts(package, new):
    edit(package / "weights.py", "torch.ones(len(counts)", new)
    assert id_of(package) != core_id()


def test_a_moved_or_a_new_file_counts(package):
    (package / "extra.py").write_text("")
    added = id_of(package)
    (package / "extra.py").rename(package / "other.py")
    assert len({added, id_of(package), core_id()}) == 3


def test_numerics_tell_threads_precision_and_torch():
    cpu = torch.device("cpu")
    one = numerics(CONFIG, cpu, 1)
    assert torch.__version__ in one and "threads=1" in one and "fp32" in one
    bf16 = CONFIG.model_copy(update={"precision": "bf16"})
    assert len({one, numerics(CONFIG, cpu, 2), numerics(bf16, cpu, 1)}) == 3
