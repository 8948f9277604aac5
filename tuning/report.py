"""A study's results -> its leaderboard."""

from search_spaces.study import Study
from tuning.events import History, TrialRecord
from tuning.grid import Grid, setting, settings_text
from tuning.outcome import feasible
from tuning.results import Results, Trial, best


def best_trial(study: Study, history: History) -> TrialRecord | None:
    """The finished trial of the best score within the constraints, the first of them where several have it."""
    return best(trial for trial in history.of_kind("trial") if feasible(study, trial))


def leaderboard(results: Results, top: int | None = None, *, narrow: bool = False) -> Grid:
    """Trials by score; only those that reached their full length are ranked. `narrow`: all settings in one column."""
    trials = results.ranked
    full = sum(trial.stop_reason == "finished" for trial in trials)
    rows = [_row(trial, rank if rank <= full else None, results, narrow) for rank, trial in enumerate(trials, 1)]
    settings = ["settings"] if narrow else results.study.space.symbols
    heads = ["#", "trial", *settings, "score", "epoch", "trained", "state"]
    shown = rows if top is None else rows[:top]
    more = "" if len(shown) == len(rows) else f" (first {len(shown)} of {len(rows)} trials)"
    return Grid(f"Leaderboard{more}", heads, shown, min(full, len(shown)), ("settings", "state") if narrow else ())


def by_label(results: Results) -> Grid | None:
    """The best of each label of a space's branch, with the trials that it had; None without one branch."""
    if results.study.branch is None:
        return None
    symbol, branch = results.study.branch
    rows = [_best_of(label, symbol, results) for label in branch.labels]
    rows.sort(key=lambda row: row[1], reverse=True)
    title = f"Best by {symbol}" + (
        "" if results.study.per_branch else " (budgets differ: --per-branch makes them equal)"
    )
    return Grid(title, [symbol, "score", "trial", "trials", "epochs"], rows, len(rows))


def _best_of(label: str, symbol: str, results: Results) -> list[str]:
    own = [trial for trial in results.ranked if trial.settings[symbol] == label]
    best = next((trial for trial in own if trial.stop_reason == "finished" and trial.feasible), None)
    score, number = (f"{best.score:.4f}", str(best.number)) if best else ("", "")
    return [label, score, number, str(len(own)), str(sum(trial.epochs for trial in own))]


def _row(trial: Trial, rank: int | None, results: Results, narrow: bool) -> list[str]:
    symbols = [setting(trial.settings.get(symbol, "none")) for symbol in results.study.space.symbols]
    return [
        "-" if rank is None else str(rank),
        f"{trial.number}{' (paper)' if trial.role == 'paper' else ''}",
        *([settings_text(trial.settings)] if narrow else symbols),
        "" if trial.score is None else f"{trial.score:.4f}",
        str(trial.best_epoch or ""),
        f"{trial.epochs}/{trial.length}",
        trial.state,
    ]
