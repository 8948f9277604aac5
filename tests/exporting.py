"""Studies of real trainings in a real record, without Ray: what exports are tested on."""

import io
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

from recording import SPACE, STARTED, ask, database, deliver, epochs, write_log

from lt_core import Run, TrainConfig
from lt_core.identity import numerics
from search_spaces import Study
from tuning.log.events import Ended, EpochDone, Event, StudyFolder, Told
from tuning.log.store import Store, checkpoint_name
from tuning.shell.home import Home

SETTINGS = ({}, {"T1": 1, "alpha": 300.0}, {"T1": 3, "epsilon": 1e-5})  # the paper's setting first
RANKED = (2, 0, 1)
BEST: TrainConfig = SPACE.config(SETTINGS[2])


@cache
def trained(trial: int) -> Run:
    """A trial's training."""
    run = Run(SPACE.config(SETTINGS[trial]))
    list(run.epochs())
    return run


def checkpoint(trial: int) -> bytes:
    """What a study keeps of it."""
    stream = io.BytesIO()
    trained(trial).save(stream)
    return stream.getvalue()


def night(name: str = "night", fresh: Mapping[int, float | None] | None = None) -> list[Event]:
    """A study of three trials; the best of them with given scores on fresh seeds, and half of them on test.

    None of a seed on which it diverged.
    """
    asked = Study(space=SPACE, trials=3)
    events: list[Event] = [
        replace(STARTED, study=name, study_id=f"id of {name}", artifacts={"study.yaml": asked.dump()})
    ]
    for trial, settings in enumerate(SETTINGS):
        run = trained(trial)
        on = numerics(run.config, run.device, run.threads)
        done = [EpochDone(trial, asdict(result), on) for result in run.history]
        events += [ask(trial, role="" if trial else "paper", **settings), *done, Told(trial, "finished")]
    for number, (seed, score) in enumerate((fresh or {}).items(), len(SETTINGS)):
        test = {} if score is None else {"test_acc": score / 2, "test_acc_last": score / 2}
        told = Told(number, "diverged" if score is None else "finished", test)
        confirming = ask(number, "confirm", "best", seed, **SETTINGS[2])
        events += [confirming, *epochs(number, None, None, None, score), told]
    return [*events, Ended("finished")]


def home_with(folder: Path, events: list[Event], kept: int | None = None) -> Home:
    """A home whose record and folder have a study, and a trial's checkpoint."""
    folder.mkdir(exist_ok=True)
    home = Home(folder, database(folder), folder / "data")
    deliver(home.tracking_uri, events)
    place = StudyFolder(folder, getattr(events[0], "study"))  # noqa: B009
    place.path.mkdir(parents=True)
    write_log(place.events_file, events)
    if kept is not None:
        Store(str(place.checkpoints)).write(checkpoint_name(kept), checkpoint(kept))
    return home
