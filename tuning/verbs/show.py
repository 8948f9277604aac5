"""What a verb came to -> the terminal or one JSON document, and the exit code."""

import json
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console

from lt_core.value import InputError
from tuning.log.events import StudyFolder, TrialRecord, folders
from tuning.reports import summary
from tuning.reports.plan import Plan
from tuning.shell import commands
from tuning.shell.home import Home
from tuning.shell.uris import without_secrets
from tuning.verbs import table_show
from tuning.verbs.asked import is_over, state, stored

if TYPE_CHECKING:  # import MLflow, or Ray's jobs
    from tuning.exports.origin import Reproduction
    from tuning.record.sync import Synced
    from tuning.verbs.doctor import Finding
    from tuning.verbs.jobs import Job
    from tuning.verbs.studies import Outcome


def study(outcome: "Outcome", home: Home, as_json: bool) -> int:
    """The leaderboard, the confirmed table and its sentences, and what to type next."""
    if outcome.warning:
        again = commands.sync(outcome.name, home)
        _say(f"warning: the record lacks some of it: {outcome.warning}; `{again}` delivers it")
    if as_json:
        _print_json(_study_document(outcome, home))
    else:
        _print_study(outcome, home)
    return 130 if outcome.interrupted else 1 if outcome.failed else 0


def plan(found: Plan, notes: list[str], as_json: bool) -> int:
    """What a study would cost, and what to know beforehand."""
    if as_json:
        _print_json({**found.document(), "notes": notes})
        return 0
    console = Console()
    console.print(found.grid().rich())
    for note in notes:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=not console.is_terminal)
    return 0


def run(trial: TrialRecord, reproduced: "Reproduction | None", home: Home, as_json: bool) -> int:
    """One training's end, and what it was to come to where its config was exported."""
    document = {
        "config_id": trial.config.id,
        "stop_reason": trial.stop_reason,
        "score": trial.last["score"],
        "best_epoch": trial.last["best_epoch"],
        "epochs": trial.last["epoch"],
        **(trial.told.test if trial.told else {}),
    }
    if as_json:
        _print_json({**document, **({"recorded": reproduced.document()} if reproduced else {})})
    else:
        for key, value in document.items():
            print(f"{key}: {value}")
        if reproduced:
            print(reproduced.sentence())
        print(f"in MLflow: {commands.ui(home)}")
    return 0 if trial.stop_reason == "finished" else 1


def synced(logs: Iterable["Synced"], as_json: bool) -> int:
    """What became of each log, as soon as it is delivered."""
    found = []
    for log in logs:
        found.append({"log": str(log.log), "runs": log.runs, "lacks": log.lacks})
        runs = f"{log.runs} run{'' if log.runs == 1 else 's'} delivered" if log.runs else "nothing was lacking"
        if not as_json:
            print(f"{commands.short(log.log)}: {f'not delivered: {log.lacks}' if log.lacks else runs}", flush=True)
    if as_json:
        _print_json(found)
    return 1 if any(log["lacks"] for log in found) else 0


def findings(found: Iterable["Finding"], as_json: bool) -> int:
    """What was looked at, a line each, as soon as it is known; exit code 1 where something would fail."""
    told = []
    for finding in found:
        told.append(finding)
        if not as_json:
            state = "FAILS" if finding.state == "fails" else finding.state
            print(f"{state:<7}{finding.what:<10}{finding.says}", flush=True)
    if as_json:
        _print_json([asdict(finding) for finding in told])
    return 1 if any(finding.state == "fails" for finding in told) else 0


def jobs(found: Sequence["Job"], as_json: bool) -> int:
    """Jobs of a cluster, a line each."""
    if as_json:
        _print_json([asdict(job) for job in found])
        return 0
    for job in found:
        started = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.started))
        print(f"{job.id}  {job.state.lower():<10} {started}  {job.command}")
    return 0


def submitted(job: str, address: str, as_json: bool) -> int:
    """A job that was started, and the command that follows it."""
    follow = f"lt-tune logs {job} --follow --address {without_secrets(address)}"
    if as_json:
        _print_json({"job": job, "follow": follow})
    else:
        print(f"{job}\nfollow it: {follow}")
    return 0


def logs(job: str, pieces: Iterable[str], as_json: bool) -> int:
    """What a job printed, piece by piece as it comes; as one document once it is all there."""
    if as_json:
        _print_json({"job": job, "log": "".join(pieces)})
        return 0
    for piece in pieces:
        print(piece, end="", flush=True)
    return 0


def studies(home: Home, as_json: bool) -> int:
    """The studies of a home with the command that goes on, or reports what is finished."""
    found = [_listed(folder, home) for folder in folders(home.path)] + table_show.listed(home)
    if as_json:
        _print_json(found)
    elif not found:
        print(f"no studies in {home.path}; `lt-tune search demo` makes one")
    else:
        for line in found:
            print(f"{line['study']:<24} {line['state']}\n    {line['command']}")
    return 0


def _listed(folder: StudyFolder, home: Home) -> dict[str, str]:
    """A study's name, state and what to type next; one that cannot be read does not hide the others."""
    try:
        kept, history = stored(folder), folder.history()
        go_on = commands.resume(folder.name, kept.space.name, home, history.address)
        command = commands.report(folder.name, home) if is_over(history) else go_on
        return {"study": folder.name, "state": state(kept, history), "command": command}
    except InputError as error:
        return {"study": folder.name, "state": f"cannot be read: {error}", "command": ""}


def _print_study(outcome: "Outcome", home: Home) -> None:
    console = Console(width=None if sys.stdout.isatty() else 140)
    summary.show(outcome.results, console)
    for remark in outcome.remarks:
        console.print(remark, markup=False, highlight=False, soft_wrap=not console.is_terminal)
    if outcome.interrupted:
        print(f"go on: {_go_on(outcome, home)}")
    if outcome.export:
        print(f"best config: {commands.short(outcome.export)}")
        print(f"train it again: lt-tune train {shlex.quote(commands.short(outcome.export))}")
        print(f"its model, card and scores: {commands.export(outcome.name, home)}")
    print(f"compare in MLflow: {commands.ui(home)}")


def _study_document(outcome: "Outcome", home: Home) -> dict[str, Any]:
    return {
        **summary.document(outcome.results),
        "state": "interrupted" if outcome.interrupted else "failed" if outcome.failed else "finished",
        "remarks": outcome.remarks,
        "export": str(outcome.export) if outcome.export else None,
        "tracking_uri": without_secrets(home.tracking_uri),
        "go_on": _go_on(outcome, home) if outcome.interrupted else None,
    }


def _go_on(outcome: "Outcome", home: Home) -> str:
    return commands.resume(outcome.name, outcome.study.space.name, home, outcome.history.address)


def _say(text: str) -> None:
    Console(stderr=True).print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _print_json(document: object) -> None:
    print(json.dumps(document, indent=2))
