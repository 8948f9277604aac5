"""How long `report` and `ablate --plan` take on a paper's large table whose every cell has its seeds.

    python benchmarks/large_table.py [ib2021/table4 ...] [--seeds 3]

The record is written by this recorder from made-up event logs, into SQLite. Both commands are run as a user runs them:
a process each, imports included.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from large_record import record, timed

from lt_core.identity import core_id
from search_spaces import TABLES
from search_spaces.ablation import Ablation, Training, trainings
from search_spaces.table import Table
from tuning.engine.cells import role
from tuning.engine.measures import SUFFIXES, metric_name
from tuning.log.events import Asked, Ended, EpochDone, Event, Started, TableFolder, Told
from tuning.record.identity import params

MOST_CELLS = ("ib2021/table3", "ib2021/table4")  # 180 of 16 configs, 140 of as many


def events(ablation: Ablation, table: Table, study_id: str) -> Iterator[Event]:
    """A table's log: every training ended at once, at accuracies drawn at random."""
    draw, artifacts = random.Random(0), {"table.yaml": ablation.dump()}
    known = {"lt.core_id": core_id(), "lt.table": table.name, "lt.edition": ablation.edition.name}
    yield Started(study_id, "large_table.py", known, experiment=table.name, artifacts=artifacts)
    for number, training in enumerate(trainings(ablation, table)):
        yield from _training(number, training, known, table.reads(ablation.edition), draw)
    yield Ended("finished", artifacts=artifacts)


def _training(
    number: int, training: Training, known: Mapping[str, str], reads: Sequence[str], draw: random.Random
) -> Iterator[Event]:
    config = training.config
    tags = {**known, "lt.config_id": config.id, "lt.recipe_id": config.recipe_id, "lt.seed": str(config.seed)}
    tags |= {"lt.numerics": "none", "lt.role": "none", "lt.cells": json.dumps([list(key) for key in training.cells])}
    yield Asked(number, "cell", role(training), {}, config.plain(), params(config), tags, list(reads))
    result = {"epoch": 1, "train_loss": 1.0, "lr": 0.1, "seconds": 9.0, "val": {}, "diverged": False}
    yield EpochDone(number, {**result, "score": None, "best_epoch": None}, "cpu threads=1 fp32")
    test = {metric_name(read, selection): draw.uniform(0.3, 0.9) for read in reads for selection in SUFFIXES}
    yield Told(number, "finished", test=test)


def main() -> None:
    """Make each table's record, report it, plan it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=MOST_CELLS)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    for name in given.tables:
        table = TABLES[name]
        assert isinstance(table, Table)
        with tempfile.TemporaryDirectory() as temporary:
            home, ablation = Path(temporary), Ablation(table=name, seeds=given.seeds)
            folder = TableFolder(home, ablation.name)
            written = list(events(ablation, table, folder.name))
            record(written, folder.events_file, home)
            runs = sum(isinstance(event, Told) for event in written)
            print(f"{name}: {len(table.cells())} cells, {runs} trainings")
            timed(["report", name], home)
            timed(["report", name, "--json"], home)
            timed(["ablate", name, "--plan"], home)


if __name__ == "__main__":
    main()
