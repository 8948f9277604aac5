import os
from pathlib import Path

import pytest

from lt_core import InputError
from lt_core.value import Value
from tuning.shell.home import Home, load_file

NAMES = ("LT_HOME", "LT_DATA", "MLFLOW_TRACKING_URI")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_a_home_lies_in_the_working_directory_with_its_record_and_data(tmp_path):
    home = Home.at(None, None)
    assert home == Home(tmp_path / "lt-runs", f"sqlite:///{tmp_path}/lt-runs/mlflow.db", tmp_path / "lt-runs" / "data")
    assert home.artifacts == tmp_path / "lt-runs" / "artifacts"


def test_it_is_made(tmp_path):
    assert Home.at(Path("a/b"), None).path.is_dir()


def test_the_environment_moves_its_parts(tmp_path, monkeypatch):
    for name, value in zip(NAMES, ("h", "~/d", "http://localhost:5000"), strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    assert Home.at(None, None) == Home(tmp_path / "h", "http://localhost:5000", tmp_path / "user" / "d")


def test_options_come_before_the_environment(tmp_path, monkeypatch):
    for name in NAMES:
        monkeypatch.setenv(name, "environment")
    home = Home.at(Path("option"), "http://option")
    assert (home.path, home.tracking_uri) == (tmp_path / "option", "http://option")


def test_an_empty_variable_is_none(tmp_path, monkeypatch):
    expected = Home.at(None, None)
    for name in NAMES:
        monkeypatch.setenv(name, "")
    assert Home.at(None, None) == expected


def test_paths_are_absolute_and_know_the_user_s_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    assert Home.at(Path("~/runs"), None).path == tmp_path / "user" / "runs"
    monkeypatch.setenv("LT_HOME", "~/other")
    assert Home.at(None, None).path == tmp_path / "user" / "other"
    assert Path(os.environ["LT_HOME"]) != Home.at(None, None).path


@pytest.mark.parametrize("home", ["file", "file/below"])
def test_a_home_that_cannot_be_made_is_refused(home):
    Path("file").write_text("")
    with pytest.raises(InputError, match=r"file(/below)? cannot be made: "):
        Home.at(Path(home), None)


# --- the user's files -------------------------------------------------------------------------------


class Note(Value):
    about: str
    lr: float


def load(name: str) -> Note:
    return load_file(Path(name), lambda plain: Note)


def test_yaml_is_read_with_its_umlauts(tmp_path):
    Path("a.yaml").write_bytes("about: Größe\nlr: 1e-3\n".encode())
    assert load("a.yaml") == Note(about="Größe", lr=1e-3)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: 1\na: 2\n", "a.yaml, line 2: the key `a` is given twice"),
        (b"a: [1\n", "a.yaml, line 2: not valid YAML: "),
        (b"a: \xff\n", "a.yaml cannot be read: "),
        (b"a: \x07\n", "a.yaml, line 1: not valid YAML: "),
        (b"about: x\n\nlr: fast\n", "a.yaml, line 3: `lr` is 'fast'"),
        (b"about: x\n", "a.yaml, line 1: `lr` is missing"),
    ],
)
def test_a_file_that_is_not_is_refused_with_its_name_and_line(content, says):
    Path("a.yaml").write_bytes(content)
    with pytest.raises(InputError) as caught:
        load("a.yaml")
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize("name", ["none.yaml", "."])
def test_what_is_no_file_is_refused_with_its_name(name):
    with pytest.raises(InputError, match=f"{name} cannot be read: "):
        load(name)
