"""With which lt_core a log was begun: in one log, numbers must be of one. Imports no MLflow: plans read it, too."""

from pathlib import Path

from lt_core.identity import core_id
from lt_core.value import InputError
from tuning.log.events import Started, StudyFolder, TableFolder, read_events


def first_line(log: Path) -> Started | None:
    """What a log begins with; None where there is none."""
    first = next(read_events(log), None)
    if first is not None and not isinstance(first, Started):
        raise InputError(f"{log} is no event log: its first line does not say what was started")
    return first


def of_another_core(folder: StudyFolder, remedy: str) -> str:
    """That a study or a table was begun with another lt_core, and what to do, in words; '' where it was not."""
    started = first_line(folder.events_file)
    if started is None or started.tags["lt.core_id"] == core_id():
        return ""
    return f"{folder.what} {folder.name} was started with another lt_core: {remedy}"


def table_of_another_core(folder: TableFolder) -> str:
    """The same of a table, whose name is not one's own to choose."""
    return of_another_core(folder, f"move {folder.path} away to train the table anew")
