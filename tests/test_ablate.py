"""`lt-tune ablate` as a user has it: what is trained, reused, interrupted and gone on with."""

import json
import os
import signal
from pathlib import Path

import pytest

from lt_core import TrainConfig, fit
from lt_core.train import Run
from search_spaces.ablation import Ablation
from tuning.log.events import TableFolder, fold
from tuning.shell.home import Home
from tuning.tables.asking import named_table
from tuning.verbs import ablate

TABLE2 = ("ablate", "ib2021/table2", "--short", "--on", "digits")
ROWS = ("--rows", "b,c", "--seeds", "2")


def log(lt, name: str) -> Path:
    return lt.home / "tables" / name / "events.jsonl"


def ends(path: Path) -> dict[tuple[str, int], dict[str, float]]:
    """Test values by cells and seed."""
    history = fold(path)
    return {(t.asked.tags["lt.cells"], t.config.seed): t.told.test for t in history.trials.values() if t.told}


@pytest.fixture(scope="module")
def trained(lt_of_module):
    """Two rows of IB's table 2 on two seeds."""
    document = lt_of_module.document(*TABLE2, *ROWS)
    return lt_of_module, document


def test_a_table_is_trained_cell_by_cell_and_seed_by_seed(trained):
    lt, document = trained
    assert document["state"] == "finished" and document["trainings"] == {"finished": 4}
    found = ends(log(lt, "ib2021-table2-short-digits"))
    cell = '[["{}", "cifar10-lt-100"]]'
    assert set(found) == {(cell.format(row), seed) for row in "bc" for seed in (0, 1)}
    assert all(values.keys() >= {"test_acc_last", "test_acc_best_test"} for values in found.values())


def test_a_seed_s_rows_share_their_first_phase_and_have_the_numbers_that_they_would_have_alone(trained):
    lt, _ = trained
    history = fold(log(lt, "ib2021-table2-short-digits"))
    inherited = [t for t in history.trials.values() if "lt.trunk" in t.asked.tags]
    assert len(inherited) == 2
    for trial in inherited:
        assert [epoch.result["seconds"] == 0 for epoch in trial.epochs] == [True] * 4 + [False] * 6
        alone = Run(trial.config)
        assert [e.result["train_loss"] for e in trial.epochs] == [r.train_loss for r in alone.epochs()]
        test = alone.test(alone.evaluations())
        assert trial.told is not None and test.items() <= trial.told.test.items()


def test_the_record_has_each_cell_as_a_run(trained):
    lt, _ = trained
    runs = lt.runs("cell")
    assert len(runs) == 4
    for run in runs:
        assert run.info.status == "FINISHED" and json.loads(run.data.tags["lt.cells"])[0][1] == "cifar10-lt-100"
        assert {"method", "T1", "epsilon", "alpha", "dataset", "seed"} <= run.data.params.keys()
        assert lt.series(run, "train_loss").keys() == set(range(1, 11))
        assert run.data.metrics["epochs_trained"] + run.data.metrics["epochs_reused"] == 10
    (parent,) = lt.runs("study")
    assert parent.data.tags["lt.table"] == "ib2021/table2" and parent.data.tags["lt.edition"] == "short-digits"
    assert parent.info.run_name == "ib2021-table2-short-digits"


def test_the_report_is_read_from_the_record_and_has_the_same_numbers(trained, tmp_path):
    lt, _ = trained
    values = ends(log(lt, "ib2021-table2-short-digits"))
    code, out, err = lt.here("report", "ib2021/table2", "--json")
    assert code == 0, err
    (edition,) = json.loads(out)["editions"]
    assert edition["data and length"] == "other data: digits, 10 epochs in place of 200"
    cells = {cell["row"]: cell for cell in edition["cells"]}
    for row in "bc":
        best = [values[f'[["{row}", "cifar10-lt-100"]]', seed]["test_acc_best_test"] for seed in (0, 1)]
        assert float(cells[row]["measured"]) == pytest.approx(100 * sum(best) / 2, abs=0.005)
        assert cells[row]["seeds"] == " ".join(f"{seed}:{100 * value:.2f}" for seed, value in enumerate(best))
    assert [claim["measured"] for claim in edition["claims"]] == ["undecided"]  # two rows are not measured
    assert lt.document("report", "ib2021/table2") == json.loads(out)  # where the record is read beside
    code, out, err = lt.here("report", "ib2021/table2", "--out", tmp_path)
    assert code == 0 and {"report.html", "report.md", "short-digits-cells.csv"} <= {
        Path(line).name for line in out.split()
    }
    assert "other data: digits" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["ib2021/tabel2"], "there is no table `ib2021/tabel2` (did you mean `ib2021/table2`?)"),
        (
            ["ib2021/table2", "--tracking-uri", "sqlite:////no/such/mlflow.db"],
            "/no/such is no folder that can be written",
        ),
    ],
)
def test_what_cannot_be_reported_is_refused_in_a_sentence(given, sentence, lt):
    done = lt.run("report", *given)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith("error: ")
    assert sentence in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["ib2021/table2", "cb2019/figure3"])
def test_a_report_of_what_was_never_run_writes_nothing(name, lt):
    (lt.home / "mlflow.db").unlink()
    done = lt.run("report", name)
    assert done.returncode == 0 and name in done.stdout, done.stderr
    assert list(lt.home.iterdir()) == []


def test_the_report_stands_on_the_table_s_page_in_the_record(trained):
    from mlflow import MlflowClient

    lt, _ = trained
    (parent,) = lt.runs("study")
    assert "paper \\| measured, other data: digits" in parent.data.tags["mlflow.note.content"].replace("|", "\\|")
    files = {file.path for file in MlflowClient(lt.uri).list_artifacts(parent.info.run_id)}
    assert {"report.html", "report.md", "table.yaml", "requirements.txt"} <= files
    assert parent.data.metrics["cells_measured"] == 2


def test_a_report_that_cannot_be_made_costs_no_table_its_end(trained, tmp_path, monkeypatch):
    lt, _ = trained

    def broken(*arguments):
        raise ZeroDivisionError("of a picture")

    monkeypatch.setattr(ablate, "table_picture", broken)
    history, asked = (
        fold(log(lt, "ib2021-table2-short-digits")),
        Ablation(table="ib2021/table2", short=True, on="digits"),
    )
    end = ablate.ended(asked, named_table(asked.table), history, TableFolder(tmp_path, "x"), Home.at(tmp_path, None))
    said = "The report could not be made: ZeroDivisionError: of a picture"
    assert end.stop_reason == "finished" and end.metrics == {"cells_measured": 2} and "measured, other data" in end.note
    outcome = ablate.Ablated(asked, named_table(asked.table), history, "")
    history.ended = end
    assert end.note.startswith(said) and outcome.remarks == [said] and not outcome.interrupted


def test_the_same_command_trains_nothing_again_and_more_seeds_only_what_is_missing(trained):
    lt, _ = trained
    before = ends(log(lt, "ib2021-table2-short-digits"))
    again = lt.document(*TABLE2, *ROWS)
    assert again["trainings"] == {"finished": 4}
    more = lt.document(*TABLE2, "--rows", "b", "--seeds", "3", "--system-metrics")
    assert more["trainings"] == {"finished": 5}
    measured = [
        run.data.tags["lt.seed"] for run in lt.runs("cell") if "system/process_cpu_percentage" in run.data.metrics
    ]
    assert measured == ["2"]
    after = ends(log(lt, "ib2021-table2-short-digits"))
    assert len(after) == 5 and {key: after[key] for key in before} == before


def test_another_table_takes_the_runs_that_are_there(trained):
    lt, _ = trained
    found = lt.document("ablate", "controls/ib-table2", "--short", "--on", "digits", "--rows", "b,c", "--seeds", "2")
    assert (found["trainings"], found["reused"]) == ({"finished": 4}, 4)
    history = fold(log(lt, "controls-ib-table2-short-digits"))
    assert all(epoch.result["seconds"] == 0 for t in history.trials.values() for epoch in t.epochs)


def test_the_plan_counts_what_is_at_hand(trained):
    lt, _ = trained
    code, out, err = lt.here(*TABLE2, "--rows", "b,c,d", "--seeds", "2", "--plan", "--json")
    assert code == 0, err
    plan = json.loads(out)
    assert (plan["trainings"], plan["at_hand"], plan["epochs"], plan["shared_epochs"]) == (6, 4, 20, 0)
    assert plan["seconds"] > 0 and plan["untimed"] == 0 and plan["lacking"] == []
    (levels,) = plan["levels"]
    assert levels == "4 x CE at 0.05 (84 steps), 3 x IB at 0.0005 (63 steps), 3 x IB at 5e-05 (63 steps)"


@pytest.mark.slow
def test_a_table_that_was_killed_goes_on_to_the_same_numbers(trained, lt):
    whole = ends(log(trained[0], "ib2021-table2-short-digits"))
    process = lt.start(*TABLE2, *ROWS, "--concurrent", "1")
    path = log(lt, "ib2021-table2-short-digits")
    lt.until(process, lambda: path.exists() and path.read_text().count('"EpochDone"') >= 17)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    half = fold(path)
    assert any(t.told is None for t in half.trials.values())
    found = lt.document(*TABLE2, *ROWS)
    assert found["trainings"] == {"finished": 4}
    after = ends(path)
    assert {key: after[key] for key in after} == {key: whole[key] for key in after} and len(after) == 4
    assert all(run.info.status == "FINISHED" for run in lt.runs())


@pytest.mark.slow
def test_ctrl_c_ends_in_order_and_says_how_to_go_on(lt):
    process = lt.start(*TABLE2, *ROWS, "--concurrent", "1")
    path = log(lt, "ib2021-table2-short-digits")
    lt.until(process, lambda: path.exists() and path.read_text().count('"EpochDone"') >= 3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "go on: lt-tune ablate ib2021/table2 --short --on digits --rows b,c --seeds 2" in out


# --- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["ib2021/tabel2"], "there is no table `ib2021/tabel2` (did you mean `ib2021/table2`?)"),
        (["cb2019/figure3"], "cb2019/figure3 follows from a formula: there is nothing to train"),
        (["cb2019/table1"], "cb2019/table1 has nothing to train in these rows and columns"),
        (["cb2019/table1", "--plan"], "cb2019/table1 has nothing to train in these rows and columns"),
        (["ib2021/table2", "--rows", "x"], "there is no row of ib2021/table2 `x`"),
        (["ib2021/table2", "--recipe", "best"], "recipe"),
        (["ib2021/table2", "--on", "imagenet"], "on"),
        (["ib2021/table2", "--seeds", "0"], "seeds"),
        (["cdb2020/table1", "--on", "mnist"], "--on mnist: mnist-4-9 is what the table is on"),
        (["cdb2020/table5"], "ImageNet_LT_train.txt"),
        (["cdb2020/table6"], "egtea"),
        (["ib2021/table6"], "inaturalist2018"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(refused, arguments, sentence):
    assert sentence in refused("ablate", *arguments)


@pytest.mark.parametrize(
    "name", ["cdb2020/table5", "cdb2020/table6", "ib2021/table5", "ib2021/table6", "cb2019/table3"]
)
def test_a_table_whose_data_are_not_at_hand_is_planned_all_the_same(lt, name):
    code, out, err = lt.here("ablate", name, "--plan", "--json")
    assert code == 0, err
    plan = json.loads(out)
    assert plan["trainings"] > 0 and plan["lacking"] and all(str(lt.home) in text for text in plan["lacking"])


def test_the_first_seeds_are_those_that_train_as_any_other_run_does():
    """The cells' configs are plain configs: the core alone trains them to the same loss."""
    from search_spaces import TABLES, Edition, Table

    table = TABLES["ib2021/table2"]
    assert isinstance(table, Table)
    cell = table.cells(Edition(short=True, on="digits"))[0]
    config: TrainConfig = table.with_seed(cell.configs[""], 0)
    assert next(iter(fit(config))).train_loss > 0
