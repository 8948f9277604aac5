"""Training what a table lacks: its folder, its runs on Ray, its record. The same command goes on after an interrupt."""

from dataclasses import dataclass

from rich.console import Console

from lt_core.data import Data, load_parts
from lt_core.sources import download as fetch
from lt_core.value import InputError
from search_spaces import Table
from search_spaces.ablation import Ablation, chosen, trainings
from tuning.engine.capacity import check_fits, held, too_many
from tuning.engine.cells import CellStage
from tuning.engine.cluster import check_address, connected, waiting
from tuning.engine.core import table_of_another_core
from tuning.engine.driver import Session
from tuning.engine.library import Library
from tuning.engine.recording import Recording, store_of
from tuning.engine.search import run_stage
from tuning.log.events import Ended, History, Started, TableFolder
from tuning.log.store import Store
from tuning.record.datasets import described
from tuning.record.identity import Identity
from tuning.record.tracking import check_answers
from tuning.reports import formats
from tuning.reports.ending import attempted
from tuning.reports.progress import note, redrawn
from tuning.shell import commands
from tuning.shell.environment import requirements
from tuning.shell.home import Home
from tuning.tables.asking import named_table
from tuning.tables.figures import table_picture
from tuning.tables.filled import Filled, of_history
from tuning.tables.progress import TableProgress
from tuning.tables.report import overview, table_report


@dataclass(frozen=True)
class Ablated:
    """What a table came to. `warning` says what the record lacks, '' where it has all."""

    ablation: Ablation
    table: Table
    history: History
    warning: str

    @property
    def interrupted(self) -> bool:
        """Whether the same command goes on with it."""
        return self.history.ended is None or self.history.ended.stop_reason != "finished"

    @property
    def remarks(self) -> list[str]:
        """What a user should know of its end: what could not be shown."""
        texts = self.history.ended.artifacts if self.history.ended else {}
        return texts.get("remarks.txt", "").splitlines()

    @property
    def failures(self) -> list[str]:
        """The errors of trainings that failed and were not made good, in words."""
        failed = [trial for trial in self.history.of_kind("cell") if trial.stop_reason == "failed"]
        again = {trial.config.id for trial in self.history.of_kind("cell") if trial.stop_reason != "failed"}
        return [f"{t.asked.role}: {t.told.error}" for t in failed if t.told and t.config.id not in again]


def ablate(home: Home, ablation: Ablation, address: str | None, store: str | None, *, download: bool) -> Ablated:
    """Train what is missing. What is wrong with the input is found before anything is written."""
    table = named_table(ablation.table)
    asked = _data_of(ablation, table)
    check_address(address)
    check_answers(home.tracking_uri)
    for data in asked:
        if download:
            fetch(data.name, home.data)
        load_parts(data, home.data)
    console = Console(stderr=True)
    with connected(address):
        if address is None:
            check_fits(ablation)
            note(console, too_many(ablation))
        elif lacking := waiting(ablation):
            note(console, [lacking])
        return _run(home, ablation, table, store, address, console)


def _data_of(ablation: Ablation, table: Table) -> list[Data]:
    """The data of the cells that are asked for, each once."""
    configs = (config for cell in chosen(ablation, table) for config in cell.configs.values())
    return list({config.data.model_dump_json(): config.data for config in configs}.values())


def _run(
    home: Home, ablation: Ablation, table: Table, store: str | None, address: str | None, console: Console
) -> Ablated:
    folder = TableFolder(home.path, ablation.name)
    store = store_of(home, folder, store)
    folder.lock()
    if said := table_of_another_core(folder):
        raise InputError(said)
    folder.write_study(ablation.dump())
    recording = Recording(
        home, folder.events_file, lambda: _started(home, folder.name, ablation, table, store, address or "")
    )
    with recording:
        library = Library(home.path, folder.events_file)
        session = Session(recording.log, store or str(folder.checkpoints), home.data, library, ablation.system_metrics)
        note(console, library.notes)
        _train(ablation if address else held(ablation), table, session, home, console)
        recording.log.emit(ended(ablation, table, session.history, folder, home))
    return Ablated(ablation, table, recording.log.history, recording.failure)


def _started(home: Home, name: str, ablation: Ablation, table: Table, store: str, address: str) -> Started:
    first = trainings(ablation, table)[0].config
    tags = {**Identity(home.data).tags(first), "lt.table": table.name, "lt.edition": ablation.edition.name}
    command, resume = commands.typed(), commands.ablate(ablation, home, address)
    return Started(
        name,
        command,
        tags,
        store,
        experiment=table.name,
        artifacts={"table.yaml": ablation.dump(), "requirements.txt": requirements()},
        address=address,
        resume=resume,
        note=commands.origin(command, resume),
        datasets=described(_data_of(ablation, table), home.data),
    )


def _train(ablation: Ablation, table: Table, session: Session, home: Home, console: Console) -> None:
    store = Store(session.store)
    stage = CellStage(ablation, table, session.history, Identity(home.data), session.library, store)
    if not stage.over or _unfinished(session.history):
        with redrawn(TableProgress(stage, session.history).view, console):
            run_stage(stage, ablation, session, trunks=stage.trunks)
    for name in stage.trunks.names:
        store.delete(name)


def _unfinished(history: History) -> bool:
    return any(trial.told is None for trial in history.of_kind("cell"))


def ended(ablation: Ablation, table: Table, history: History, folder: TableFolder, home: Home) -> Ended:
    """The table's end, with its report on its page in the record, as far as that can be made."""
    filled, out = Filled(table, ablation, of_history(history), home.data), folder.path / "report"

    def report() -> None:
        formats.write(table_report(table, [filled], home.data, table_picture), formats.FORMATS, out)

    note, unsaid = attempted("The overview", lambda: overview(filled), "")
    _, unwritten = attempted("The report", report, None)
    remarks = [remark for remark in (unsaid, unwritten) if remark]
    measured = [cell for cell in filled.cells if cell.trains and filled.finished(cell)]
    texts = {"table.yaml": ablation.dump(), "remarks.txt": "".join(f"{remark}\n" for remark in remarks)}
    page = "\n\n".join(part for part in (*remarks, note) if part)
    return Ended("finished", page, {"cells_measured": float(len(measured))}, texts, str(out))
