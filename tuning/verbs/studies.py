"""A study while it runs: its search and confirmation on Ray, its record, its result."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from rich.console import Console

from search_spaces import Study
from tuning.engine.capacity import check_fits, held, too_many
from tuning.engine.cluster import check_address, connected, waiting
from tuning.engine.driver import Session
from tuning.engine.library import Library
from tuning.engine.preparation import data_of, unseen
from tuning.engine.recording import Recording, check_core, store_of
from tuning.engine.search import run_study
from tuning.exports.export import export_configs
from tuning.log import limits
from tuning.log.events import History, Started, StudyFolder
from tuning.log.results import Results, best_trial, of_history
from tuning.record.datasets import described
from tuning.record.identity import Identity
from tuning.record.tracking import check_answers, reason
from tuning.reports.ending import ended
from tuning.reports.plan import compared
from tuning.reports.progress import Progress, note, redrawn
from tuning.shell import commands
from tuning.shell.environment import requirements
from tuning.shell.home import Home
from tuning.verbs.asked import Opened, is_over, notes, other_task, plan_of, prepared


@dataclass(frozen=True)
class Outcome:
    """What a study came to. `warning` says what the record lacks, '' where it has all."""

    name: str
    study: Study
    history: History
    export: Path | None
    warning: str

    @cached_property
    def results(self) -> Results:
        """What its log says, as reports read it."""
        return of_history(self.name, self.study, self.history)

    @property
    def remarks(self) -> list[str]:
        """Why the search ended, where it has not its trials, and how far off the plan was."""
        return remarks(self.study, self.history) if not self.interrupted else []

    @property
    def interrupted(self) -> bool:
        """Whether it can go on."""
        return not is_over(self.history)

    @property
    def failed(self) -> bool:
        """Whether it ended without a trial of full length."""
        return not self.interrupted and best_trial(self.study, self.history) is None


def search(found: Opened, address: str | None, store: str | None, download: bool) -> Outcome:
    """Run a study to its end, or on to it. What is wrong with the input is found before anything is written."""
    console, home = Console(stderr=True), found.home
    check_address(address)
    check_answers(home.tracking_uri)
    prepared(found, download=download)
    lacking = (said for data in data_of(found.study.space) for said in unseen(data, home))
    note(console, [*notes(found.study, found.space), *other_task(found), *lacking])
    with connected(address):
        if address is None:
            check_fits(found.study)
            note(console, too_many(found.study))
        elif lacking := waiting(found.study):
            note(console, [lacking])
        store = store_of(home, found.folder, store)
        folder, study = found.claimed()
        if not found.resume:
            folder.write_source(found.source.dump())
        return run(home, folder, study, store, address, console)


def run(home: Home, folder: StudyFolder, study: Study, store: str, address: str | None, console: Console) -> Outcome:
    """Search and confirm on the Ray that is connected, recorded and exported; an interrupt ends it in order.

    folder: locked by this process. store: of checkpoints, '' for the folder's own. address: of a cluster;
    None for this machine, on which no more trials run at a time than it holds.
    """
    check_core(folder, "use a new --name")
    folder.write_study(study.dump())
    recording = Recording(home, folder.events_file, lambda: _started(home, folder.name, study, store, address or ""))
    with recording:
        library = Library(home.path, folder.events_file)
        session = Session(recording.log, store or str(folder.checkpoints), home.data, library, study.system_metrics)
        note(console, library.notes)
        with redrawn(Progress(study, session.history).view, console):
            run_study(study if address else held(study), session, Identity(home.data))
        results = of_history(folder.name, study, session.history)
        said = tuple(remarks(study, session.history))
        recording.log.emit(ended(replace(results, remarks=said, ended=True), folder.path / "report"))
    history, failure = recording.log.history, recording.failure
    none = failure or not is_over(history) or best_trial(study, history) is None
    file, failure = (None, failure) if none else _exported(home, folder)
    return Outcome(folder.name, study, history, file, failure)


def _exported(home: Home, folder: StudyFolder) -> tuple[Path | None, str]:
    """The best config's file, or why it could not be read back: a record that fails now costs no study its end."""
    try:
        return export_configs(home.tracking_uri, folder.name, 1, folder.path / "export").files[0], ""
    except Exception as error:  # whatever a server does
        return None, f"its best config could not be read back ({reason(error)})"


def _started(home: Home, name: str, study: Study, store: str, address: str) -> Started:
    command, resume = commands.typed(), commands.resume(name, study.space.name, home, address)
    plan = json.dumps(plan_of(study if address else held(study), home, History()).document(), indent=2)
    return Started(
        name,
        command,
        Identity(home.data).tags(study.space.base),
        store,
        experiment=study.space.name,
        artifacts={"study.yaml": study.dump(), "plan.json": plan, "requirements.txt": requirements()},
        address=address,
        resume=resume,
        note=commands.origin(command, resume),
        datasets=described(data_of(study.space), home.data),
    )


def remarks(study: Study, history: History) -> list[str]:
    """Why the search ended, where it has not its trials, and how far off the plan was, in words."""
    files = history.started.artifacts if history.started else {}
    foreseen = json.loads(files.get("plan.json", "{}"))
    share = foreseen.get("share", 1.0)
    why = _why_short(study, history, share)
    said = [f"The search ended: {why}."] if why else []
    if study.constraints and best_trial(study, history) is None:
        bounds = " and ".join(map(str, study.constraints))
        said.append(f"No trial of full length keeps to {bounds}: nothing was confirmed or exported.")
    more_trials = len(history.of_kind("trial")) > foreseen.get("trials", 0)
    extended = more_trials or study.budget.plain() != foreseen.get("budget")
    off = "" if extended else compared(foreseen, limits.spent(history, share))
    return said + ([off] if off else [])


def _why_short(study: Study, history: History, share: float) -> str:
    """Why a search has not its trials, or not as long as they were to be; '' where it has."""
    trials = history.of_kind("trial")
    if any(trial.stop_reason == "budget" for trial in trials):
        return limits.used_up(study, history, share)
    return limits.end(study, history, share) if len(trials) < study.wanted else ""
