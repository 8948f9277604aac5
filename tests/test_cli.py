import errno
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from lt_core import __version__
from search_spaces import CONFIGS, SPACES, Study
from tuning import cli
from tuning.log.events import StudyFolder

ROOT = Path(__file__).parent.parent
STUDY = Study(space=SPACES["demo"])


def test_help_waits_for_no_heavy_import():
    code = (
        "import sys\n"
        "from tuning.cli import main\n"
        "sys.argv = ['lt-tune', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    heavy = {'torch', 'ray', 'mlflow', 'optuna', 'numpy', 'lt_core', 'search_spaces'} & set(sys.modules)\n"
        "    sys.exit(end.code or ' '.join(sorted(heavy)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "search" in done.stdout and "train" in done.stdout


def test_the_version_is_that_of_the_package():
    command = [sys.executable, "-m", "tuning.cli", "--version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == __version__


def test_every_verb_takes_what_the_contract_says():
    verbs = typer.main.get_command(cli.app).commands  # pyright: ignore[reportAttributeAccessIssue]
    taken = {name: {option for each in verb.params for option in each.opts} for name, verb in verbs.items()}
    lacking = {name: {"--home", "--tracking-uri", "--json"} - options for name, options in taken.items()}
    assert len(lacking) > 10 and not any(lacking.values()), lacking


# --- what is refused --------------------------------------------------------------------------------

SEARCH = [
    (["no-such"], "there is no space `no-such`; allowed: demo"),
    (["dmo"], "did you mean `demo`?"),
    (["demo", "--set", "optimizer.lrr=0.1"], "did you mean `optimizer.lr`?"),
    (["demo", "--set", "phases.1.start=3"], "--fix T1=VALUE to fix it, or --range T1=LOW..HIGH"),
    (["demo", "--set", "phases.1.loss={kind: cross_entropy}"], "--fix epsilon=VALUE"),
    (["demo", "--set", "optimizer.lr=-1"], "`optimizer.lr` is -1"),
    (["demo", "--set", "epochs=many"], "`epochs` is 'many'"),
    (["demo", "--set", "optimizer.lr"], "--set `optimizer.lr` must have the form NAME=VALUE"),
    (["demo", "--set", "optimizer.lr=[1"], "not valid YAML"),
    (["demo", "--set", "data.name=digit"], "allowed: digits, mnist, mnist-4-9, cifar10"),
    (["demo", "--set", "data.name=cifar10"], "dataset cifar10 is missing"),
    (["demo", "--set", "data.val_per_class=0"], "needs validation images"),
    (["demo", "--fix", "T1=11"], "T1: 11 is not a whole number in [0, 10]"),
    (["demo", "--fix", "T1"], "--fix `T1` must have the form NAME=VALUE"),
    (["demo", "--fix", "t1=3"], "there is no symbol `t1` (did you mean `T1`?)"),
    (["demo", "--fix", "T1=1", "--fix", "alpha=10", "--fix", "epsilon=1e-3"], "nothing is left to search"),
    (["demo", "--range", "alpha=10"], "must have the form alpha=LOW..HIGH"),
    (["demo", "--range", "alpha=9..1"], "alpha: low must be below high"),
    (["demo", "--try", "T1=99"], "T1: 99 is not a whole number"),
    (["demo", "--try", "T1"], "--try `T1` must have the form NAME=VALUE"),
    (["demo", "--rungs", "soon"], "--rungs `soon` must be none, epochs such as 20,40, or phase:20,40"),
    (["demo", "--rungs", "10,12"], "a rung at epoch 10 cannot compare"),
    (["demo", "--trials", "0"], "`trials` is 0"),
    (["demo", "--trials", "many"], ", but is many"),
    (["demo", "--concurrent", "0"], "`concurrent` is 0"),
    (["demo", "--cpus", "-1"], "`cpus` is -1"),
    (["demo", "--sampler", "tpf"], "`sampler` is 'tpf' (did you mean `tpe`?)"),
    (["demo", "--seed", "-1"], "`seed` is -1"),
    (["demo", "--epochs", "0"], "--epochs is 0; it must be at least 1"),
    (["demo", "--scale", "-2"], "--scale is -2; it must be a number above 0"),
    (["demo", "--scale", "nan"], "nan"),
    (["demo", "--scale", "2", "--epochs", "8"], "give one of them"),
    (["demo", "--name", "../x"], "--name `../x` is no study name"),
    (["demo", "--resume"], "there is no unfinished study of demo"),
    (["demo", "--resume", "--name", "demo-1"], "there is no study demo-1 to resume"),
    (["demo", "--no-such-option"], "No such option: --no-such-option"),
    ([], "Missing argument"),
    (["none.yaml"], "none.yaml cannot be read: No such file"),
    (["demo", "--tracking-uri", "sqlite:////no/such/folder/mlflow.db"], "/no/such/folder is no"),
    (["demo", "--tracking-uri", "gopher://x"], "gopher://x does not answer"),
]


@pytest.mark.parametrize(("arguments", "sentence"), SEARCH, ids=[" ".join(a) for a, _ in SEARCH])
def test_search_refuses(refused, arguments, sentence):
    assert sentence in refused("search", *arguments)


OTHERS = [
    (["trane"], "No such command 'trane'"),
    (["train", "no-such"], "there is no config `no-such`; allowed: demo, demo-ce"),
    (["train", "none.yaml"], "none.yaml cannot be read"),
    (["train", "demo", "--set", "phases.2.start=3"], "there is no path `phases.2.start`"),
    (["train", "demo", "--epochs", "0"], "0"),
    (["train", "demo", "--threads=0"], "'--threads': Input should be greater than or equal to 1, but is 0"),
    (["train", "demo", "--device", "tpu"], "there is no device `tpu`"),
    (["train", "ce-cifar10"], "dataset cifar10 is missing"),
    (["train", "demo", "--tracking-uri", "sqlite:////no/such/folder/mlflow.db"], "/no/such/folder is no"),
    (["export", "no-such"], "the record has no study `no-such`"),
    (["export", "../x"], "the record has no study `../x`"),
    (["export", "demo-1", "--top", "0"], "--top"),
    (["export", "demo-1", "--format", "toml"], "there is no format `toml`"),
    (["predict", "none", "x.png"], "none cannot be read: No such file or directory"),
    (["predict", "none"], "Missing argument"),
    (["predict", "none", "x.png", "--top", "0"], "--top"),
    (["show", "dmo"], "there is no file, config, space or table `dmo` (did you mean `demo`?)"),
    (["submit", "--address", "http://127.0.0.1:1", "search", "demo"], "127.0.0.1:1"),
    (["submit", "--json", "search", "demo", "--address", "http://127.0.0.1:1"], "127.0.0.1:1 is no Ray dashboard"),
    (["submit", "export", "demo-1"], "submit takes one of search, ablate, train and its options, not `export`"),
    (["status", "--address", "http://127.0.0.1:1"], "--address http://127.0.0.1:1 is no Ray dashboard"),
    (["logs", "a-job", "--address", "http://127.0.0.1:1"], "--address http://127.0.0.1:1 is no Ray dashboard"),
    (["stop", "a-job", "--address", "http://127.0.0.1:1"], "--address http://127.0.0.1:1 is no Ray dashboard"),
    (["ui", "no-such", "--no-browser"], "the record has no study `no-such`"),
    (["sync", "no-such"], "there is no study no-such"),
    (
        ["submit", "search", "demo", "--tracking-uri", "http://u:pw@h"],
        "http://***@h has a password, which the cluster's",
    ),
]


@pytest.mark.parametrize(("arguments", "sentence"), OTHERS, ids=[" ".join(a) for a, _ in OTHERS])
def test_the_other_verbs_refuse(refused, arguments, sentence):
    assert sentence in refused(*arguments)


FILES = [
    ("- a list", "file.yaml, line 1: "),
    ("name: [x", "file.yaml, line 1: not valid YAML"),
    ("name: x\nname: y", "file.yaml, line 2: the key `name` is given twice"),
    (SPACES["demo"].dump() + "colour: red\n", "file.yaml, line LAST: there is no field `colour`"),
    (STUDY.dump() + "trails: 3\n", "file.yaml, line LAST: there is no field `trails` (did you mean `trials`?)"),
    (STUDY.dump().replace("low: 0\n", "low: 20\n"), "file.yaml, line LOW: `space.domains.T1`: low must be below high"),
    (
        STUDY.dump().replace("path: phases.1.start", "path: phases.1.strat"),
        "file.yaml, line STRAT: `space`: T1: there is no path `phases.1.strat` (did you mean `phases.1.start`?)",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), FILES)
def test_search_names_the_file_and_the_line_that_it_refuses(refused, tmp_path, text, sentence):
    (tmp_path / "file.yaml").write_text(text)
    lines = text.splitlines()
    wrong = {"LOW": "low: 20", "STRAT": "strat"}
    numbers = {name: n for name, part in wrong.items() for n, line in enumerate(lines, 1) if part in line}
    for name, number in {"LAST": len(lines), **numbers}.items():
        sentence = sentence.replace(f"line {name}:", f"line {number}:")
    assert refused("search", "file.yaml").startswith(sentence)


def test_train_names_the_file_that_it_refuses(refused, tmp_path):
    (tmp_path / "file.yaml").write_text(CONFIGS["demo"].dump() + "epoch: 3\n")
    assert "there is no field `epoch` (did you mean `epochs`?)" in refused("train", "file.yaml")


def test_a_damaged_data_file_is_named(refused, tmp_path, monkeypatch):
    monkeypatch.setenv("LT_DATA", str(tmp_path))
    file = tmp_path / "cifar-10-batches-py" / "data_batch_1"
    file.parent.mkdir()
    file.write_bytes(b"half a file")
    said = refused("search", "ib2021-cifar10")
    assert "dataset cifar10 is damaged" in said and str(file) in said


def test_the_data_of_every_label_is_looked_for(refused, tmp_path):
    space = SPACES["demo"].plain()
    labels = {"digits": {}, "mnist": {"data.name": "mnist"}}
    space["domains"] = {"data": {"kind": "choice", "labels": labels}}
    (tmp_path / "file.yaml").write_text(json.dumps(space))
    assert "dataset mnist is missing" in refused("search", "file.yaml")


def test_a_study_of_the_name_shows_both_ways_on(refused, tmp_path):
    folder = StudyFolder(tmp_path / "lt-runs", "night")
    folder.path.mkdir(parents=True)
    folder.write_study(STUDY.dump())
    said = refused("search", "demo", "--name", "night")
    assert "study night exists" in said and "--resume" in said and "another --name" in said
    assert "did you mean `night`?" in refused("search", "demo", "--resume", "--name", "nigth")


def test_a_study_does_not_go_on_as_another(refused, tmp_path):
    folder = StudyFolder(tmp_path / "lt-runs", "night")
    folder.path.mkdir(parents=True)
    folder.write_study(STUDY.dump())
    again = ("search", "demo", "--resume", "--name", "night")
    assert "`seed` (0, now 1)" in refused(*again, "--seed", 1)
    assert "`space.base.optimizer.lr` (0.05, now 0.1)" in refused(*again, "--set", "optimizer.lr=0.1")
    assert "`space.domains.T1.high` (10, now 9)" in refused(*again, "--range", "T1=0..9")
    assert "`space.name` (demo, now ib2021-cifar10)" in refused("search", "ib2021-cifar10", *again[2:])


def test_a_home_that_cannot_be_made_is_refused(refused, tmp_path):
    (tmp_path / "file").touch()
    assert "file/home cannot be made" in refused("search", "demo", "--home", tmp_path / "file" / "home")


@pytest.mark.parametrize("verb", ["search", "train"])
def test_a_record_that_does_not_answer_is_refused_soon(refused, verb, monkeypatch):
    monkeypatch.setattr("tuning.record.tracking.ANSWER_SECONDS", 1)
    with socket.socket() as silent:  # takes connections and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"http://user:secret@127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        said = refused(verb, "demo", "--tracking-uri", uri)
    assert time.monotonic() - started < 8
    assert "does not answer" in said and "secret" not in said


# --- what is printed --------------------------------------------------------------------------------


def printed(capsys, monkeypatch, *arguments):
    from tuning import cli

    monkeypatch.setattr(sys, "argv", ["lt-tune", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_a_full_disk_is_one_sentence_and_exit_code_1(capsys, monkeypatch):
    from tuning import cli

    def full(*arguments, **named):
        raise OSError(errno.ENOSPC, "No space left on device", "events.jsonl")

    monkeypatch.setattr(cli, "app", full)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err
    assert ended.value.code == 1 and said.count("\n") == 1
    assert "the disk is full" in said and "events.jsonl" in said and "--resume" in said


def test_json_is_one_document(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = StudyFolder(tmp_path / "lt-runs", "night")
    folder.path.mkdir(parents=True)
    folder.write_study(STUDY.dump())
    assert json.loads(printed(capsys, monkeypatch, "show", "--json"))["spaces"].keys() == SPACES.keys()
    assert json.loads(printed(capsys, monkeypatch, "show", "demo", "--json"))["trials"] == STUDY.wanted
    (found,) = json.loads(printed(capsys, monkeypatch, "list", "--json"))
    assert found["study"] == "night" and found["command"] == "lt-tune search demo --name night --resume"


def test_list_gives_the_command_that_finds_home_record_and_space_again(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = StudyFolder(tmp_path / "else where", "night")
    folder.path.mkdir(parents=True)
    own = SPACES["demo"].plain() | {"name": "own"}
    folder.write_study(Study.parse({"space": own}).dump())
    options = ["--home", "else where", "--tracking-uri", "http://127.0.0.1:5000"]
    (found,) = json.loads(printed(capsys, monkeypatch, "list", "--json", *options))
    assert found["command"] == (
        "lt-tune search 'else where/studies/night/study.yaml' --name night --resume"
        " --home 'else where' --tracking-uri http://127.0.0.1:5000"
    )


def test_a_name_shows_its_ids(capsys, monkeypatch):
    out = printed(capsys, monkeypatch, "show", "ib2021-cifar10", "--json")
    assert CONFIGS["ib2021-cifar10"].id in out


def test_an_interrupt_before_anything_can_go_on_is_said(monkeypatch, capsys):
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    assert cli._exit_code() == 130
    assert capsys.readouterr().err == "interrupted\n"
