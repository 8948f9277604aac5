"""Finished runs -> the leaderboard and the confirmed table, as values, Markdown and rich tables; their statistics."""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from scipy.special import stdtrit

from search_spaces.space import Setting
from search_spaces.study import Study
from tuning.events import History, TrialRecord

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Grid:
    """A table as text: a title, the columns' heads, rows of cells; rows from `unranked` on stand below the line.

    `folds` are the heads of the columns that may take several lines, between words; all others never break.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    unranked: int
    folds: Sequence[str] = ()

    def markdown(self) -> str:
        """As Markdown, without the title."""
        lines = [self.heads, ["---"] * len(self.heads), *self.rows]
        escaped = [[cell.replace("|", "\\|") for cell in cells] for cells in lines]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)

    def csv(self) -> str:
        """As comma-separated values."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.heads, *self.rows])
        return text.getvalue()

    def rich(self) -> Table:
        """For the terminal."""
        table = Table(title=self.title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
        table.padding = (0, 1, 0, 0)
        for i, head in enumerate(self.heads):
            folds = head in self.folds
            table.add_column(head, justify="left" if i == 0 or folds else "right", overflow="fold", no_wrap=not folds)
            longest = max((len(word) for row in self.rows for word in row[i].split()), default=0)
            table.columns[-1].min_width = max(longest, len(head))
        for i, row in enumerate(self.rows):
            table.add_row(
                *row,
                style="bold green" if i == 0 and self.unranked else "",
                end_section=i == self.unranked - 1,
            )
        return table


def ranked(history: History) -> list[TrialRecord]:
    """The trials of a study: those of full length by score, best first, then the others as they were asked for."""
    trials = history.of_kind("trial")
    full = [t for t in trials if t.stop_reason == "finished"]
    best_first = sorted(full, key=lambda t: (-t.last["score"], t.asked.trial))
    return best_first + [t for t in trials if t.stop_reason != "finished"]


def best_trial(history: History) -> TrialRecord | None:
    """The finished trial of the best score, the first of them where several have it."""
    return next((t for t in ranked(history) if t.stop_reason == "finished"), None)


def leaderboard(study: Study, history: History, top: int | None = None, *, narrow: bool = False) -> Grid:
    """Trials by score; only those that reached their full length are ranked. `narrow`: all settings in one column."""
    trials = ranked(history)
    full = sum(t.stop_reason == "finished" for t in trials)
    rows = [
        [
            str(rank) if rank <= full else "-",
            f"{t.asked.trial}{' (paper)' if t.asked.role == 'paper' else ''}",
            *([settings_text(t.asked.settings)] if narrow else map(setting, _settings(study, t))),
            "" if t.last["score"] is None else f"{t.last['score']:.4f}",
            str(t.last["best_epoch"] or ""),
            f"{t.last['epoch']}/{t.config.epochs}",
            _state(t, history),
        ]
        for rank, t in enumerate(trials, 1)
    ]
    settings = ["settings"] if narrow else study.space.domains
    heads = ["#", "trial", *settings, "score", "epoch", "trained", "state"]
    shown = rows if top is None else rows[:top]
    more = "" if len(shown) == len(rows) else f" (first {len(shown)} of {len(rows)} trials)"
    return Grid(f"Leaderboard{more}", heads, shown, min(full, len(shown)), ("settings", "state") if narrow else ())


def _settings(study: Study, trial: TrialRecord) -> list[Setting]:
    return [trial.asked.settings[symbol] for symbol in study.space.domains]


def _state(trial: TrialRecord, history: History) -> str:
    if trial.told is None:
        return "interrupted" if history.ended else "running"
    return "reused" if trial.told.reused_from is not None else trial.stop_reason.replace("_", " ")


@dataclass(frozen=True)
class Confirmed:
    """One config on its fresh seeds: seed -> val score, seed -> test accuracy (of the best validation epoch)."""

    role: str
    settings: Mapping[str, Any]
    score: Mapping[int, float]
    test: Mapping[int, float]


@dataclass(frozen=True)
class Difference:
    """A paired difference of test accuracies over n seeds: its mean and its 95 % t interval."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def verdict(self) -> str:
        """better, not better, or undecided: whether the interval lies above 0, at or below 0, or holds it.

        Seeds that all gain exactly the same say nothing of the spread: an interval without width is undecided.
        """
        if self.low == self.high > 0:
            return "undecided"
        return "better" if self.low > 0 else "not better" if self.high <= 0 else "undecided"


def confirmed(history: History) -> list[Confirmed]:
    """The confirming runs that finished, by role, best first. Of a study that was extended, those of its last best."""
    runs = history.of_kind("confirm")
    last = {t.asked.role: t.config.recipe_id for t in runs}
    found = {role: [t for t in runs if t.asked.role == role and t.config.recipe_id == last[role]] for role in last}
    best = best_trial(history)
    if best is not None and best.config.recipe_id != last.get("best"):
        found.pop("best", None)
    return [_confirmed(role, found[role]) for role in ("best", "paper", "CE") if role in found]


def _confirmed(role: str, runs: Sequence[TrialRecord]) -> Confirmed:
    done = [t for t in runs if t.told is not None and t.stop_reason == "finished"]
    return Confirmed(
        role,
        runs[0].asked.settings,
        {t.config.seed: t.last["score"] for t in done},
        {t.config.seed: t.told.test["test_acc"] for t in done if t.told},
    )


def paired_difference(a: Mapping[int, float], b: Mapping[int, float]) -> Difference | None:
    """a - b over the seeds that both have; None with fewer than two."""
    differences = [a[seed] - b[seed] for seed in a if seed in b]
    n = len(differences)
    if n < 2:
        return None
    mean, deviation = _mean(differences), _deviation(differences)
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * deviation / math.sqrt(n)
    return Difference(mean, mean - half, mean + half, n)


def confirmed_grid(groups: Sequence[Confirmed]) -> Grid:
    """Mean and standard deviation on fresh seeds, and the paired difference of test accuracy to the first row's."""
    first = groups[0]
    rows = []
    for group in groups:
        difference = paired_difference(first.test, group.test) if group is not first else None
        rows.append(
            [
                _name(group),
                _mean_std(group.score.values()),
                _mean_std(group.test.values()),
                str(len(group.test)),
                _interval(difference) if difference else "",
            ]
        )
    heads = ["config", "val score", "test acc", "seeds", f"test acc: {first.role} - this"]
    return Grid("Confirmed on fresh seeds (%: mean ± std, [95 % interval])", heads, rows, len(rows), ("config",))


def sentences(groups: Sequence[Confirmed]) -> list[str]:
    """What the confirmation says, in words."""
    by_role = {group.role: group for group in groups}
    lead, *others = groups
    said = [] if "best" in by_role else ["No trial scored above the paper's setting."]
    for other in others:
        difference = paired_difference(lead.test, other.test)
        if difference is None:
            said.append(f"{_noun(lead)} against {_noun(other)}: undecided, fewer than two seeds finished.")
            continue
        said.append(
            f"{_claim(difference, _noun(lead), _noun(other))}: {_points(difference.mean)} points of test accuracy, "
            f"95 % interval [{_points(difference.low)}, {_points(difference.high)}], {difference.n} paired seeds."
        )
    return [sentence[0].upper() + sentence[1:] for sentence in said]


def _claim(difference: Difference, lead: str, other: str) -> str:
    if difference.verdict == "undecided":
        return f"undecided whether {lead} is better than {other}"
    return f"{lead} is {difference.verdict} than {other}"


def _noun(group: Confirmed) -> str:
    return {"best": "the best config", "paper": "the paper's setting", "CE": "plain CE"}[group.role]


def _name(group: Confirmed) -> str:
    return f"{group.role} ({settings_text(group.settings)})" if group.settings else group.role


def settings_text(settings: Mapping[str, Setting]) -> str:
    """Several domains' values, short."""
    return ", ".join(f"{symbol}={setting(value)}" for symbol, value in settings.items())


def setting(value: Setting) -> str:
    """A domain's value to 3 significant digits; the record and the exported files have it whole."""
    if not isinstance(value, float):
        return str(value)
    short = float(f"{value:.3g}")
    return f"{short:.0f}" if 1e3 <= abs(short) < 1e6 else f"{short:g}"


def _interval(d: Difference) -> str:
    return f"{_points(d.mean)} [{_points(d.low)}, {_points(d.high)}]"


def _points(difference: float) -> str:
    return f"{100 * difference:+.2f}"


def _mean_std(values: Iterable[float]) -> str:
    found = list(values)
    if not found:
        return "none finished"
    spread = f" ± {100 * _deviation(found):.2f}" if len(found) > 1 else ""
    return f"{100 * _mean(found):.2f}{spread}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _deviation(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
