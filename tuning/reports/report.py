"""A study's results -> its report: what was found, what mattered, what it cost, how it was made."""

from collections.abc import Iterator, Mapping

from search_spaces.domains import AnyDomain, Branch, Choice, Domains, Float, Setting
from search_spaces.study import Study
from tuning.log.results import Results
from tuning.reports.confirmation import class_grid, confirmed, confirmed_grid, exact_grid, sentences, shortfalls
from tuning.reports.costs import cost_grid, rung_grid
from tuning.reports.document import Document, Picture, Section
from tuning.reports.figures import figures, png
from tuning.reports.grid import Grid, setting, settings_text
from tuning.reports.importance import Importance, importance
from tuning.reports.leaderboard import by_label, front_grid, leaderboard

IDENTITIES = {
    "lt.version": "lt-tune",
    "mlflow.source.git.commit": "git commit",
    "lt.core_id": "core",
    "lt.data_id": "data",
}
UNCONFIRMED = "Nothing was confirmed on fresh seeds: a score that was chosen for being the best is too good."
CAPTIONS = {
    "history": "The score of each trial in the order of asking, and the best so far.",
    "slices": "The score over the domain of each symbol; trials of full length only.",
    "parallel": "Each line is a trial of full length: its settings and its score.",
    "importance": "How much each symbol mattered.",
    "classes": "The test accuracy of each class, the frequent ones first, on the fresh seeds: means, bars with ± std.",
    "front": "Trials by their objectives; those joined by the line are bettered by no other.",
    "rungs": "The running score by epoch, and the rungs where trials were compared.",
}


def study_report(results: Results, *, pictures: bool = True) -> Document:
    """A study's report, with its pictures unless nobody will see them."""
    mattered = importance(results)
    drawn = {name: png(figure) for name, figure in figures(results, mattered).items()} if pictures else {}
    shown = {name: Picture(content, CAPTIONS[name]) for name, content in drawn.items()}
    sections = (
        _found(results, _only(shown, "front", "classes")),
        Section("All trials", (), {"leaderboard": leaderboard(results)}, _only(shown, "history")),
        _mattered(mattered, _only(shown, "importance", "slices", "parallel")),
        _costs(results, _only(shown, "rungs")),
        _made(results),
    )
    return Document(results.name, results.study.space.about, results.command, sections)


def _only(pictures: dict[str, Picture], *names: str) -> dict[str, Picture]:
    return {name: pictures[name] for name in names if name in pictures}


def _found(results: Results, pictures: dict[str, Picture]) -> Section:
    """What the search found, and what fresh seeds say of it."""
    groups = confirmed(results)
    said = [winner(results), *(sentences(groups) or [UNCONFIRMED]), *shortfalls(results)]
    tables = {
        "confirmed": confirmed_grid(groups, resampled=results.study.resample) if groups else None,
        "exact": exact_grid(groups),
        "classes": class_grid(results, groups),
        "front": front_grid(results),
        "labels": by_label(results),
    }
    return Section("What was found", tuple(said), {name: grid for name, grid in tables.items() if grid}, pictures)


def winner(results: Results) -> str:
    """What the search itself found, in a sentence."""
    first = results.best
    if first is None:
        return "No trial has reached its full length within the constraints."
    value, name = first.objectives[0], results.study.objectives[0]
    return f"Trial {first.number} has the best {name} of the search, {value:.4f}: {settings_text(first.settings)}."


def _mattered(found: Importance | None, pictures: dict[str, Picture]) -> Section:
    if found is None:
        return Section("What mattered", ("Too few trials reached their full length to say.",), {}, pictures)
    rows = [[symbol, f"{share:.0%}"] for symbol, share in found.shares.items()]
    grid = Grid(f"Importance, by {found.trials} trials of full length", ["symbol", "share"], rows, len(rows))
    return Section("What mattered", (f"{found.caption}.",), {"importance": grid}, pictures)


def _costs(results: Results, pictures: dict[str, Picture]) -> Section:
    stopping = rung_grid(results)
    tables = {"cost": cost_grid(results), **({"rungs": stopping} if stopping else {})}
    return Section("What it cost", results.remarks, tables, pictures)


def _made(results: Results) -> Section:
    """The space and how it was searched."""
    study = results.study
    rows = list(_space_rows(study.space.domains, study.space.paper))
    heads = ["symbol", "domain", "only under", "the paper's"]
    grid = Grid(f"The space {study.space.name}", heads, rows, len(rows), ("domain", "only under"))
    said = ", ".join(_asked(study)) + f"; {_confirming(study)}."
    return Section("How it was made", (said,), {"space": grid, "versions": _versions(results)})


def _asked(study: Study) -> Iterator[str]:
    """What the search was asked for, in words."""
    yield f"{study.wanted} trials by {study.sampler}"
    if study.per_branch is not None:
        yield f"{study.per_branch} of each label"
    if study.batch is not None:
        yield f"{study.batch} at a time"
    yield f"seed {study.seed}"
    yield f"for {', '.join(study.objectives)}"
    yield from (f"within {constraint}" for constraint in study.constraints)
    rungs = study.effective_rungs
    since = " since each trial's own switch" if rungs.since == "switch" else ""
    stops = (
        f"early stopping at epochs {', '.join(map(str, rungs.epochs))}{since}, 1 of {rungs.reduction_factor} goes on"
    )
    yield stops if rungs.epochs else "no early stopping"
    yield from (f"at most {most:g} {what.replace('_', ' ')}" for what, most in study.budget.plain().items() if most)


def _confirming(study: Study) -> str:
    """What was to be confirmed, in words."""
    if not study.confirm:
        return "nothing confirmed"
    subsets = " and subsets" if study.resample else ""
    exact = ", the winner on the exact subset as well" if study.confirm_full else ""
    return f"the best {study.confirm_top} to confirm on {study.confirm} fresh seeds{subsets}{exact}"


def _space_rows(domains: Domains, paper: Mapping[str, Setting], under: str = "") -> Iterator[list[str]]:
    """A row for each domain, those of a branch's arms below it; `paper` is {} in an arm that the paper has not."""
    for symbol, domain in domains.items():
        yield [symbol, _domain(domain), under, setting(paper.get(symbol, ""))]
        for label, arm in domain.labels.items() if isinstance(domain, Branch) else ():
            inside = paper if paper.get(symbol) == label else {}
            yield from _space_rows(arm.domains, inside, f"{symbol}: {label}")


def _domain(domain: AnyDomain) -> str:
    if isinstance(domain, Choice | Branch):
        return ", ".join(domain.labels)
    complement = isinstance(domain, Float) and domain.log_complement
    scale = ", log" if domain.log else ", log of 1 - value" if complement else ""
    return f"{setting(domain.low)} to {setting(domain.high)}{scale}"


def _versions(results: Results) -> Grid:
    """What the numbers depend on beside the configs."""
    rows = [[name, results.tags[tag]] for tag, name in IDENTITIES.items() if tag in results.tags]
    numerics = dict.fromkeys(trial.numerics for trial in results.trials if trial.epochs)
    rows += [["numerics", each] for each in numerics]
    return Grid("Versions", ["what", "which"], rows, len(rows), ("which",))
