"""A study before it runs: what is asked for, the folder it will have, whether it may go on, what it would cost.

Imports neither MLflow nor matplotlib: what is refused, or only planned, does not wait for them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from rich.console import Console

from lt_core.config import canonical, empty_levels
from lt_core.value import InputError, Value, nearest, paths, unknown, value_at
from search_spaces import SPACES, Space, Study
from tuning.engine.capacity import device_share, gpus_per_trial, held, slots, too_big, too_many
from tuning.engine.preparation import known_from, prepare
from tuning.log.events import History, StudyFolder, folders, is_name
from tuning.reports.plan import Plan, calibrated
from tuning.reports.plan import plan as planned
from tuning.reports.progress import note
from tuning.shell.arguments import scale_factor
from tuning.shell.home import Home, in_file, load_file

# What may change when a study goes on.
RESOURCES = ("concurrent", "cpus", "gpus", "system_metrics")
MAY_CHANGE = ("trials", "per_branch", "budget", "confirm", "confirm_top", "confirm_full", *RESOURCES)
MOST_DIFFERENCES = 5  # that a refusal names


@dataclass(frozen=True)
class Changes:
    """What the command line says of a study beside its space; None and empty mean: as the space or study has it."""

    scale: float | None
    epochs: int | None
    overrides: Mapping[str, object]
    fixed: Mapping[str, Any]
    ranges: Mapping[str, tuple[float, float]]
    fields: Mapping[str, Any]
    warm_start: str | None = None

    @property
    def of_identity(self) -> bool:
        """Whether any of it makes another study than the space's own."""
        own = [name for name, value in self.fields.items() if name not in MAY_CHANGE and value is not None]
        return bool(self.scale or self.epochs or self.overrides or self.fixed or self.ranges or self.warm_start or own)


@dataclass(frozen=True)
class Opened:
    """A study that may start or go on.

    space: as typed; source: what it names, before options; asked: all that was typed; study: as it will be run.
    """

    home: Home
    space: str
    source: Study
    asked: Study
    changes: Changes
    name: str | None
    resume: bool
    folder: StudyFolder
    study: Study

    def of_file(self, path: str) -> bool:
        """Whether a field of the study is as the source has it, rather than as an option says."""
        return bool(path) and self.changes.fields.get(path.partition(".")[0]) is None

    def claimed(self) -> tuple[StudyFolder, Study]:
        """Its folder, locked, and the study, looked at again: another process may have had it since."""
        if self.name is None and not self.resume:
            return next(filter(_is_ours, _fresh(self.home, self.asked.space.name))), self.asked
        self.folder.lock()
        if self.resume:
            return self.folder, _continued(self.folder, self.source, self.asked, self.changes)
        _check_new(self.folder)
        return self.folder, self.asked


def opened(home: Home, space: str, changes: Changes, name: str | None, resume: bool) -> Opened:
    """What the command line asks for, found right as far as its words go. InputError else; nothing is written."""
    source = load(space)
    asked = build(source, changes)
    if changes.warm_start is not None:
        asked = asked.replaced(known=known_from(home, changes.warm_start, asked))
    folder, study = open_study(home, source, asked, name, resume, changes)
    return Opened(home, space, source, asked, changes, name, resume, folder, study)


def plan(found: Opened, calibrate: bool, address: str | None) -> tuple[Plan, list[str]]:
    """What a study, or the rest of it, would cost on this machine, and what a user should know.

    Trains nothing but to calibrate.
    """
    study = found.study if address else held(found.study)
    prepared(found, download=False)
    lacking = too_big(study)
    if lacking and calibrate:
        raise InputError(f"--calibrate times epochs on this machine: {lacking}")
    said = [f"{lacking}: the search needs the --address of a cluster"] if lacking and address is None else []
    history = found.folder.history() if found.resume else History()
    seconds = calibrated(study.space.base, found.home, _device(study)) if calibrate else None
    said += too_many(found.study) if address is None else []
    said = [*notes(study, found.space), *other_task(found), *said]
    return plan_of(study, found.home, history, seconds), said


def prepared(found: Opened, *, download: bool) -> None:
    """Have all data of a study at hand; InputError names the line of a file that asks for what they do not have."""
    try:
        prepare(found.study, found.home, download=download)
    except InputError as error:
        if found.resume or found.space in SPACES or not found.of_file(error.path):
            raise
        raise in_file(Path(found.space), error) from None


def plan_of(study: Study, home: Home, history: History, seconds: float | None = None) -> Plan:
    """The plan of a study with such a log on this machine, or on the cluster that is connected."""
    return planned(study, home, history, device_share(study), slots(study), seconds)


def _device(study: Study) -> str:
    return "cuda" if gpus_per_trial(study) else "cpu"


def build(study: Study, changes: Changes) -> Study:
    """The study that a space or study and the changes describe."""
    given: dict[str, Any] = {name: value for name, value in changes.fields.items() if value is not None}
    factor = scale_factor(changes.scale, changes.epochs, study.space.base.epochs)
    if factor is not None:
        study = _without_replaced(study, given).scaled(factor)
    _check_given_once(changes, given.get("first", ()))
    searched = study.space
    if changes.overrides:
        searched = searched.overridden(changes.overrides)
    if changes.ranges:
        searched = searched.ranged(changes.ranges)
    if changes.fixed:
        searched = searched.fixed(changes.fixed)
    _check_tries(searched, given.get("first", ()))
    if "per_branch" in given and "trials" not in given:
        given["trials"] = None
    return Study.parse({**study.plain(), "space": searched.plain(), **given})


def _without_replaced(study: Study, given: Collection[str]) -> Study:
    """The study without its rungs and its points where the command line has others: nothing is made of them."""
    replaced = {name: Study.model_fields[name].default for name in ("rungs", "first") if name in given}
    return study.model_copy(update=replaced)


def _check_given_once(changes: Changes, tries: Iterable[Mapping[str, Any]]) -> None:
    """InputError where a symbol that is fixed is tried, or bounded, as well."""
    others = {symbol: "--try" for point in tries for symbol in point} | dict.fromkeys(changes.ranges, "--range")
    for symbol, value in changes.fixed.items():
        if symbol in others:
            raise InputError(f"{others[symbol]} gives {symbol}, which --fix sets to {value}: leave out one of them")


def _check_tries(space: Space, points: Iterable[Mapping[str, Any]]) -> None:
    try:
        for point in points:
            space.point(point)
    except InputError as error:
        raise InputError(f"--try: {error}") from None


def load(space: str) -> Study:
    """The study of a shipped space, or of a YAML file of a space or study."""
    if space in SPACES:
        return Study(space=SPACES[space])
    path = Path(space)
    if path.suffix not in (".yaml", ".yml") and not path.is_file():
        raise unknown("space", space, SPACES)
    return as_study(load_file(path, kind_of_file))


def kind_of_file(plain: object) -> type[Study] | type[Space]:
    """Whether a file's plain data describe a study, its `space` misspelt perhaps, or the space of one."""
    keys = {str(key) for key in plain} if isinstance(plain, dict) else set()
    of_study = "space" in keys or (nearest("space", keys) and not keys & Space.model_fields.keys())
    return Study if of_study else Space


def as_study(found: Study | Space) -> Study:
    """A study, which a space alone is with every other field at its default."""
    return found if isinstance(found, Study) else Study(space=found)


def open_study(
    home: Home, source: Study, study: Study, name: str | None, resume: bool, changes: Changes
) -> tuple[StudyFolder, Study]:
    """The folder to work in, and the study as it will be run. InputError for a name that cannot be used."""
    if name is not None and not is_name(name):
        raise InputError(f"--name `{name}` is no study name: use letters, digits, `.`, `_` and `-`")
    if resume:
        folder = _to_resume(home, study.space.name, name)
        study = _continued(folder, source, study, changes)
    else:
        folder = StudyFolder(home.path, name) if name else next(_fresh(home, study.space.name))
        _check_new(folder)
    return folder, study


def _check_new(folder: StudyFolder) -> None:
    if folder.exists:
        raise InputError(
            f"study {folder.name} exists in {folder.path.parents[1]}: go on with it by --resume, or give another --name"
        )


def _fresh(home: Home, space: str) -> Iterator[StudyFolder]:
    """Folders that no study has, by number."""
    numbered = (StudyFolder(home.path, f"{space}-{number}") for number in count(1))
    return (folder for folder in numbered if not folder.exists)


def _is_ours(folder: StudyFolder) -> bool:
    """Lock a folder; False where another process has it, or had a study in it before."""
    try:
        folder.lock()
    except InputError:
        return False
    return not folder.exists


def _to_resume(home: Home, space: str, name: str | None) -> StudyFolder:
    if name is not None:
        folder = StudyFolder(home.path, name)
        if not folder.exists:
            known = [f.name for f in folders(home.path)]
            raise InputError(f"there is no study {name} to resume in {home.path}{nearest(name, known)}")
        return folder
    for folder in reversed(folders(home.path)):
        try:
            if stored(folder).space.name == space and not is_over(folder.history()):
                return folder
        except InputError as error:
            note(Console(stderr=True), [f"study {folder.name} is passed over: {error}"])
    raise InputError(f"there is no unfinished study of {space} in {home.path}")


def _continued(folder: StudyFolder, source: Study, asked: Study, changes: Changes) -> Study:
    """The stored study with what may change; InputError shows what may not.

    Without options, what the space's file holds now is held against what it held at the start.
    """
    kept, begun = stored(folder), _source_of(folder)
    given = {name: value for name in MAY_CHANGE if (value := changes.fields.get(name)) is not None}
    other = asked.space.name != kept.space.name
    differing = [f"`space.name` ({kept.space.name}, now {asked.space.name})"] if other else []
    if changes.of_identity:
        differing = _differences(kept, asked)
    elif begun is not None and source != kept:  # kept: it goes on from its own description
        differing = _differences(begun, source)
        given = {n: getattr(source, n) for n in MAY_CHANGE if getattr(source, n) != getattr(begun, n)} | given
    if differing:
        raise InputError(
            f"study {folder.name} was started with another setting of {', '.join(differing)}: "
            "repeat its options, or give none of them, to go on; another study takes a new --name"
        )
    study, asked_for = Study.parse({**kept.plain(), **given}), len(folder.history().of_kind("trial"))
    if study.wanted < min(asked_for, kept.wanted):
        raise InputError(f"study {folder.name} has {asked_for} trials: it can be extended, not cut to {study.wanted}")
    return study


def _differences(kept: Value, asked: Value) -> list[str]:
    old, new = kept.plain(), asked.plain()
    every = (path for path in dict.fromkeys([*paths(old), *paths(new)]) if path != "space.about")
    known = [path for path in every if path.split(".")[0] not in MAY_CHANGE]
    found = [path for path in known if _at(kept, path) != _at(asked, path)]
    gone = [path for path in found if _at(asked, path) is None]
    leaves = [path for path in found if path in gone or not any(_within(other, path) for other in found)]
    told = [path for path in leaves if not any(_within(path, other) for other in gone)]
    first = sorted(told, key=lambda path: (path != "space.name", path.startswith("space.")))
    more = [f"{len(told) - MOST_DIFFERENCES} more"] if len(told) > MOST_DIFFERENCES else []
    shown = [f"`{path}` ({_shown(kept, path)}, now {_shown(asked, path)})" for path in first[:MOST_DIFFERENCES]]
    return [*shown, *more]


def _within(path: str, other: str) -> bool:
    return path.startswith(f"{other}.")


def _shown(value: Value, path: str) -> object:
    """A value in a sentence; of what has parts, that it is there."""
    found = _at(value, path)
    return "none" if found is None else "there" if isinstance(found, dict) else found


def _at(value: Value, path: str) -> object:
    try:
        return value_at(value, path)
    except InputError:
        return None


def stored(folder: StudyFolder) -> Study:
    """The study kept in a folder; InputError names the file where it cannot be read."""
    return load_file(folder.study_file, lambda plain: Study)


def _source_of(folder: StudyFolder) -> Study | None:
    """What the space's file held when a study began; None where that was not kept."""
    if not folder.source_file.exists():
        return None
    return load_file(folder.source_file, lambda plain: Study)


def is_over(history: History) -> bool:
    """Whether a study ended by itself."""
    return history.ended is not None and history.ended.stop_reason == "finished"


def state(study: Study, history: History) -> str:
    """A study's state in words."""
    reasons = [trial.stop_reason for trial in history.of_kind("trial")]
    done, cut = sum(reason not in ("running", "budget") for reason in reasons), reasons.count("budget")
    how = "finished" if is_over(history) else "unfinished"
    return f"{how}, {done} of {study.wanted} trials" + (f", {cut} cut by its budget" if cut else "")


def other_task(found: Opened) -> list[str]:
    """That the scores of the study it starts from are of other data or another length, in words; else nothing."""
    name = found.changes.warm_start
    if name is None:
        return []
    earlier, own = stored(StudyFolder(found.home.path, name)).space.base, found.study.space.base
    compared = {
        "data": (canonical(earlier).data, canonical(own).data),
        "length": (earlier.epochs, own.epochs),
    }
    differing = [what for what, (one, other) in compared.items() if one != other]
    return [f"--warm-start: the scores of {name} are of other {' and '.join(differing)}"] if differing else []


def notes(study: Study, space: str) -> list[str]:
    """What a user should know before it starts: what scaling emptied, and that there is no early stopping."""
    found = [f"{level} holds no epoch of {study.space.base.epochs}" for level in empty_levels(study.space.base)]
    if space in SPACES:
        gone = [s for s in SPACES[space].symbols if s not in study.space.symbols]
        found += [f"{symbol} is not searched: {study.space.name} has it fixed here" for symbol in gone]
    return [*found, *study.notes()]
