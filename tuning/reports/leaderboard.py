"""A study's trials as tables: by rank, the Pareto front, the best of each branch."""

from tuning.log.outcome import judged_by
from tuning.log.results import Results, Trial
from tuning.reports.grid import Grid, setting, settings_text


def leaderboard(results: Results, top: int | None = None, *, narrow: bool = False) -> Grid:
    """Trials by rank; only those that reached their full length are ranked. `narrow`: all settings in one column."""
    trials = results.ranked
    full = sum(trial.stop_reason == "finished" for trial in trials)
    rows = [_row(trial, rank if rank <= full else None, results, narrow) for rank, trial in enumerate(trials, 1)]
    settings = ["settings"] if narrow else results.study.space.symbols
    heads = ["#", "trial", *settings, "score", *judged_by(results.study), "epoch", "trained", "state"]
    shown = rows if top is None else rows[:top]
    more = "" if len(shown) == len(rows) else f" (first {len(shown)} of {len(rows)} trials)"
    return Grid(f"Leaderboard{more}", heads, shown, min(full, len(shown)), ("settings", "state") if narrow else ())


def _row(trial: Trial, rank: int | None, results: Results, narrow: bool) -> list[str]:
    symbols = [setting(trial.settings.get(symbol, "none")) for symbol in results.study.space.symbols]
    judged = [trial.judged.get(name) for name in ("score", *judged_by(results.study))]
    return [
        "-" if rank is None else str(rank),
        f"{trial.number}{' (paper)' if trial.role == 'paper' else ''}",
        *([settings_text(trial.settings)] if narrow else symbols),
        *("" if value is None else f"{value:.4f}" for value in judged),
        str(trial.best_epoch or ""),
        f"{trial.epochs}/{trial.length}",
        trial.state,
    ]


def front_grid(results: Results) -> Grid | None:
    """The Pareto front; None with one objective, or where no trial is able."""
    names = results.study.objectives
    if len(names) < 2 or not results.front:
        return None
    rows = [
        [str(trial.number), settings_text(trial.settings), *(f"{value:.4f}" for value in trial.objectives)]
        for trial in results.front
    ]
    return Grid("Pareto front", ["trial", "settings", *names], rows, len(rows), ("settings",))


def by_label(results: Results) -> Grid | None:
    """The best of each label of a space's branch, with the trials that it had; None without one branch."""
    if results.study.branch is None:
        return None
    symbol, branch = results.study.branch
    rows = sorted((_best_of(label, symbol, results) for label in branch.labels), key=lambda row: row[1], reverse=True)
    heads = [symbol, "score", "trial", "trials", "epochs", "settings"]
    differ = len({row[heads.index("trials")] for row in rows}) > 1
    hint = "" if results.study.per_branch else ": --per-branch makes them equal"
    unequal = f" (budgets differ{hint})" if differ else ""
    return Grid(f"Best by {symbol}{unequal}", heads, rows, len(rows), ("settings",))


def _best_of(label: str, symbol: str, results: Results) -> list[str]:
    own = [trial for trial in results.of_kind("trial") if trial.settings.get(symbol) == label]
    best = next((trial for trial in results.able if trial.settings.get(symbol) == label), None)
    score, number = (f"{best.score:.4f}", str(best.number)) if best else ("", "")
    beside = {s: value for s, value in best.settings.items() if s != symbol} if best else {}
    return [label, score, number, str(len(own)), str(sum(trial.epochs for trial in own)), settings_text(beside)]
