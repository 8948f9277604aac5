"""Training what a table lacks: its folder, its runs on Ray, its record. The same command goes on after an interrupt."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from lt_core.data import Data, load_parts
from lt_core.identity import core_id
from lt_core.sources import download as fetch
from lt_core.value import InputError
from search_spaces import Table
from search_spaces.ablation import Ablation, chosen, trainings
from tuning import commands, formats
from tuning.cells import CellStage
from tuning.cluster import check_address, check_fits, check_store, connected, waiting
from tuning.datasets import described
from tuning.driver import Session
from tuning.environment import requirements
from tuning.events import Continued, Ended, EventLog, History, Started, TableFolder
from tuning.filled import Filled, of_history
from tuning.home import CLOSE_SECONDS, INTERRUPT_SECONDS, Home
from tuning.identity import Identity
from tuning.library import Library
from tuning.recorder import Recorder
from tuning.search import run_stage
from tuning.store import Store
from tuning.table_figures import table_picture
from tuning.table_plan import named_table
from tuning.table_progress import TableProgress
from tuning.table_report import overview, table_report
from tuning.tracking import check_answers


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
    def failures(self) -> list[str]:
        """The errors of trainings that failed and were not made good, in words."""
        failed = [trial for trial in self.history.of_kind("cell") if trial.stop_reason == "failed"]
        again = {trial.config.id for trial in self.history.of_kind("cell") if trial.stop_reason != "failed"}
        return [f"{t.asked.role}: {t.told.error}" for t in failed if t.told and t.config.id not in again]


def ablate(home: Home, ablation: Ablation, address: str | None, store: str | None, *, download: bool) -> Ablated:
    """Train what is missing. What is wrong with the input is found before anything is written."""
    table = named_table(ablation.table)
    if not chosen(ablation, table):
        raise InputError(f"{table.name} has nothing to train in these rows and columns")
    check_address(address)
    check_answers(home.tracking_uri)
    for data in _data_of(ablation, table):
        if download:
            fetch(data.name, home.data)
        load_parts(data, home.data)
    console = Console(stderr=True)
    with connected(address):
        if address is None:
            check_fits(ablation)
        elif lacking := waiting(ablation):
            console.print(f"note: {lacking}", highlight=False, markup=False, soft_wrap=True)
        return _run(home, ablation, table, store, console)


def _data_of(ablation: Ablation, table: Table) -> list[Data]:
    """The data of the cells that are asked for, each once."""
    configs = (config for cell in chosen(ablation, table) for config in cell.configs.values())
    return list({config.data.model_dump_json(): config.data for config in configs}.values())


def _run(home: Home, ablation: Ablation, table: Table, store: str | None, console: Console) -> Ablated:
    folder = TableFolder(home.path, ablation.name)
    started = folder.history().started
    store = store or (started.store if started else "")
    if store and "://" not in store:
        store = str(Path(store).expanduser().absolute())
    check_store(store or str(home.path))
    folder.lock()
    folder.write_study(ablation.dump())
    recorder = Recorder(home.tracking_uri, home.artifacts, folder.events_file)
    session = _session(home, folder, ablation, table, store, recorder)
    try:
        _train(ablation, table, session, home, console)
        session.log.emit(_ended(ablation, table, session.history, folder, home))
    except KeyboardInterrupt:
        session.log.emit(Ended("interrupted"))
    except BaseException:
        session.log.emit(Ended("interrupted"))
        recorder.close(INTERRUPT_SECONDS)
        raise
    ended = session.history.ended
    recorder.close(CLOSE_SECONDS if ended and ended.stop_reason == "finished" else INTERRUPT_SECONDS)
    return Ablated(ablation, table, session.history, recorder.failure)


def _session(
    home: Home, folder: TableFolder, ablation: Ablation, table: Table, store: str, recorder: Recorder
) -> Session:
    """The state of the log so far. A table that was begun by another core goes on in the same log: its runs differ."""
    log = EventLog(folder.events_file, recorder.put)
    if log.history.started is None:
        first = trainings(ablation, table)[0].config
        tags = {**Identity(home.data).tags(first), "lt.table": table.name, "lt.edition": ablation.edition.name}
        command, resume = commands.typed(), commands.ablate(ablation, home)
        log.emit(
            Started(
                folder.name,
                command,
                tags,
                store,
                experiment=table.name,
                artifacts={"table.yaml": ablation.dump(), "requirements.txt": requirements()},
                resume=resume,
                note=commands.origin(command, resume),
                datasets=described(_data_of(ablation, table), home.data),
            )
        )
    elif log.history.started.tags["lt.core_id"] != core_id():
        raise InputError(f"{folder.path} was begun with another lt_core: move it away to train the table anew")
    else:
        log.emit(Continued())
    return Session(log, store or str(folder.checkpoints), home.data, Library(home.path, folder.events_file))


def _train(ablation: Ablation, table: Table, session: Session, home: Home, console: Console) -> None:
    stage = CellStage(ablation, table, session.history, Identity(home.data))
    if stage.over and not _unfinished(session.history):
        return
    with TableProgress(stage, session.history, console):
        run_stage(stage, ablation, session, trunks=stage.trunks)
    for name in stage.trunks.names:
        Store(session.store).delete(name)


def _unfinished(history: History) -> bool:
    return any(trial.told is None for trial in history.of_kind("cell"))


def _ended(ablation: Ablation, table: Table, history: History, folder: TableFolder, home: Home) -> Ended:
    """The table's end, with its report on its page in the record."""
    filled = Filled(table, ablation, of_history(history), home.data)
    document = table_report(table, [filled], home.data, table_picture)
    out = folder.path / "report"
    formats.write(document, formats.FORMATS, out)
    metrics = {"cells_measured": float(sum(bool(filled.runs_of(cell)) for cell in filled.cells if cell.trains))}
    return Ended("finished", overview(filled), metrics, {"table.yaml": ablation.dump()}, str(out))
