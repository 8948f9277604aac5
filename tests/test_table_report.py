"""What a table's report says: editions, cells, verdicts, figures. The runs are made up (filling.py)."""

import csv
import io
import re
import time
import zlib
from dataclasses import replace

import pytest
from filling import as_printed, diverging, filled, jittered, table

from search_spaces import TABLES, Curves, Table
from search_spaces.table import Cell
from tuning.reports import formats
from tuning.tables.figures import curves_picture, table_picture
from tuning.tables.filled import Filled
from tuning.tables.grids import blocks, cell_grid, winner
from tuning.tables.report import curves_overview, curves_report, elsewhere, overview, summary, table_report
from tuning.tables.verdicts import verdicts

NOISE = {0: 0.0, 1: 0.1, 2: -0.1}


def report_of(found, tmp_path, **fields):
    return table_report(found.table, [found], tmp_path, **fields)


def cell_of(grid, row: str, head: str) -> str:
    i = list(grid.heads).index(head)
    return next(line[i] for line in grid.rows if line[0] == row)


# --- cells ------------------------------------------------------------------------------------------


def test_paper_and_measured_stand_side_by_side():
    found = filled("ib2021/table2", as_printed("ib2021/table2", NOISE))
    (grid,) = blocks(found, found.where).values()
    assert grid.title == "long-tailed CIFAR-10: paper | measured, 200 epochs"
    assert cell_of(grid, "b", "100") == "78.17±0.57 | 78.17±0.10 (3)"
    assert grid.best == {(1, 1)}


def test_on_the_terminal_the_measured_one_stands_below_and_has_its_verdict():
    found = filled("ib2021/table2", as_printed("ib2021/table2", NOISE))
    (grid,) = blocks(found, found.where, narrow=True).values()
    assert grid.rows[2:4] == [["b", "78.17±0.57"], [" measured", "78.17±0.10r"]]


def test_trainings_that_diverged_are_counted_where_they_are_said():
    found = diverging(filled("ib2021/table2", as_printed("ib2021/table2", NOISE)), ("d", PLACE, 0), ("d", PLACE, 1))
    assert "measured on 1 to 3 seeds each, by 12 trainings, 2 of which diverged (" in summary(found, [])[0]


def test_a_margin_is_not_taken_for_the_paper_s_difference():
    found = filled("cdb2020/table2", jittered(as_printed("cdb2020/table2", {}), 0.5), seeds=2)
    why = " ".join(verdict.why for verdict in verdicts(found))
    assert "0.03 points, as far as the paper's lie above the margin, with" in why


def test_levels_are_those_of_the_cells_that_were_measured():
    whole = filled("ib2021/table4", as_printed("ib2021/table4", NOISE), short=True)
    (cell,) = (cell for cell in whole.cells if cell.key == ("CE", "cifar10-lt-100"))
    ids = {run.config_id for run in whole.runs_of(cell).values()}
    some = Filled(whole.table, whole.ablation, [run for run in whole.runs if run.config_id in ids])
    assert "Levels: 7 x CE at 0.1 (679 steps), 3 x CE at 0.01 (291 steps)." in summary(some, verdicts(some))


def test_verdicts_on_cells_are_compatible_reproduced_or_neither():
    def value(cell: Cell, seed: int) -> float:
        shift = {"a": 0.0, "b": 3.0, "c": 0.4, "d": 0.0}[cell.row.label]
        return as_printed("ib2021/table2", NOISE)(cell, seed) + shift / 100

    found = filled("ib2021/table2", value)
    grid = cell_grid(found, "200 epochs")
    assert [cell_of(grid, row, "verdict") for row in "abcd"] == ["reproduced", "other", "other", "reproduced"]
    assert cell_of(grid, "b", "difference") == "+3.00"
    wide = filled("ib2021/table2", as_printed("ib2021/table2", {0: 0.0, 1: 2.0, 2: -2.0}))
    assert cell_of(cell_grid(wide, ""), "b", "verdict") == "compatible"


def test_one_seed_gives_no_verdict():
    found = filled("ib2021/table2", as_printed("ib2021/table2", {}), seeds=1)
    grid = cell_grid(found, "200 epochs")
    assert cell_of(grid, "b", "verdict") == "one seed: no verdict"
    (claim,) = verdicts(found)
    assert claim.word == "no verdict" and "one seed a cell; the means have the order of 3 of 3" in claim.why


def test_the_other_epochs_stand_beside_the_paper_s():
    found = filled("cdb2020/table1", as_printed("cdb2020/table1", NOISE), seeds=3)
    grid = cell_grid(found, "4000 epochs")
    assert {"best_val", "last", "best_test", "seeds"} <= set(grid.heads)
    assert cell_of(grid, "CE", "read at") == "best_val"


def test_a_cell_is_read_at_the_epoch_that_the_paper_reads():
    found = filled("ib2021/table4", as_printed("ib2021/table4", NOISE), recipe="reported")
    later = [
        replace(run, values={name: value + 0.05 * name.endswith("_last") for name, value in run.values.items()})
        for run in found.runs
    ]
    grid = cell_grid(Filled(found.table, found.ablation, later), "")
    assert [cell_of(grid, row, "read at") for row in ("Focal", "IB")] == ["last", "best_test"]
    assert [cell_of(grid, row, "verdict") for row in ("Focal", "IB")] == ["other", "reproduced"]


def test_a_copied_number_has_its_own_epoch_beside_it_by_any_recipe():
    """CB's numbers are of the last epoch, IB's table is of the best; bold compares all at the table's."""
    found = filled("ib2021/table4", lambda cell, seed: 0.5 + 0.1 * (cell.row.label == "IB"), short=True)
    later = [
        replace(run, values={name: value + 0.2 * name.endswith("_last") for name, value in run.values.items()})
        for run in found.runs
    ]
    found = Filled(found.table, found.ablation, later)
    grid = next(iter(blocks(found, "").values()))
    assert cell_of(grid, "CB", "100") == "74.57 | 70.00±0.00 (3)"
    assert cell_of(grid, "LDAM", "100") == "73.35 | 50.00±0.00 (3)"
    labels = [line[0] for line in grid.rows]
    assert {labels[i] for i, _ in grid.best} == {"IB"}
    cells = cell_grid(found, "")
    assert (cell_of(cells, "CB", "read at"), cell_of(cells, "CB", "best_test")) == ("last", "50.00")
    (said,) = (text for text in summary(found, []) if text.startswith("Read at"))
    assert "Focal, CB at last. The others are read at the table's, best_test," in said


def test_an_epoch_that_no_run_records_gives_no_verdict():
    found = filled("ib2021/table4", as_printed("ib2021/table4", NOISE), recipe="reported")
    lacking = [
        replace(run, values={name: value for name, value in run.values.items() if not name.endswith("_last")})
        for run in found.runs
    ]
    grid = cell_grid(Filled(found.table, found.ablation, lacking), "")
    assert cell_of(grid, "Focal", "read at") == "best_test"
    assert cell_of(grid, "Focal", "verdict") == "other epoch than the paper's (last)"


def test_where_val_is_not_balanced_the_paper_s_epoch_is_the_best_by_its_micro_accuracy():
    found = filled("cdb2020/table6", as_printed("cdb2020/table6", NOISE))
    grid = cell_grid(found, "")
    assert (cell_of(grid, "CE", "read at"), cell_of(grid, "CE", "verdict")) == ("best_val_micro", "reproduced")
    assert cell_of(cell_grid(filled("cdb2020/table6", lambda cell, seed: 0.5, on="digits"), ""), "CE", "read at") == (
        "best_val"
    )


def test_a_number_of_an_unknown_recipe_is_not_judged():
    for recipe in ("equal", "reported"):
        grid = cell_grid(filled("cdb2020/table5", as_printed("cdb2020/table5", NOISE), recipe=recipe), "")
        assert (
            cell_of(grid, "EQL", "verdict") == "not judged: the recipe of the paper that it is copied from is not here"
        )
        assert cell_of(grid, "CDB-CE", "verdict") == "reproduced"


def test_a_file_of_other_data_says_so_inside():
    found = filled("ib2021/table2", as_printed("ib2021/table2", NOISE), short=True, on="digits")
    (grid,) = blocks(found, found.where).values()
    assert grid.csv().startswith("other data: digits,100\n")


def test_all_that_are_best_stand_out():
    found = filled("ib2021/table2", lambda cell, seed: 0.5 if cell.row.label in "ab" else 0.4)
    (grid,) = blocks(found, found.where).values()
    assert grid.best == {(0, 1), (1, 1)}


def test_sides_in_different_columns_name_them():
    found = filled("ib2021/figure2", jittered(lambda cell, seed: 0.5, 5.0), seeds=3)
    assert "long-tailed (plane) - long-tailed (truck): " in verdicts(found)[0].why
    assert "points" not in verdicts(found)[0].why.replace("comparisons", "")


def test_a_copied_row_has_a_verdict_by_its_source_s_recipe_only():
    equal = filled("ib2021/table4", as_printed("ib2021/table4", NOISE))
    reported = filled("ib2021/table4", as_printed("ib2021/table4", NOISE), recipe="reported")
    words = [cell_of(cell_grid(found, ""), "Focal", "verdict") for found in (equal, reported)]
    assert words == ["other recipe than its source's", "reproduced"]


@pytest.mark.parametrize("asked", [{"short": True}, {"on": "digits"}, {"short": True, "on": "mnist"}, {"scale": 0.1}])
@pytest.mark.parametrize("narrow", [False, True])
def test_other_data_and_lengths_are_named_in_every_title(asked, narrow, tmp_path):
    found = filled("ib2021/table2", as_printed("ib2021/table2", NOISE), **asked)
    grids = [*blocks(found, found.where, narrow=narrow).values(), cell_grid(found, found.where)]
    for grid in grids:
        assert ("other data: " + str(asked.get("on")) in grid.title) == ("on" in asked)
        assert ("in place of 200" in grid.title) or asked == {"on": "digits"}
    assert all(word not in grids[0].rows[1][-1] for word in "rcx")
    assert cell_of(grids[-1], "b", "verdict") == "other length or data"


def test_mistakes_in_print_are_marked_and_told(tmp_path):
    found = filled("ib2021/table4", as_printed("ib2021/table4", NOISE))
    cells = "\n".join(grid.markdown() for grid in blocks(found, "").values())
    assert cells.count("57.99!") == 1 and cells.count("78.22!") == 1
    marked = [grid.title for grid in blocks(found, "").values() if "(!: a mistake of the paper's)" in grid.title]
    assert [title.split(":")[0] for title in marked] == ["long-tailed CIFAR-10", "long-tailed CIFAR-100"]
    said = " ".join(report_of(found, tmp_path).sections[-1].sentences)
    assert "! LDAM-DRW, cifar100-lt-10: 57.99 is CB's number; LDAM's own is 58.71." in said


def test_a_number_that_is_a_mistake_is_judged_only_where_it_is_known_what_was_meant():
    found = filled("ib2021/table5", as_printed("ib2021/table5", NOISE))
    grid = cell_grid(found, "")
    by_cell = {tuple(row[:2]): dict(zip(grid.heads, row, strict=True)) for row in grid.rows}
    assert by_cell["CE", "lt-10"]["verdict"].startswith("not judged: below the 38.52")
    assert by_cell["CE", "lt-100"]["verdict"] in ("reproduced", "compatible")


def test_two_that_are_to_be_equal_are_planned_as_equal_and_not_in_the_paper_s_name():
    def noisy(cell, seed):
        return 0.9 + zlib.crc32(f"{cell.key} {seed}".encode()) % 100 / 1000

    found = filled("controls/cdb-tau-mnist", noisy, seeds=10, short=True)
    told = [v.why for v in verdicts(found) if "worth no more" in v.claim.text]
    assert len(told) == 2 and all("would tell 0.20 points with a power" in why for why in told)


def test_spreads_that_differ_are_told_beside_the_pooled_one():
    def value(cell, seed):
        wide = 0.05 if cell.row.label == "CE" else 0.01
        return 0.8 + wide * NOISE[seed] * 10

    found = filled("ib2021/table4", value, columns=("cifar10-lt-100",), short=True)
    whys = {verdict.claim.text: verdict.why for verdict in verdicts(found)}
    assert "one sigma for all is rough: the cells' own run from 1.00 to 5.00" in whys["IB improves on CE"]
    assert "one sigma" not in whys["combined with CB, IB improves further"]


def test_a_figure_counts_the_cells_that_it_shows():
    found = filled("ib2021/figure3", lambda cell, seed: 0.5, columns=("cifar10-lt-100", "loss-100"), short=True)
    (said, *_) = summary(found, [])
    shown_cells = [cell for cell in found.cells if cell.trains and not cell.read.startswith("train_loss")]
    assert said.startswith(f"{len(shown_cells)} of {len(shown_cells)} cells measured")


def test_a_best_of_several_is_told_with_its_score_on_fresh_seeds():
    found = filled("controls/cb-grid", lambda cell, seed: 0.5)
    cell = next(cell for cell in found.cells if cell.best_of)
    assert re.search(r"best of 20 by val: 50\.00, 50\.00±0\.00 on 3 fresh$", winner(cell, found))


def test_a_paper_s_other_numbers_of_one_training_are_its_noise():
    (said,) = elsewhere(table("ib2021/table2"))
    assert "78.17 here, 78.41 in table1" in said and "78.17 here, 78.26 in table4" in said
    assert elsewhere(table("ib2021/table5")) == []


# --- claims -----------------------------------------------------------------------------------------


def l1_is_worst(cell: Cell, seed: int) -> float:
    return 0.8 if cell.row.label == "L1" else 0.9


PRINTED = jittered(as_printed("ib2021/table1", {}), 0.1)


def test_claims_are_confirmed_contradicted_or_undecided_at_full_length():
    (claim,) = verdicts(filled("ib2021/table1", PRINTED))
    assert claim.word == "confirmed" and claim.own == "holds" and "8 of 8 comparisons" in claim.why
    assert re.search(r"sigma 0\.\d\d to 0\.\d\d, 4 degrees of freedom", claim.why)
    (worse,) = verdicts(filled("ib2021/table1", jittered(l1_is_worst, 0.1)))
    assert worse.word == "contradicted" and "after Holm" in worse.why
    for said in (claim.why, worse.why):
        assert re.search(r": [-+]\d+\.\d\d \[[-+]\d+\.\d\d, [-+]\d+\.\d\d\]", said)
        assert "; in brackets, one-sided 95 % bounds;" in said
    assert worse.sentence.startswith("Contradicted: using the L1 norm yields")


def test_a_short_run_or_other_data_get_directions_only():
    found = [
        filled("ib2021/table1", PRINTED, short=True),
        filled("ib2021/table1", jittered(l1_is_worst, 0.1), short=True),
        filled("ib2021/table1", jittered(lambda cell, seed: 0.5, 1.0), on="digits"),
    ]
    assert [verdicts(each)[0].word for each in found] == ["same direction", "other direction", "undecided"]
    assert not any(word in overview(each).lower() for each in found for word in ("confirmed", "contradicted"))


def test_undecided_says_how_many_seeds_would_tell():
    (claim,) = verdicts(filled("ib2021/table2", jittered(as_printed("ib2021/table2", {}), 1.0)))
    assert claim.word == "undecided"
    assert re.search(
        r"\d+ to \d+ seeds a cell would tell 0\.62 points, as the paper has them, with a power of 80 %", claim.why
    ), claim.why


def test_runs_without_any_spread_say_nothing():
    assert verdicts(filled("ib2021/table2", as_printed("ib2021/table2", {})))[0].word == "undecided"


def test_losses_are_judged_by_one_recipe_only():
    found = filled("ib2021/table4", jittered(as_printed("ib2021/table4", {}), 0.1), recipe="reported")
    assert {claim.word for claim in verdicts(found)} == {"not judged"}


def test_the_bounds_of_a_best_of_several_rows_name_their_correction():
    found = verdicts(filled("ib2021/table4", jittered(as_printed("ib2021/table4", {}), 0.1)))
    several = [v.why for v in found if "best of " in v.why]
    assert several and all("one-sided 95 % bounds, Bonferroni over the 3 rows of a best;" in why for why in several)


def test_columns_that_become_one_training_on_other_data_count_once():
    found = filled("ib2021/table4", jittered(as_printed("ib2021/table4", {}), 1.0), on="digits", short=True)
    trained = {cell.configs[""].id for cell in found.cells if cell.row.label == "CE"}
    assert len(trained) < len(found.table.columns) == 20
    claim = next(verdict for verdict in verdicts(found) if verdict.claim.text == "IB improves on CE")
    assert f"of {len(trained)} comparisons hold" in claim.why
    assert claim.own_why == "20 of 20 cases, n = 1"


def test_of_columns_that_become_one_training_the_one_that_was_asked_for_is_named():
    for column in ("cifar10-lt-100", "cifar100-lt-100"):
        whole = filled("ib2021/table4", jittered(lambda cell, seed: 0.5, 1.0), on="digits", columns=(column,))
        ids = {
            run.config_id for cell in whole.cells if cell.column.label == column for run in whole.runs_of(cell).values()
        }
        found = Filled(whole.table, whole.ablation, [run for run in whole.runs if run.config_id in ids])
        claim = next(verdict for verdict in verdicts(found) if verdict.claim.text == "IB improves on CE")
        assert f"IB - CE at {column}: " in claim.why


def test_a_margin_that_is_ours_is_printed_as_ours():
    found = filled("cdb2020/table2", as_printed("cdb2020/table2", NOISE), seeds=3)
    never_far = next(claim for claim in verdicts(found) if "never too far" in claim.claim.text)
    assert "the margin of 0.2 points is ours" in never_far.why


def test_what_cannot_be_measured_says_why():
    by_text = {v.claim.text: v for v in verdicts(filled("cdb2020/table5", as_printed("cdb2020/table5", NOISE)))}
    open_ = by_text["CDB-CE boosts OLTR and joint training"]
    assert (open_.word, open_.own) == ("not measured", "holds")


# --- whole reports ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_a_report_in_every_format(name, tmp_path):
    declared = TABLES[name]
    if isinstance(declared, Curves):
        document = curves_report(declared, curves_picture(declared))
    else:
        document = table_report(declared, [], tmp_path)
    texts = {kind: formats.text(document, kind) for kind in formats.FORMATS}
    assert document.title.startswith(name) and all(name in texts[kind] for kind in ("md", "html"))
    rows = sum(len(grid.rows) for grid in document.tables.values())
    assert rows > 0
    lines = list(csv.reader(io.StringIO(texts["csv"])))
    comments, empty = sum(line[:1] != [] and line[0].startswith("# ") for line in lines), lines.count([])
    assert len(lines) - comments - empty == rows + len(document.tables)
    assert len(re.findall(r"\\\\\s*$", texts["latex"], re.MULTILINE)) == rows + len(document.tables)


@pytest.mark.parametrize("name", [name for name, t in TABLES.items() if isinstance(t, Table)])
def test_every_table_can_be_filled_and_reported(name, tmp_path):
    found = filled(name, as_printed(name, NOISE), seeds=2, short=name != "cb2019/table1")
    document = report_of(found, tmp_path)
    assert "nothing" not in document.sections[0].title
    for grid in document.tables.values():
        assert all(len(row) == len(grid.heads) for row in grid.rows)
    assert overview(found).startswith(f"**{name}")


def test_a_table_that_was_never_run_shows_the_paper_and_what_it_says_of_itself(tmp_path):
    document = table_report(table("ib2021/table4"), [], tmp_path)
    text = formats.text(document, "md")
    assert "`lt-tune ablate ib2021/table4` trains it." in text and "paper | measured" not in text
    assert "| IB improves on CE | section 4.4 | not measured | holds (20 of 20 cases, n = 1) |" in text


def test_facts_need_no_training(tmp_path):
    text = formats.text(table_report(table("cb2019/table1"), [], tmp_path), "md")
    assert "200.00 \\| 250.00" in text and "5089" in text


def test_best_cells_are_bold_in_latex_and_booktabs_rule_the_table(tmp_path):
    found = filled("ib2021/table2", as_printed("ib2021/table2", NOISE))
    text = formats.text(report_of(found, tmp_path), "latex")
    assert r"b & 78.17$\pm$0.57 $|$ \textbf{78.17$\pm$0.10 (3)} \\" in text
    assert text.count(r"\toprule") == text.count(r"\bottomrule") >= 3


def test_a_terminal_of_80_columns_holds_every_block():
    from rich.console import Console

    console = Console(width=80)
    for name in ("ib2021/table4", "cdb2020/table1", "cdb2020/table3", "ib2021/table3", "cdb2020/table4"):
        found = filled(name, as_printed(name, {0: 0.0, 1: 3.3, 2: -3.3}))
        for grid in blocks(found, "", narrow=True).values():
            width = console.measure(grid.rich(), options=console.options.update(max_width=10_000)).maximum
            assert width <= 80, (name, grid.title, width)


# --- what diverged ----------------------------------------------------------------------------------

PLACE = "cifar10-lt-100"


def test_what_diverged_is_named_and_stands_in_no_mean():
    found = diverging(filled("ib2021/table2", as_printed("ib2021/table2", NOISE)), ("b", PLACE, 1))
    assert f"Diverged, and left out of means and verdicts (d): b, {PLACE}: seed 1 after 7 epochs." in " ".join(
        summary(found, [])
    )
    (wide,), (narrow,) = (blocks(found, "", narrow=narrow).values() for narrow in (False, True))
    assert cell_of(wide, "b", "100") == "78.17±0.57 | 78.12±0.07 (2, 1 diverged)" and (1, 1) not in wide.best
    assert narrow.rows[3] == [" measured", "78.12±0.07d"]
    grid = cell_grid(found, "")
    assert cell_of(grid, "b", "seeds") == "0:78.17 1:diverged(10.00 before) 2:78.07"
    assert cell_of(grid, "b", "verdict") == "1 of 3 seeds diverged: no verdict"
    assert cell_of(grid, "d", "verdict") == "reproduced"


def test_a_cell_of_which_every_seed_diverged_says_so():
    found = diverging(
        filled("ib2021/table2", as_printed("ib2021/table2", NOISE)), *(("d", PLACE, seed) for seed in range(3))
    )
    (wide,) = blocks(found, "").values()
    assert cell_of(wide, "d", "100") == "64.91±1.40 | diverged, 10.00 before" and wide.best == {(1, 1)}
    (claim,) = verdicts(found)
    assert claim.word == "undecided" and f"since runs diverged: d at {PLACE}" in claim.why


def test_what_diverged_tells_its_best_epoch_before_and_no_last_one():
    """The best of IB's table 2 (d) came before T1: that it is a number, and the last none, is what the control asks."""
    whole = filled("controls/ib-table2", jittered(lambda cell, seed: 0.6, 1.0))
    found = diverging(whole, *(("d", "best_test", seed) for seed in range(3)))
    (wide,) = blocks(found, "").values()
    assert [cell_of(wide, "d (ours)", head) for head in ("best_test", "last")] == ["diverged, 10.00 before", "diverged"]
    at_once = Filled(found.table, found.ablation, [replace(run, epochs=1) for run in found.runs])
    (wide,) = blocks(at_once, "").values()
    assert cell_of(wide, "d (ours)", "best_test") == "diverged"


def test_one_seed_that_diverged_changes_no_other_row_s_verdict():
    """IB alone is against all the others: a single seed of an unrelated row must not drown its claims."""
    name = "ib2021/table4"
    whole = filled(name, jittered(as_printed(name, {}), 0.1))
    hurt = diverging(whole, ("Focal", PLACE, 1))
    before, after = ({v.claim.text: v for v in verdicts(each)} for each in (whole, hurt))
    assert {text: v.word for text, v in before.items()} == {text: v.word for text, v in after.items()}
    sigmas = [
        float(number) for v in after.values() for number in re.findall(r"0\.\d\d(?= to|,)", v.why.split("sigma")[1])
    ]
    assert len(sigmas) >= 2 * len(after) and max(sigmas) <= 0.12
    lost = "1 comparison decides nothing, since runs diverged: Focal at cifar10-lt-100"
    assert sum(lost in verdict.why for verdict in after.values()) == 2


def test_a_comparison_with_a_run_that_diverged_decides_nothing_either_way():
    for value, word in ((PRINTED, "confirmed"), (jittered(l1_is_worst, 0.1), "contradicted")):
        whole = filled("ib2021/table1", value)
        hurt = diverging(whole, *(("L1", cell.column.label, 0) for cell in whole.cells if cell.row.label == "L1"))
        assert [verdicts(each)[0].word for each in (whole, hurt)] == [word, "undecided"]


def test_a_table_of_200_cells_is_reported_within_5_seconds(tmp_path):
    found = filled("ib2021/table3", as_printed("ib2021/table3", NOISE))
    assert len(found.cells) == 180
    began = time.perf_counter()
    formats.text(report_of(found, tmp_path), "md")
    assert time.perf_counter() - began < 5


# --- figures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ib2021/figure3", "cb2019/figure5"])
def test_a_figure_is_a_png_and_a_pdf(name):
    found = filled(name, as_printed(name, NOISE), seeds=2, short=True)
    picture = table_picture(found, found.where)
    assert picture is not None and picture.png.startswith(b"\x89PNG") and picture.pdf.startswith(b"%PDF")
    assert table_picture(found, found.where) == picture  # equal runs, equal bytes
    assert "in place of 200" in picture.caption


def test_a_table_has_no_figure():
    found = filled("ib2021/table2", as_printed("ib2021/table2", NOISE))
    assert table_picture(found, "") is None


def test_influences_are_drawn_from_the_runs_series():
    made = filled("ib2021/figure2", lambda cell, seed: 0.5, seeds=2, short=True)
    course = [1 - i / 50 for i in range(50)]
    for run in made.runs:
        object.__setattr__(run, "series", {"influence.top[0]": course, "influence.top[9]": course})
    picture = table_picture(made, made.where)
    assert picture is not None and picture.png.startswith(b"\x89PNG")


def test_classes_are_drawn_beside_their_counts(tmp_path):
    made = filled("cdb2020/figure1", lambda cell, seed: 0.5, seeds=2, short=True, on="digits")
    picture = table_picture(made, made.where)
    assert picture is not None and "other data: digits" in picture.caption


@pytest.mark.parametrize("name", [name for name, t in TABLES.items() if isinstance(t, Curves)])
def test_curves_are_shown_by_some_of_their_points(name):
    declared = TABLES[name]
    assert isinstance(declared, Curves)
    grid = curves_overview(declared)
    assert len(grid.rows) == 11 and list(grid.heads[1:]) == list(declared.curves)
    exact = {f"{x:.4g}": y for x, y in declared.points()[grid.heads[1]]}
    assert all(f"{exact[row[0]]:.4g}" == row[1] for row in grid.rows)
