from search_spaces import TABLES, Table
from search_spaces.ablation import Ablation, trainings
from search_spaces.presets import digits_lt
from tuning.engine.trunks import Trunks


def table_of(name: str) -> tuple[list, dict[tuple[str, int], object]]:
    table = TABLES[name]
    assert isinstance(table, Table)
    found = trainings(Ablation(table=name, seeds=2), table)
    return [training.config for training in found], {(t.cells[0][0], t.config.seed): t.config for t in found}


def test_ib_at_any_t1_goes_on_from_the_ce_run_of_its_seed():
    configs, by_row = table_of("ib2021/figure3")
    trunks = Trunks(configs)
    for config in configs:
        trunk = trunks.trunk_of(config.id)
        start = config.used_phases[-1][0].start
        assert (trunk is None) == (start == 0)
        if trunk is not None:
            assert (trunk.epochs, trunk.config.seed, trunk.config.method) == (start, config.seed, "CE")
            assert len(trunk.config.used_phases) == 1 and trunk.config.data == config.data
            assert trunks.exits(trunk.config.id)[start] == trunk.name
    assert by_row and trunks.saved_epochs == 2 * 2 * (20 + 40 + 60 + 80 + 100 + 120 + 100)


def test_without_a_ce_run_the_first_of_equals_is_the_trunk():
    configs, by_row = table_of("ib2021/table2")
    trunks = Trunks(configs)
    for seed in (0, 1):
        first = by_row["a", seed]
        assert trunks.trunk_of(first.id) is None
        for row in "bcd":
            trunk = trunks.trunk_of(by_row[row, seed].id)
            assert trunk is not None and trunk.config == first and trunk.epochs == 100
        assert list(trunks.exits(first.id)) == [100]
    assert trunks.saved_epochs == 600 and len(trunks.names) == 2


def test_a_training_comes_after_the_one_it_goes_on_from_and_seeds_come_in_turn():
    for name in ("ib2021/figure3", "ib2021/table4", "controls/ib"):
        configs, _ = table_of(name)
        trunks = Trunks(configs)
        places = {config.id: place for place, config in enumerate(trunks.order)}
        assert len(places) == len(configs)
        for config in configs:
            trunk = trunks.trunk_of(config.id)
            assert trunk is None or places[trunk.config.id] < places[config.id]
        seeds = [config.seed for config in trunks.order]
        assert seeds == sorted(seeds)


def test_ldam_is_the_trunk_of_ldam_drw():
    configs, by_row = table_of("ib2021/table4")
    trunk = Trunks(configs).trunk_of(by_row["LDAM-DRW", 0].id)
    assert trunk is not None and trunk.config.method == "LDAM" and trunk.epochs == 160


def test_what_is_not_trained_leaves_no_trunk():
    configs, by_row = table_of("ib2021/table2")
    trunks = Trunks(configs, at_hand={by_row["a", 0].id})
    second = trunks.trunk_of(by_row["c", 0].id)
    assert second is not None and second.config == by_row["b", 0]
    assert trunks.trunk_of(by_row["b", 0].id) is None


def test_what_branches_off_before_its_trunk_does_has_another():
    """IB at 40 and at 80 without CE: the one at 80 is CE for longer, so it is the trunk of the other."""
    table = TABLES["ib2021/figure3"]
    assert isinstance(table, Table)
    found = trainings(Ablation(table=table.name, rows=("T1=40", "T1=80"), columns=("cifar10-lt-10",), seeds=1), table)
    by_row = {training.cells[0][0]: training.config for training in found}
    trunk = Trunks(list(by_row.values())).trunk_of(by_row["T1=40"].id)
    assert trunk is not None and trunk.config == by_row["T1=80"] and trunk.epochs == 40


def test_trainings_without_a_second_phase_share_nothing():
    base = digits_lt(imbalance=20)
    trunks = Trunks([base, base.replaced(seed=1), base.replaced(batch_size=8)])
    assert trunks.saved_epochs == 0 and trunks.names == []
