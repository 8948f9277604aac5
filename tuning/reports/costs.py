"""What a study has cost, and what early stopping and reuse have saved."""

from collections.abc import Sequence
from dataclasses import dataclass

from search_spaces.study import Study
from tuning.log.results import Results, Trial
from tuning.reports.grid import Grid

STATES = ("finished", "early_stopped", "budget", "diverged", "failed", "interrupted", "running")


@dataclass(frozen=True)
class Cost:
    """Of some trainings: epochs that were trained, that early stopping saved, that were taken over; device hours."""

    runs: int
    trained: int
    saved: int
    reused: int
    device_hours: float


def cost(study: Study, trials: Sequence[Trial]) -> Cost:
    """What trainings have cost; an hour on half a GPU, or half a core where there was none, is half a device hour."""
    fresh = [trial for trial in trials if not trial.reused]
    return Cost(
        runs=len(trials),
        trained=sum(trial.epochs for trial in fresh),
        saved=sum(trial.length - trial.epochs for trial in fresh if trial.stop_reason == "early_stopped"),
        reused=sum(trial.epochs for trial in trials if trial.reused),
        device_hours=sum(trial.seconds * _share(study, trial) for trial in trials) / 3600,
    )


def _share(study: Study, trial: Trial) -> float:
    """The part of a GPU that a run had, or of a CPU core where it ran on one; whole by default, as in the search."""
    gpus = 1.0 if study.gpus is None else study.gpus
    return min(1.0, study.cpus if trial.numerics.startswith("cpu ") else gpus)


def cost_grid(results: Results) -> Grid:
    """Of the search and of the confirmation: how the runs ended, and their epochs and hours."""
    kinds = {"search": results.of_kind("trial"), "confirmation": results.of_kind("confirm")}
    kinds = {name: trials for name, trials in kinds.items() if trials}
    costs = [cost(results.study, trials) for trials in kinds.values()]
    ended = [[sum(t.stop_reason == state for t in trials) for trials in kinds.values()] for state in STATES]
    rows = [
        ["runs", *(str(each.runs) for each in costs)],
        *([f"- {s.replace('_', ' ')}", *map(str, n)] for s, n in zip(STATES, ended, strict=True) if any(n)),
        ["epochs trained", *(str(each.trained) for each in costs)],
        ["epochs saved by early stopping", *(str(each.saved) for each in costs)],
        ["epochs taken from equal runs", *(str(each.reused) for each in costs)],
        ["device hours", *(f"{each.device_hours:.3g}" for each in costs)],
    ]
    return Grid("What it cost", ["", *kinds], rows, len(rows))


def rung_grid(results: Results) -> Grid | None:
    """What early stopping did at each rung: who reached it, who ended there; None without rungs."""
    study, rungs = results.study, results.study.effective_rungs
    if not rungs.epochs:
        return None
    own = [(trial, rungs.of(study.space.config(trial.settings))) for trial in results.of_kind("trial")]
    since = " since the switch" if rungs.since == "switch" else ""
    rows = []
    for level, epoch in enumerate(rungs.epochs):
        reached = [(trial, at[level]) for trial, at in own if level < len(at) and trial.epochs >= at[level]]
        rows.append([f"epoch {epoch}{since}", *_rung(study, reached)])
    heads = ["rung", "reached", "stopped", "best score stopped", "epochs saved"]
    return Grid("Early stopping", heads, rows, len(rows))


def _rung(study: Study, reached: Sequence[tuple[Trial, int]]) -> list[str]:
    """Of the trials that reached a rung, each with its own epoch there."""
    stopped = [trial for trial, epoch in reached if trial.stop_reason == "early_stopped" and trial.epochs == epoch]
    best = max((trial.score for trial in stopped if trial.score is not None), default=None)
    saved = cost(study, stopped).saved
    return [str(len(reached)), str(len(stopped)), "" if best is None else f"{best:.4f}", str(saved)]
