"""What must be right before a study starts: its data, what it is judged by, what it learns from an earlier one."""

from collections.abc import Iterator, Mapping
from typing import Any

from lt_core.config import TrainConfig
from lt_core.data import Data, load_parts
from lt_core.metrics import accuracies
from lt_core.sources import download as fetch
from lt_core.value import InputError, nearest, unknown
from search_spaces.space import Space
from search_spaces.study import Known, Study
from tuning.log.events import StudyFolder, folders
from tuning.log.outcome import values, violations
from tuning.shell.home import Home

SHOWN = 8  # names of classes in a sentence


def prepare(study: Study, home: Home, *, download: bool) -> None:
    """Read, or fetch, all data that trials may train on. InputError for what is missing or cannot be judged."""
    for data in data_of(study.space):
        if download:
            fetch(data.name, home.data)
        load_parts(data, home.data)
    _check_metrics(study, home)


def unseen(data: Data, home: Home) -> Iterator[str]:
    """Which classes have no image in val or in test, in words; nothing of a part that is empty."""
    parts = load_parts(data, home.data)
    for name, part in (("val", parts.val), ("test", parts.test)):
        images = part.labels.bincount(minlength=parts.classes).tolist()
        lacking = [label for label, many in zip(parts.class_names, images, strict=True) if not many]
        if 0 < len(lacking) < parts.classes:
            some = ", ".join(lacking[:SHOWN]) + (", ..." if len(lacking) > SHOWN else "")
            yield (
                f"{name} of {data.path or data.name} has no image of {len(lacking)} of {parts.classes} classes "
                f"({some}): {name} accuracies are over the others"
            )


def data_of(space: Space) -> list[Data]:
    """All data that trials of a space may train on, whichever label they have."""
    return list(dict.fromkeys(config.data for config in space.extremes()))


def _check_metrics(study: Study, home: Home) -> None:
    """Objectives and constraints must be of groups that have a class in val, whichever data a trial has."""
    named = {f"objectives.{i}": metric for i, metric in enumerate(study.objectives)}
    named |= {f"constraints.{i}.metric": each.metric for i, each in enumerate(study.constraints)}
    for data in data_of(study.space):
        known = ["score", *(f"val_{name}" for name in val_metrics(study.space.base, data, home))]
        for path, metric in named.items():
            if metric not in known:
                field = path.partition(".")[0]
                raise InputError(f"{field}: {unknown('metric with a class in val', metric, known)}", path)


def val_metrics(config: TrainConfig, data: Data, home: Home) -> list[str]:
    """The names of the accuracies that an epoch of a config has; groups without a class have none."""
    parts = load_parts(data, home.data)
    images = parts.val.labels.bincount(minlength=parts.classes)
    return list(accuracies(images.diag(), parts.class_counts, config.evaluation.groups))


def known_from(home: Home, name: str, study: Study) -> tuple[Known, ...]:
    """The finished trials of a study of this home, for another one to learn from. InputError where one lies outside."""
    folder = StudyFolder(home.path, name)
    if not folder.exists:
        known = [f.name for f in folders(home.path)]
        raise InputError(f"--warm-start: there is no study {name} in {home.path}{nearest(name, known)}")
    found = []
    for trial in folder.history().of_kind("trial"):
        scored = values(study, trial)
        if trial.stop_reason != "finished" or scored is None:
            continue
        _check_inside(study.space, trial.asked.settings, f"trial {trial.asked.trial} of {name}")
        found.append(Known(settings=trial.asked.settings, values=scored, violations=violations(study, trial)))
    if not found:
        raise InputError(f"--warm-start: study {name} has no trial of full length")
    return tuple(found)


def _check_inside(space: Space, settings: Mapping[str, Any], whose: str) -> None:
    try:
        if space.point(settings) != settings:
            raise InputError(f"it has no {', '.join(s for s in space.point(settings) if s not in settings)}")
    except InputError as error:
        raise InputError(f"--warm-start: {whose} is no point of this space: {error}") from None
