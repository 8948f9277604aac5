"""Which trainings the stage of a table asks for. What they came to is made up; test_ablate trains them."""

from pathlib import Path

import pytest
from test_events import epoch

from search_spaces import TABLES, Table
from search_spaces.ablation import Ablation
from tuning.cells import CellStage
from tuning.events import EpochDone, EventLog, Told
from tuning.filled import Filled, of_history
from tuning.identity import Identity

GRID = Ablation(
    table="controls/cb-grid", rows=("softmax, lr",), columns=("cifar10-lt-100",), seeds=2, short=True, on="digits"
)


class Run:
    """A table's log in a folder, to which each start of a command adds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = EventLog(folder / "events.jsonl", lambda event: None)

    def stage(self, ablation: Ablation) -> CellStage:
        table = TABLES[ablation.table]
        assert isinstance(table, Table)
        return CellStage(ablation, table, self.log.history, Identity(self.folder))

    def start(self, ablation: Ablation, scores=lambda number: 0.5, failing=()) -> list:
        """What a start asks for and ends, each training at once: its score by its place in this start."""
        stage, events = self.stage(ablation), []
        while not stage.over:
            for event in stage.propose(len(self.log.history.trials)):
                self.log.emit(event)
                self._end(event, scores(len(events)), "failed" if len(events) in failing else "finished")
                events.append(event)
        return events

    def _end(self, event, score: float, how: str) -> None:
        epochs = event.config["epochs"]
        for number in range(1, epochs + 1):
            self.log.emit(EpochDone(event.trial, epoch(event.trial, number, score).result, "n"))
        self.log.emit(Told(event.trial, how, {"test_acc": score, "test_acc_last": score}))

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
