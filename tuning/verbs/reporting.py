"""The verbs `report` and `compare`: out of the record, on the terminal, as one text, as files, or as JSON."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tuning.log.results import Results
from tuning.record.reading import read_study
from tuning.record.tracking import check_answers
from tuning.reports import compare as comparing
from tuning.reports import formats, summary
from tuning.reports.costs import cost_grid
from tuning.reports.importance import importance
from tuning.reports.report import study_report
from tuning.shell.home import Home


def report(home: Home, study: str, kind: str | None, out: Path | None, as_json: bool) -> int:
    """Print a study's report, or write it. InputError where the record has no such study."""
    formats.check(kind)
    check_answers(home.tracking_uri)
    pictured = out is not None or kind == "html"
    results = read_study(home.tracking_uri, study, courses=pictured)
    if out is not None:
        return _written(formats.write(study_report(results), [kind] if kind else formats.FORMATS, out), as_json)
    if as_json:
        print(json.dumps(summary.document(results) | {"state": _state(results)}, indent=2))
    elif kind is not None:
        print(formats.text(study_report(results, pictures=pictured), kind), end="")
    else:
        _show(results)
    return 0


def compare(home: Home, names: Sequence[str], kind: str | None, as_json: bool) -> int:
    """Print what differs between configs, and their results beside each other. InputError for an unknown name."""
    formats.check(kind)
    check_answers(home.tracking_uri)
    found = comparing.subjects(home.tracking_uri, names)
    if as_json:
        print(json.dumps(comparing.document(found), indent=2))
    elif kind is not None:
        print(formats.text(comparing.comparison(found), kind), end="")
    else:
        console = _console()
        for grid in (comparing.differing_grid(found), comparing.results_grid(found)):
            console.print(grid.rich())
        for sentence in comparing.sentences(found):
            console.print(sentence, markup=False, highlight=False, soft_wrap=not console.is_terminal)
    return 0


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 140)


def _written(files: list[Path], as_json: bool) -> int:
    if as_json:
        print(json.dumps({"files": [str(path) for path in files]}, indent=2))
    else:
        print("\n".join(map(str, files)))
    return 0


def _state(results: Results) -> str:
    if not results.ended:
        return "unfinished"
    return "finished" if any(trial.stop_reason == "finished" for trial in results.of_kind("trial")) else "failed"


def _show(results: Results) -> None:
    console = _console()
    summary.show(results, console)
    console.print(cost_grid(results).rich())
    if found := importance(results):
        shares = ", ".join(f"{symbol} {share:.0%}" for symbol, share in found.shares.items())
        console.print(f"What mattered: {shares} ({found.caption}).", markup=False, highlight=False)
