"""A study's results on the terminal, and as a JSON document."""

from typing import Any

from rich.console import Console
from rich.table import Table

from tuning.log.results import Results, Trial
from tuning.reports.confirmation import (
    Confirmed,
    confirmed,
    confirmed_grid,
    differences,
    exact_grid,
    sentences,
    shortfalls,
)
from tuning.reports.costs import cost
from tuning.reports.leaderboard import by_label, front_grid, leaderboard
from tuning.reports.statistics import seeds_to_decide

TOP = 10


def show(results: Results, console: Console) -> None:
    """The leaderboard's head, what failed, the confirmed table and what it says."""
    console.print(_leaderboard(results, console))
    for trial in results.of_kind("trial"):
        if trial.error:
            console.print(f"trial {trial.number} failed: {trial.error}", markup=False, highlight=False)
    groups = confirmed(results)
    fresh = confirmed_grid(groups, resampled=results.study.resample) if groups else None
    tables = (by_label(results), front_grid(results), fresh, exact_grid(groups))
    for grid in tables:
        if grid:
            console.print(grid.rich())
    for sentence in [*sentences(groups), *shortfalls(results)]:
        console.print(sentence, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def _leaderboard(results: Results, console: Console) -> Table:
    """With a column for each symbol where they fit side by side, else with one for all of them."""
    table = leaderboard(results, TOP).rich()
    if console.measure(table, options=console.options.update(max_width=10_000)).maximum <= console.width:
        return table
    return leaderboard(results, TOP, narrow=True).rich()


def document(results: Results) -> dict[str, Any]:
    """All of it, as plain data."""
    groups = confirmed(results)
    spent = {kind: cost(results.study, results.of_kind(kind)) for kind in ("trial", "confirm")}
    return {
        "study": results.name,
        "trials": [_trial(trial) for trial in results.ranked],
        "front": [trial.number for trial in results.front],
        "confirmed": [_group(group) for group in groups],
        "differences_to_paper": _differences(groups),
        "verdicts": sentences(groups),
        "cost": {"search": vars(spent["trial"]), "confirmation": vars(spent["confirm"])},
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "settings": dict(trial.settings),
        "score": trial.score,
        "judged": dict(trial.judged),
        "feasible": trial.feasible,
        "best_epoch": trial.best_epoch,
        "epochs": trial.epochs,
        "stop_reason": trial.stop_reason,
        "reused": trial.reused,
        "config_id": trial.config_id,
    }


def _group(group: Confirmed) -> dict[str, Any]:
    macro = {"test_acc_macro": dict(group.macro)} if group.macro else {}
    values = {"score": dict(group.score), "test_acc": dict(group.test), **macro}
    return {"config": group.role, "settings": dict(group.settings), **values, "diverged": list(group.diverged)}


def _differences(groups: list[Confirmed]) -> dict[str, Any]:
    """By role: the paired difference of test accuracy, what it decides, and how many seeds would."""
    return {
        role: {**vars(found), "verdict": found.verdict, "seeds_to_decide": seeds_to_decide(found)} if found else None
        for role, found in differences(groups).items()
    }
