"""Which trainings the stage of a table asks for. What they came to is made up; test_ablate trains them."""

import json
from pathlib import Path

import pytest
from test_events import epoch

from search_spaces import TABLES, Table
from search_spaces.ablation import Ablation
from tuning.engine.cells import CellStage
from tuning.engine.library import Library
from tuning.log.events import EpochDone, EventLog, Started, StopReason, Told
from tuning.log.store import Store
from tuning.record.identity import Identity
from tuning.tables.filled import Filled, of_history

GRID = Ablation(
    table="controls/cb-grid", rows=("softmax, lr",), columns=("cifar10-lt-100",), seeds=2, short=True, on="digits"
)


class Run:
    """A table's log in a folder, to which each start of a command adds."""

    def __init__(self, folder: Path, name: str = "this") -> None:
        self.folder = folder
        self.log = EventLog(folder / "home" / "tables" / name / "events.jsonl", lambda event: None)
        self.store = Store(str(folder / "store"))
        if self.log.history.started is None:
            self.log.emit(Started(name, "c", {}))
        self.reused: set[str] = set()  # ids of configs that another log has

    def stage(self, ablation: Ablation) -> CellStage:
        table = TABLES[ablation.table]
        assert isinstance(table, Table)
        library = Library(self.folder / "home", self.log._path)
        return CellStage(ablation, table, self.log.history, Identity(self.folder), library, self.store)

    def start(self, ablation: Ablation, scores=lambda number: 0.5, failing=(), until=0, test=True) -> list:
        """What a start asks for and ends, each training at once: its score by its place in this start.

        States are left where they are wanted, and deleted at the end, as `ablate` does.
        """
        stage, events = self.stage(ablation), []
        self.last = stage.trunks
        while not stage.over:
            for event in stage.propose(len(self.log.history.trials)):
                self.log.emit(event)
                how = "failed" if len(events) in failing else "finished"
                self._end(event, scores(len(events)), how, test=test)
                self._leave(stage, event)
                events.append(event)
                if len(events) == until:
                    return events
        for name in stage.trunks.names:
            self.store.delete(name)
        return events

    def _leave(self, stage: CellStage, event) -> None:
        if event.tags["lt.config_id"] not in self.reused:
            for name in stage.trunks.exits(event.tags["lt.config_id"]).values():
                self.store.write(name, b"state")

    def _end(self, event, score: float, how: StopReason, *, test: bool) -> None:
        epochs = event.config["epochs"]
        for number in range(1, epochs + 1):
            self.log.emit(EpochDone(event.trial, epoch(event.trial, number, score).result, "n"))
        values = {"test_acc": score, "test_acc_last": score} if test else {}
        evaluations = {"test": {"last": {"acc": score}}} if test else {}
        self.log.emit(Told(event.trial, how, values, evaluations=evaluations))

    def filled(self, ablation: Ablation) -> Filled:
        table = TABLES[ablation.table]
        assert isinstance(table, Table)
        return Filled(table, ablation, of_history(self.log.history))


@pytest.fixture
def run(tmp_path) -> Run:
    return Run(tmp_path)


# --- the best of several ----------------------------------------------------------------------------


def recipes(events) -> set[str]:
    return {event.tags["lt.recipe_id"] for event in events}


def test_the_winner_is_trained_and_stands_in_its_cell_although_another_failed(run):
    events = run.start(GRID, lambda number: number / 100, failing=[3])
    first, fresh = events[:20], events[20:]
    assert recipes(fresh) == recipes([first[19]]) and [event.tags["lt.seed"] for event in fresh] == ["1", "2"]
    filled = run.filled(GRID)
    (cell,) = [cell for cell in filled.cells if cell.key == ("softmax, lr", "cifar10-lt-100")]
    won = filled.won(cell)
    assert won is not None and (won.of, won.score, won.unscored) == (20, 0.19, 1)
    assert set(filled.values(cell, "last")) == {1, 2}


def test_a_candidate_that_is_tried_again_and_wins_has_its_fresh_seeds_trained(run):
    first = run.start(GRID, lambda number: number / 100, failing=[3])
    again = run.start(GRID, lambda number: 0.9)
    assert again[0].config == first[3].config and recipes(again) == recipes([first[3]]) and len(again) == 3
    filled = run.filled(GRID)
    (cell,) = [cell for cell in filled.cells if cell.key == ("softmax, lr", "cifar10-lt-100")]
    assert filled.values(cell, "last") == {1: pytest.approx(10), 2: pytest.approx(10)}  # errors


def test_one_that_is_tried_again_and_loses_changes_nothing(run):
    first = run.start(GRID, lambda number: number / 100, failing=[3])
    again = run.start(GRID, lambda number: 0.0)
    assert [event.config for event in again] == [first[3].config]


def test_a_competition_is_open_while_one_is_tried_again(run):
    run.start(GRID, lambda number: number / 100, failing=[3])
    stage = run.stage(GRID)
    (event,) = stage.propose(len(run.log.history.trials))
    run.log.emit(event)
    filled = run.filled(GRID)
    assert not stage.over and stage.propose(len(run.log.history.trials)) == []
    assert all(filled.won(cell) is None for cell in filled.cells if cell.key[0] == "softmax, lr")


# --- trunks -----------------------------------------------------------------------------------------

CE = Ablation(table="ib2021/table4", rows=("CE",), columns=("cifar10-lt-100",), seeds=1, short=True, on="digits")
IB = CE.replaced(rows=("CE", "IB", "IB+CB", "IB+Focal"))


def trunks_of(run: Run, events) -> list[str]:
    """The rows that the trainings go on from, '' where one begins at the beginning."""
    names = {trial.config.id: trial.asked.role.split(",")[0] for trial in run.log.history.trials.values()}
    stage_trunks = [run.last.trunk_of(event.tags["lt.config_id"]) for event in events]
    said = ["lt.trunk" in event.tags for event in events]
    assert said == [trunk is not None for trunk in stage_trunks]
    return [names[trunk.config.id] if trunk else "" for trunk in stage_trunks]


def test_rows_that_are_asked_for_together_go_on_from_ce(run):
    assert trunks_of(run, run.start(IB)) == ["", "CE", "CE", "CE"]
    assert run.store.names() == set()


def test_what_comes_later_shares_a_beginning_although_ce_s_state_is_gone(run):
    run.start(CE)
    assert trunks_of(run, run.start(IB)) == ["", "IB", "IB"]


def test_after_an_interrupt_the_states_that_were_left_serve_and_are_deleted_at_the_end(run):
    run.start(IB, until=2)
    assert len(run.store.names()) == 1
    assert trunks_of(run, run.start(IB)) == ["CE", "CE"] and run.store.names() == set()


def test_a_state_is_known_by_who_left_it(run):
    """IB's is there, CE came later and left none: what goes on must be told whose state it is."""
    some = IB.replaced(rows=("IB", "IB+CB", "IB+Focal"))
    assert trunks_of(run, run.start(some, until=2)) == ["", "IB"]
    run.start(IB, until=1)
    assert trunks_of(run, run.start(IB)) == ["IB"] and run.store.names() == set()


def test_ce_of_another_log_is_taken_and_leaves_no_state(run):
    other = Run(run.folder, "other")
    (event,) = other.start(CE)
    run.reused = {event.tags["lt.config_id"]}
    assert trunks_of(run, run.start(IB)) == ["", "", "IB", "IB"]


def test_ce_of_a_search_has_no_test_values_and_is_no_cell(run):
    other = Run(run.folder, "other")
    other.start(CE, test=False)
    assert trunks_of(run, run.start(IB)) == ["", "CE", "CE", "CE"]


# --- a table that grows -----------------------------------------------------------------------------


def test_what_a_run_is_recorded_with_does_not_depend_on_what_else_was_asked_for(tmp_path):
    """One row after the other, or all at once: the same params, cells and names."""

    def recorded(name: str, *asked: Ablation) -> dict:
        run = Run(tmp_path / name)
        events = [event for one in asked for event in run.start(one)]
        return {e.tags["lt.config_id"]: (list(e.params), e.tags["lt.cells"], e.role) for e in events}

    ib = CE.replaced(rows=("IB",))
    found = recorded("grown", ib, CE, IB)
    assert found == recorded("at once", IB) and len({tuple(params) for params, _, _ in found.values()}) == 1
    assert {"epsilon", "alpha", "ldam_m", "beta", "gamma"} <= set(next(iter(found.values()))[0])


def test_a_run_names_the_cells_of_other_columns_and_rows_that_it_serves(run):
    table = TABLES["ib2021/table3"]
    assert isinstance(table, Table)
    row, column = table.rows[1].label, table.columns[0].label
    asked = Ablation(table=table.name, rows=(row,), columns=(column,), seeds=1, short=True, on="digits")
    (event,) = run.start(asked)
    cells = json.loads(event.tags["lt.cells"])
    assert len(cells) == 10 and {found for found, _ in cells} == {row}


def test_each_dataset_is_described_once_in_a_log_by_whoever_comes_to_it_first(run):
    split = Ablation(table="cdb2020/table1", rows=("CE",), seeds=2, short=True, on="digits")
    table = TABLES[split.table]
    assert isinstance(table, Table) and table.varies == "split"
    column = table.columns[0].label
    first = run.start(split.replaced(columns=(column,)))
    assert [list(event.datasets) for event in first] == [[event.tags["lt.data_id"]] for event in first]
    assert len({event.tags["lt.data_id"] for event in first}) == 2
    more = run.start(split.replaced(columns=(column,), rows=(), seeds=2))
    assert more and [event.datasets for event in more] == [{}] * len(more)
