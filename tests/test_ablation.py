import pytest

from lt_core import InputError
from search_spaces import TABLES, Table
from search_spaces.ablation import Ablation, Scores, Won, chosen, competitions, trainings, won
from search_spaces.ablation import winners as winners_of


def table(name: str) -> Table:
    found = TABLES[name]
    assert isinstance(found, Table)
    return found


def test_its_name_says_the_edition():
    assert Ablation(table="ib2021/table2").name == "ib2021-table2-full"
    assert Ablation(table="ib2021/table2", short=True, scale=4, on="digits").name == "ib2021-table2-short-x4-digits"
    assert Ablation(table="ib2021/table4", recipe="reported").name == "ib2021-table4-reported"
    asked = Ablation(table="ib2021/table2", rows=("a",), seeds=2)
    assert Ablation.load(asked.dump()) == asked


def test_each_cell_is_trained_on_each_seed_seeds_in_turn():
    found = trainings(Ablation(table="ib2021/table2", seeds=2), table("ib2021/table2"))
    assert [(t.cells, t.config.seed) for t in found] == [
        (((row, "cifar10-lt-100"),), seed) for seed in (0, 1) for row in "abcd"
    ]
    assert len(trainings(Ablation(table="ib2021/table2"), table("ib2021/table2"))) == 12  # 3 seeds, says the table


def test_cells_of_equal_configs_share_a_training():
    found = trainings(Ablation(table="ib2021/table3", seeds=1), table("ib2021/table3"))
    assert len(found) == 16 and all(len(training.cells) == 10 for training in found)
    twos = trainings(Ablation(table="cb2019/table2", seeds=1), table("cb2019/table2"))
    shared = [t.cells for t in twos if len(t.cells) > 1]
    assert shared == [(("Sigmoid", c), ("Class-Balanced", c)) for c in ("cifar10-lt-1", "cifar100-lt-1")]


def test_facts_of_the_data_need_no_training():
    with pytest.raises(InputError, match=r"^cb2019/table1 has nothing to train in these rows and columns$"):
        trainings(Ablation(table="cb2019/table1"), table("cb2019/table1"))


def test_rows_and_columns_may_be_chosen():
    asked = Ablation(table="ib2021/table4", rows=("CE", "IB"), columns=("cifar10-lt-100",), seeds=1)
    assert [cell.key for cell in chosen(asked, table(asked.table))] == [(row, "cifar10-lt-100") for row in ("CE", "IB")]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"table": "ib2021/table2", "rows": ["e"]}, "there is no row of ib2021/table2 `e`"),
        ({"table": "ib2021/table2", "columns": ["100"]}, "there is no column of ib2021/table2 `100`"),
        ({"table": "cdb2020/table5", "rows": ["OLTR"]}, "row OLTR of cdb2020/table5 has nothing to train: OLTR is"),
    ],
)
def test_labels_that_cannot_be_trained_are_refused(fields, sentence):
    with pytest.raises(InputError, match=sentence):
        chosen(Ablation.parse(fields), table(fields["table"]))


@pytest.mark.parametrize("field", [{"seeds": 0}, {"recipe": "other"}, {"on": "cifar10"}, {"scale": 0}, {"cpus": 0}])
def test_what_an_ablation_cannot_be(field):
    with pytest.raises(InputError):
        Ablation.parse({"table": "ib2021/table2", **field})


# --- the best of several ----------------------------------------------------------------------------

GRID = Ablation(
    table="controls/cb-grid", rows=("softmax, lr", "focal, gamma"), columns=("cifar10-lt-100",), seeds=2, on="digits"
)


def winners(scores: Scores):
    its = table(GRID.table)
    return winners_of(competitions(chosen(GRID, its), its), its, 2, scores)


def test_competing_configs_are_trained_once_before_the_winner():
    found = trainings(GRID, table(GRID.table))
    assert len(found) == 40 and all(t.config.seed == 0 and t.candidate for t in found)


def test_the_winner_is_trained_again_on_fresh_seeds():
    found = trainings(GRID, table(GRID.table))
    scores: dict[str, float | None] = {t.config.id: i / 100 for i, t in enumerate(found)}
    best = {t.cells[0][0]: t for t in found}  # the last of each row has its highest score
    wanted, waiting = winners(scores)
    assert not waiting
    assert [(t.cells[0][0], t.config.seed, t.candidate) for t in wanted] == [
        (row, seed, "") for seed in (1, 2) for row in ("softmax, lr", "focal, gamma")
    ]
    assert all(t.config.recipe_id == best[t.cells[0][0]].config.recipe_id for t in wanted)


def test_a_competition_is_open_until_all_have_ended():
    found = trainings(GRID, table(GRID.table))
    first = {t.config.id: 0.5 for t in found if t.cells[0][0] == "softmax, lr"}
    wanted, waiting = winners(first)
    assert waiting and {t.cells[0][0] for t in wanted} == {"softmax, lr"}


def test_equal_scores_are_won_by_the_first_and_a_pending_config_leaves_it_open():
    ids = {"a": "1", "b": "2", "c": "3"}
    assert won(ids, {"1": 0.5, "2": 0.5, "3": None}) == Won("a", 3, 0.5, 1)
    assert won(ids, {"1": None, "2": 0.0, "3": None}) == Won("b", 3, 0.0, 2)
    assert won(ids, {"1": 0.5, "2": 0.5}) is None and won(ids, dict.fromkeys("123")) is None


def test_configs_that_failed_do_not_win():
    found = trainings(GRID, table(GRID.table))
    scores: dict[str, float | None] = {t.config.id: None for t in found}
    assert winners(scores) == ([], False)
    scores[found[3].config.id] = 0.1
    wanted, _ = winners(scores)
    assert {t.config.recipe_id for t in wanted} == {found[3].config.recipe_id}
