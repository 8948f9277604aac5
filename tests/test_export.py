import hashlib
import json
import subprocess
import sys

import pytest
import torch
from exporting import BEST, RANKED, checkpoint, home_with, night, trained
from mlflow import MlflowClient
from PIL import Image

from lt_core import InputError, TrainConfig
from lt_core.config import canonical
from tuning.exports.export import MARK, Folder, export, export_configs
from tuning.exports.exported import Exported
from tuning.exports.program import has_onnx, read
from tuning.log.events import EpochDone, StudyFolder
from tuning.log.store import Store, checkpoint_name
from tuning.shell.home import Home

CONFIGS = ["best.yaml", "best-2.yaml", "best-3.yaml"]
MODEL = ["model.pt2", *(["model.onnx"] if has_onnx() else []), "model_card.md"]
ALWAYS = ["scores.json", "README.md", "SHA256SUMS"]


@pytest.fixture
def home(tmp_path):
    return home_with(tmp_path / "home", night(fresh={1: 0.75, 2: 0.5}), kept=RANKED[0])


def exported(home: Home, top=3, model=True, register=False, device="cpu", name="out") -> Exported:
    return export(home, "night", top, home.path / name, by="score", model=model, register=register, device=device)


def names(found: Exported) -> list[str]:
    return [path.name for path in found.files]


# --- the configs ------------------------------------------------------------------------------------


def test_configs_are_written_by_rank_as_they_were_trained(home, tmp_path):
    found = export_configs(home.tracking_uri, "night", 99, tmp_path / "not" / "yet")
    assert names(found) == CONFIGS
    (note,) = found.notes
    assert note == f"{len(CONFIGS)} of the 99 configs asked for: study night has no more of full length"
    for path, trial in zip(found.files, RANKED, strict=True):
        config = TrainConfig.load(path.read_text(encoding="utf-8"))
        assert config == trained(trial).config and config.id == trained(trial).config.id


def test_a_file_says_where_it_comes_from(home, tmp_path):
    found = export_configs(home.tracking_uri, "night", 1, tmp_path)
    (path,) = found.files
    assert not found.notes
    head = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    score, epoch = trained(2).history[-1].score, trained(2).history[-1].best_epoch
    assert head[0] == "# IB on digits, imbalance 20.0: trial 2 of study night, rank 1"
    assert head[1] == f"# score {score!r} (best val accuracy), epoch {epoch}"
    assert "lt-tune train" in head[2] and head[3].startswith("# recorded: {")


@pytest.mark.parametrize(
    ("name", "says"),
    [("none", "the record has no study `none`"), ("short", "study short has no trial of full length to export yet")],
)
def test_what_has_no_best_config_is_refused_before_anything_is_written(tmp_path, name, says):
    home = home_with(tmp_path / "home", night("short")[:1])
    with pytest.raises(InputError, match=says):
        export(home, name, 1, tmp_path / "out", by="score", model=True, register=True, device="auto")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_refused(home, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="cannot be written: "):
            export(home, "night", 1, out, by="score", model=False, register=False, device="auto")


def test_a_record_that_does_not_answer_is_refused(tmp_path):
    with pytest.raises(InputError, match="is no folder that can be written"):
        export_configs(f"sqlite:///{tmp_path}/none/mlflow.db", "a", 1, tmp_path / "out")


def test_a_device_that_there_is_not_is_refused_before_anything_is_written(home, tmp_path):
    with pytest.raises(InputError, match="there is no device `tpu`"):
        export(home, "night", 1, tmp_path / "out", by="score", model=True, register=True, device="tpu")
    assert not (tmp_path / "out").exists()


def test_without_a_model_no_device_is_needed(home, tmp_path):
    found = export(home, "night", 1, tmp_path, by="score", model=False, register=False, device="tpu")
    assert "best.yaml" in names(found)


# --- the folder -------------------------------------------------------------------------------------


def test_it_holds_configs_model_card_scores_and_checksums_and_nothing_else(home):
    found = exported(home)
    assert names(found) == [*CONFIGS, *MODEL, *ALWAYS]
    assert sorted(path.name for path in (home.path / "out").iterdir()) == sorted(names(found))
    assert (found.registered, found.failed) == (None, False)
    assert all("score" not in note for note in found.notes)


def test_the_checksums_are_those_of_the_files(home):
    found = exported(home)
    *others, sums = found.files
    lines = dict(reversed(line.split("  ")) for line in sums.read_text().splitlines()[1:])
    assert lines == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in others}


def test_without_the_model_there_is_none(home):
    found = exported(home, model=False)
    assert names(found) == [*CONFIGS, *ALWAYS]
    assert json.loads((home.path / "out" / "scores.json").read_text())["model"] is None
    readme = (home.path / "out" / "README.md").read_text()
    assert "lt-tune train best.yaml" in readme and "predict" not in readme


def test_a_smaller_export_again_leaves_nothing_of_the_larger_and_all_of_the_users(home):
    exported(home)
    (home.path / "out" / "notes.txt").write_text("mine")
    exported(home, top=1, model=False)
    assert sorted(path.name for path in (home.path / "out").iterdir()) == sorted(["best.yaml", "notes.txt", *ALWAYS])


def sums(folder, *names, mark=MARK):
    """A folder's checksums of files of the text `x`, as an export writes them."""
    folder.mkdir(exist_ok=True)
    lines = [*([mark] if mark else []), *(f"{hashlib.sha256(b'x').hexdigest()}  {name}" for name in names)]
    (folder / "SHA256SUMS").write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize(("mark", "gone"), [(MARK, {"left.yaml"}), ("", set()), ("# mine", set())])
def test_only_what_an_export_wrote_and_nobody_changed_is_removed(tmp_path, mark, gone):
    out = tmp_path / "out"
    sums(out, "left.yaml", "changed.yaml", "absent.yaml", "../precious", str(tmp_path / "precious"), "..", mark=mark)
    files = {out / "left.yaml": "x", out / "changed.yaml": "mine", out / "b": "x", tmp_path / "precious": "x"}
    for path, text in files.items():
        path.write_text(text)
    Folder(out).close()
    assert {path.name for path in files if not path.exists()} == gone


@pytest.mark.parametrize("name", ["SHA256SUMS", "README.md"])
def test_a_folder_whose_files_would_be_written_over_is_refused(home, name):
    (home.path / "out").mkdir()
    (home.path / "out" / name).write_text("mine")
    with pytest.raises(InputError, match=rf"out has a {name} that no export wrote: give another folder"):
        exported(home)
    assert [path.name for path in (home.path / "out").iterdir()] == [name]


def test_the_checksums_are_those_that_sha256sum_checks(home):
    exported(home, model=False)
    done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=home.path / "out", check=False)
    assert done.returncode == 0


def test_the_scores_are_the_records(home):
    exported(home)
    scores = json.loads((home.path / "out" / "scores.json").read_text())
    assert (scores["study"], scores["space"]) == ("night", "mine")
    assert [config["file"] for config in scores["configs"]] == CONFIGS
    assert [config["trial"] for config in scores["configs"]] == list(RANKED)
    assert [config["score"] for config in scores["configs"]] == [trained(t).history[-1].score for t in RANKED]
    confirmed = scores["configs"][0]["confirmed"]
    assert (confirmed["score"]["mean"], confirmed["test_acc"]["mean"]) == (0.625, 0.3125)
    assert confirmed["score"]["by_seed"] == {"1": 0.75, "2": 0.5}
    model = scores["model"]
    assert (model["score"], model["difference"]) == (trained(2).history[-1].score, 0.0)
    assert model["test"]["acc"] == trained(2).test()["test_acc"]
    assert model["from"] == "the study's checkpoint"


# --- the model --------------------------------------------------------------------------------------


def accuracy(path, part):
    program, _ = read(path)
    return (program(part.pixels).argmax(1) == part.labels).double().mean().item()


def test_the_model_has_the_recorded_score(home):
    exported(home)
    parts = trained(2).parts
    assert accuracy(home.path / "out" / "model.pt2", parts.val) == trained(2).history[-1].score
    assert accuracy(home.path / "out" / "model.pt2", parts.test) == trained(2).test()["test_acc"]


def test_a_kept_checkpoint_is_not_trained_again(home, capsys):
    exported(home)
    assert "epoch" not in capsys.readouterr().err


@pytest.mark.parametrize("lost", ["checkpoint", "folder"])
def test_what_was_not_kept_is_trained_again_to_the_same_model(home, capsys, lost):
    folder = StudyFolder(home.path, "night")
    store = Store(str(folder.checkpoints))
    store.delete(checkpoint_name(2))
    if lost == "folder":
        folder.events_file.unlink()
    exported(home)
    err = capsys.readouterr().err
    assert "training trial 2 again" in err and "epoch   4/4" in err
    assert accuracy(home.path / "out" / "model.pt2", trained(2).parts.val) == trained(2).history[-1].score
    assert (store.read(checkpoint_name(2)) is not None) == (lost == "checkpoint")


def test_the_checkpoint_of_a_younger_study_of_the_name_is_not_used(home, capsys):
    Store(str(StudyFolder(home.path, "night").checkpoints)).write(checkpoint_name(2), checkpoint(0))
    exported(home)
    assert "training trial 2 again" in capsys.readouterr().err


def test_a_score_that_the_model_does_not_have_is_told(tmp_path):
    events = [e if not isinstance(e, EpochDone) or e.trial != 2 else lifted(e) for e in night()]
    found = exported(home_with(tmp_path / "home", events, kept=2))
    assert any(note.startswith("the model has score 0.8") and "the record 0.99" in note for note in found.notes)
    scores = json.loads((tmp_path / "home" / "out" / "scores.json").read_text())
    assert scores["model"]["difference"] == pytest.approx(trained(2).history[-1].score - 0.99)


def lifted(event: EpochDone) -> EpochDone:
    score = event.result["score"]
    return EpochDone(event.trial, {**event.result, "score": None if score is None else 0.99}, event.numerics)


def test_what_is_missing_for_onnx_is_told(home, monkeypatch):
    monkeypatch.setattr("tuning.exports.program.has_onnx", lambda: False)
    found = exported(home)
    assert "model.onnx" not in names(found)
    assert found.notes == ("model.onnx is left out: the packages onnx and onnxscript are not installed",)


def test_the_card_and_the_readme_say_how_it_was_chosen(home):
    exported(home)
    for name in ("model_card.md", "README.md"):
        text = (home.path / "out" / name).read_text()
        assert "On 2 fresh seeds its validation accuracy is 0.6250 on average, 95% interval [0.0000, 1.0000]." in text


def test_the_readmes_code_runs_with_torch_alone(home, tmp_path):
    exported(home)
    readme = (home.path / "out" / "README.md").read_text()
    code = readme.split("```python\n")[1].split("```")[0]
    pixels = trained(2).parts.test.pixels[:9]
    torch.save(pixels, tmp_path / "pixels.pt")
    before = f"import torch\npixels = torch.load({str(tmp_path / 'pixels.pt')!r})\n"
    after = "\nprint(probabilities.argmax(1).tolist(), classes)"
    done = subprocess.run(
        [sys.executable, "-c", before + code + after],
        cwd=home.path / "out",
        capture_output=True,
        text=True,
        check=False,
    )
    expected = trained(2).predictor()(pixels).argmax(1).tolist()
    assert done.stdout == f"{expected} {list('0123456789')}\n", done.stderr


# --- the commands -----------------------------------------------------------------------------------


def test_the_commands_of_the_readme_do_what_it_says(lt, tmp_path):
    home_with(tmp_path / "recorded", night(), kept=2)
    options = ("--home", tmp_path / "recorded")
    code, out, err = lt.here("export", "night", "--top", 2, "--out", "out", "--no-register", *options)
    assert code == 0, err
    assert out.splitlines()[-2:] == [
        "train it again: lt-tune train out/best.yaml",
        "classify with it: lt-tune predict out IMAGE_OR_FOLDER",
    ]

    score = trained(2).history[-1].score
    code, out, err = lt.here("train", "out/best.yaml")
    assert code == 0, err
    assert f"as recorded, bit for bit: score {score} at epoch" in out
    code, out, _ = lt.here("train", "out/best.yaml", "--json")
    assert json.loads(out)["recorded"]["exact"] is True and json.loads(out)["score"] == score
    code, out, _ = lt.here("train", "out/best.yaml", "--seed", 1, "--json")
    assert "recorded" not in json.loads(out)

    part = trained(2).parts.test
    Image.fromarray(part.pixels[7, 0].numpy()).save(tmp_path / "seven.png")
    code, out, _ = lt.here("predict", "out", "seven.png", "--json")
    assert code == 0
    expected = trained(2).predictor()(part.pixels[7:8]).argmax(1).item()
    assert json.loads(out)["images"][0]["class"] == str(expected)


def test_other_formats_write_the_configs_alone(lt, tmp_path):
    home_with(tmp_path / "recorded", night(), kept=2)
    command = ("export", "night", "--top", 2, "--out", "out", "--home", tmp_path / "recorded", "--json", "--format")
    for form, ending in (("json", ".json"), ("argparse", ".sh"), ("optuna", ".optuna.json")):
        code, out, err = lt.here(*command, form)
        assert code == 0, err
        files = [tmp_path / "out" / f"{name}{ending}" for name in ("best", "best-2")]
        assert [tmp_path / path for path in json.loads(out)["files"]] == files and all(f.exists() for f in files)
    assert len(list((tmp_path / "out").iterdir())) == 6
    code, out, err = lt.here(*command, "toml")
    assert (
        (code, out) == (2, "") and "there is no format `toml`" in err and "allowed: yaml, json, argparse, optuna" in err
    )
    code, _, err = lt.here("train", "out/best.json", "--epochs", 1)
    assert code == 0, err
    assert canonical(TrainConfig.parse(json.loads((tmp_path / "out" / "best.json").read_text()))).id == BEST.id


def test_the_model_is_registered(lt, tmp_path):
    home = home_with(tmp_path / "recorded", night(fresh={1: 0.75, 2: 0.5}), kept=2)
    code, out, err = lt.here("export", "night", "--out", "out", "--home", home.path, "--json")
    assert code == 0, err
    registered = json.loads(out)["registered"]
    assert (registered["name"], registered["version"], registered["alias"]) == ("lt-tune-mine", "1", "champion")
    version = MlflowClient(home.tracking_uri).get_model_version_by_alias("lt-tune-mine", "champion")
    assert version.description == (tmp_path / "out" / "model_card.md").read_text()
    assert "models:/lt-tune-mine/1" in (tmp_path / "out" / "README.md").read_text()


def test_a_registry_that_refuses_costs_no_file(home, monkeypatch):
    def refuse(*arguments):
        raise PermissionError("http://user:secret@host refuses")

    monkeypatch.setattr("tuning.exports.registry.register", refuse)
    found = exported(home, register=True)
    assert found.failed and names(found) == [*CONFIGS, *MODEL, *ALWAYS]
    assert found.notes[-1] == "the model is not registered in MLflow: http://***@host refuses"
