import numpy as np
import pytest
from filling import as_printed, filled, jittered, runs, table

from search_spaces import TABLES, Table
from search_spaces.ablation import Ablation
from search_spaces.claims import over
from search_spaces.table import Cell
from tuning.tables.claims import pooled
from tuning.tables.filled import CellRun, Filled, _beginning
from tuning.tables.grids import shown


def test_a_run_stands_in_every_cell_whose_config_it_trained():
    found = filled("ib2021/table3", lambda cell, seed: 0.5 + int(cell.read[9:-1]) / 100, seeds=2)
    assert len(found.used) == 32
    for cell in found.cells:
        if cell.trains:
            expected = pytest.approx(50 + int(cell.read[9:-1]))
            assert found.values(cell, "best_test") == {0: expected, 1: expected}


def test_an_error_is_what_is_left_of_an_accuracy():
    found = filled("cdb2020/table1", lambda cell, seed: 0.98, seeds=1)
    assert found.values(found.cells[0], "best_val") == {0: pytest.approx(2.0)}


def test_facts_are_the_data_s_own_whatever_was_trained():
    found = Filled(table("ib2021/table3"), Ablation(table="ib2021/table3"), ())
    facts = {cell.key[1]: found.fact(cell) for cell in found.cells if cell.row.label == "samples"}
    assert (facts["lt-plane"], facts["lt-truck"], facts["step-truck"]) == (5000, 100, 100)
    sets = Filled(table("cb2019/table1"), Ablation(table="cb2019/table1"), ())
    known = {cell.key: sets.fact(cell) for cell in sets.cells}
    assert known["long-tailed CIFAR-100", "most"] == 250 and known["long-tailed CIFAR-10", "most"] == 200
    assert known["iNaturalist 2018", "most"] is None


def test_without_val_there_is_no_best_val_epoch():
    exact = filled("ib2021/table2", lambda cell, seed: 0.7, seeds=1)
    assert exact.values(exact.cells[0], "best_val") == {} and exact.values(exact.cells[0], "last") == {0: 70.0}
    with_val = filled("ib2021/table2", lambda cell, seed: 0.7, seeds=1, on="digits")
    assert with_val.values(with_val.cells[0], "best_val") == {0: 70.0}


def test_a_cell_is_read_at_the_table_s_epoch_or_its_own():
    found = Filled(table("cdb2020/table3"), Ablation(table="cdb2020/table3", recipe="reported"), ())
    by_row = {cell.row.label: found.selection_of(cell) for cell in found.cells}
    assert by_row["CDB-CE"] == "best_val" and by_row["LDAM-DRW"] == "last"
    own = Filled(table("controls/ib-table2"), Ablation(table="controls/ib-table2"), ())
    assert all(own.selection_of(cell) == cell.column.label for cell in own.cells)


@pytest.mark.parametrize("name", [name for name, found in TABLES.items() if isinstance(found, Table)])
def test_within_a_column_claims_compare_one_epoch(name):
    found = Filled(table(name), Ablation(table=name), ())
    epochs = {cell.key: found.selection_of(cell) for cell in found.cells if cell.trains}
    for contrast in (contrast for claim in found.table.claims for contrast in claim.contrasts):
        for column in set(contrast.better.columns) & set(contrast.worse.columns):
            rows = (*contrast.better.rows, *contrast.worse.rows)
            assert len({epochs[row, column] for row in rows if (row, column) in epochs}) <= 1, (contrast.case, rows)


def test_only_the_paper_s_length_and_data_are_full():
    def full(**asked: object) -> bool:
        return Filled(table("ib2021/table2"), Ablation(table="ib2021/table2", **asked), ()).full  # type: ignore

    assert full() and full(recipe="reported")
    assert not full(short=True) and not full(on="digits") and not full(scale=0.5)
    assert not full(scale=2)


def test_a_longer_training_is_not_the_paper_s_and_says_so():
    found = filled("ib2021/table2", lambda cell, seed: 0.5, scale=2)
    assert found.where == "400 epochs in place of 200"
    assert {one.verdict for one in shown(found).values()} == {None}


def test_the_winner_of_several_configs_stands_with_its_fresh_seeds():
    asked = Ablation(table="controls/cb-grid", seeds=2)
    its = table(asked.table)
    scores = np.random.default_rng(0).permutation(1000) / 1000
    made = runs(asked, lambda cell, seed: 0.9 if seed else 0.1, 2)
    scored = [CellRun(**{**vars(run), "score": float(scores[i])}) for i, run in enumerate(made)]
    found = Filled(its, asked, scored)
    for cell in found.cells:
        won = found.won(cell)
        assert won is not None and won.of == 20
        by_id = {run.config_id: run.score for run in scored}
        own = {name: by_id[its.with_seed(config, 0).id] for name, config in cell.configs.items()}
        assert won.score == max(v for v in own.values() if v is not None) and own[won.name] == won.score
        assert set(found.values(cell, "best_val")) == {1, 2}  # not the seed that chose it


def test_no_config_has_won_before_all_have_competed():
    asked = Ablation(table="controls/cb-grid")
    its = table(asked.table)
    last = its.cells()[-1]
    missing = its.with_seed(list(last.configs.values())[7], 0).id
    some = [run for run in runs(asked, lambda cell, seed: 0.5, 1) if run.config_id != missing]
    found = Filled(its, asked, some)
    assert found.won(last) is None and found.runs_of(last) == {}
    assert found.won(found.cells[0]) is not None


def test_what_failed_stands_in_no_cell():
    asked = Ablation(table="ib2021/table2")
    failed = [CellRun(**{**vars(run), "stop_reason": "failed"}) for run in runs(asked, lambda cell, seed: 0.5, 2)]
    assert Filled(table(asked.table), asked, failed).used == []


def test_the_paper_s_own_numbers_are_measured_as_they_are_printed():
    found = filled("ib2021/table4", as_printed("ib2021/table4", {}), seeds=1)
    for cell in found.cells:
        number = table("ib2021/table4").reported.get(cell.key)
        if number:
            assert found.values(cell, found.selection_of(cell))[0] == pytest.approx(number.value)


def test_ib_begins_as_ce_does_and_ldam_does_not():
    cells = Filled(table("ib2021/table4"), Ablation(table="ib2021/table4", short=True), ()).cells
    begun = {cell.row.label: _beginning(cell) for cell in cells if cell.key[1] == "cifar10-lt-100" and cell.trains}
    assert begun["CE"] == begun["IB"] == begun["IB+CB"] != begun["LDAM"] == begun["LDAM-DRW"]


def test_the_spread_of_a_cell_is_of_cells_of_its_data_and_length():
    found = filled("cdb2020/table3", jittered(lambda cell, seed: 0.5, 5.0), recipe="reported")
    cells = {cell.row.label: cell for cell in found.cells if cell.column.label == "cifar100-lt-100"}
    assert {cells[row].configs[""].epochs for row in ("Focal", "CB", "MW-Net", "EQL", "CDB-CE")} == {100, 200, 240}
    for rows in (("EQL", "CDB-CE"), ("Focal", "CB"), ("L2RW", "MW-Net"), ("LDAM-DRW",)):
        spread = pooled([found.values(cells[row], "last")] for row in rows)
        assert all(found.spread_of(cells[row], "last") == spread for row in rows)


def test_claims_leave_rows_of_other_data_out_of_the_spread():
    """CE that trains on CDB's meta images, however noisy, does not blur what the others differ by."""
    calm = jittered(lambda cell, seed: 0.5, 1.0)

    def noisy(cell: Cell, seed: int) -> float:
        return (0.2, 0.9, 0.5)[seed] if cell.row.label == "CE+meta images" else calm(cell, seed)

    (contrast,) = over("CE", ["tau = 2"], ["cifar100-lt-100-last"])
    spreads = [
        judged.spread
        for value in (calm, noisy)
        if (judged := filled("controls/cdb-tau", value).measured.judge(contrast))
    ]
    assert len(spreads) == 2 and spreads[0] == spreads[1]
