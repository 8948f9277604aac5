"""What a table's verbs came to -> the terminal or one JSON document, and the exit code."""

import json
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console

from lt_core.value import InputError
from search_spaces.ablation import Ablation
from tuning.log.events import TableFolder, table_folders
from tuning.shell import commands
from tuning.shell.home import Home, load_file
from tuning.tables.filled import FAILED, Filled, of_history
from tuning.tables.terminal import Terminal

if TYPE_CHECKING:  # imports MLflow and matplotlib
    from tuning.verbs.ablate import Ablated


def listed(home: Home) -> list[dict[str, str]]:
    """The editions of tables of a home, their state, and the command that goes on, or reports what is finished."""
    return [_listed(folder, home) for folder in table_folders(home.path)]


def _listed(folder: TableFolder, home: Home) -> dict[str, str]:
    """An edition's name, state and what to type next; what failed is tried again by the command that goes on."""
    try:
        ablation = load_file(folder.study_file, lambda plain: Ablation)
        history = folder.history()
        done = sum(trial.told is not None for trial in history.of_kind("cell"))
        failed = sum(run.stop_reason == FAILED for run in of_history(history))
        over = history.ended is not None and history.ended.stop_reason == "finished"
        trainings = f"{done} training{'' if done == 1 else 's'}{f', {failed} failed' if failed else ''}"
        state = f"{'finished' if over else 'unfinished'}, {trainings}"
        whole = over and not failed
        command = commands.report(ablation.table, home) if whole else commands.ablate(ablation, home, history.address)
        return {"study": folder.name, "state": state, "command": command}
    except InputError as error:
        return {"study": folder.name, "state": f"cannot be read: {error}", "command": ""}


def ablated(outcome: "Ablated", home: Home, as_json: bool) -> int:
    """What was trained, what failed, and what to type next."""
    states = Counter(trial.stop_reason for trial in outcome.history.of_kind("cell"))
    reused = sum(t.told is not None and t.told.reused_from is not None for t in outcome.history.of_kind("cell"))
    go_on = commands.ablate(outcome.ablation, home, outcome.history.address) if outcome.interrupted else None
    document = {
        "table": outcome.table.name,
        "edition": outcome.ablation.edition.name,
        "state": "interrupted" if outcome.interrupted else "failed" if outcome.failures else "finished",
        "trainings": dict(states),
        "reused": reused,
        "failures": outcome.failures,
        "remarks": outcome.remarks,
        "go_on": go_on,
        "report": commands.report(outcome.table.name, home),
    }
    if outcome.warning:
        again = commands.sync(outcome.ablation.name, home)
        said = f"warning: the record lacks some of it: {outcome.warning}; `{again}` delivers it"
        Console(stderr=True).print(said, style="yellow", markup=False, highlight=False)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        counts = ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in sorted(states.items()))
        print(
            f"{outcome.table.name}, {outcome.ablation.edition.name}: {counts}, {reused} of them taken from other runs"
        )
        if not outcome.interrupted:
            Terminal().edition(Filled(outcome.table, outcome.ablation, of_history(outcome.history), home.data))
        for remark in outcome.remarks:
            print(remark)
        for failure in outcome.failures:
            print(f"failed: {failure}")
        print(f"go on: {go_on}" if go_on else f"report: {document['report']}")
    return 130 if outcome.interrupted else 1 if outcome.failures else 0
