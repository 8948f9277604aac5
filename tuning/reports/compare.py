"""Configs beside each other: what differs between them, and what the record has of each, paired over seeds.

A config is named as a study (its best), a trial such as demo-1/3, a config id, a shipped config or a YAML file.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lt_core.config import TrainConfig, canonical
from lt_core.value import InputError, paths, value_at
from search_spaces import CONFIGS
from tuning.record.identity import ANY_SPLIT, any_split_id
from tuning.record.reading import Record
from tuning.record.runs import RecordedRun
from tuning.reports.confirmation import diverging, interval, marked, percent, verdict
from tuning.reports.document import Document, Section
from tuning.reports.grid import Grid
from tuning.reports.statistics import Difference, differences_to, mean
from tuning.reports.winners import winners
from tuning.shell.home import load_file

CHOSEN_BY = ("test_acc_macro", "test_acc", "score")  # what a verdict is about, the first that all have
METRICS = (
    *("score", "test_acc", "test_acc_macro", "test_acc_last", "test_top5", "val_acc", "val_acc_macro", "val_acc_worst"),
    *("val_acc_head", "val_acc_tail", "val_acc_many", "val_acc_medium", "val_acc_few"),
)
MEASURES = {"score": "val score", "test_acc": "test accuracy", "test_acc_macro": "macro accuracy on test"}


Place = tuple[str, str]
"""What two runs must share to be paired: the seed and the data."""


@dataclass(frozen=True)
class Subject:
    """A config, as it was asked for, and its recorded runs of full length by seed, whichever study trained them.

    A seed may have drawn images of its own. lost: the runs that diverged, of other seeds.
    """

    name: str
    config: TrainConfig
    runs: Mapping[int, RecordedRun]
    lost: Mapping[int, RecordedRun] = field(default_factory=dict)

    def values(self, metric: str) -> dict[int, float]:
        """Seed -> value, of the runs that have it."""
        return {seed: run.metrics[metric] for seed, run in self.runs.items() if metric in run.metrics}

    def identities(self, tag: str) -> set[str]:
        """What its runs have as a tag."""
        return {run.tags[tag] for run in self.runs.values()}


def subjects(uri: str, names: Sequence[str]) -> list[Subject]:
    """What is compared; InputError for a name that stands for nothing, or fewer than two names.

    Runs of searches count only where one of them has no others: a score that was chosen for being the best is too good.
    """
    if len(set(names)) < max(2, len(names)):
        raise InputError(f"compare needs two or more different things, but got {' '.join(names) or 'none'}")
    record = Record(uri)
    configs = [_config(record, uri, name) for name in names]
    known = [_of_config(record, config) for config in configs]
    shared = set.intersection(*({_place(run) for run in runs} for runs in known))
    found = [_subject(*each, shared) for each in zip(names, configs, known, strict=True)]
    return list(map(_without_search, found)) if all(map(_is_confirmed, found)) else found


def _is_confirmed(subject: Subject) -> bool:
    """Whether it was trained outside a search, too."""
    return any(run.tags["lt.kind"] != "trial" for run in subject.runs.values())


def _without_search(subject: Subject) -> Subject:
    """Without the runs of searches, whose scores chose them."""
    runs, lost = (
        {seed: run for seed, run in each.items() if run.tags["lt.kind"] != "trial"}
        for each in (subject.runs, subject.lost)
    )
    return Subject(subject.name, subject.config, runs, lost)


def _subject(name: str, config: TrainConfig, known: Sequence[RecordedRun], shared: Collection[Place]) -> Subject:
    runs = _by_seed([run for run in known if run.stop_reason == "finished"], config, shared)
    lost = _by_seed([run for run in known if run.stop_reason == "diverged"], config, shared)
    return Subject(name, config, runs, {seed: run for seed, run in lost.items() if seed not in runs})


def _config(record: Record, uri: str, name: str) -> TrainConfig:
    if name in CONFIGS:
        return CONFIGS[name]
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return load_file(path, lambda plain: TrainConfig)
    study, _, number = name.partition("/")
    if number.isdecimal():
        return record.config(record.trial(study, int(number)).run_id)
    if re.fullmatch("[0-9a-f]{12}", name):
        return record.config(_of_id(record, name).run_id)
    try:
        return winners(uri, name, 1).best[0].config
    except InputError as error:
        raise InputError(f"{error}; compare also takes trials ({name}/3), config ids, shipped configs, files") from None


def _of_id(record: Record, config_id: str) -> RecordedRun:
    found = [run for run in record.tagged("lt.config_id", config_id) if run.stop_reason == "finished"]
    if not found:
        raise InputError(f"the record has no run of full length of config {config_id}")
    return found[0]


def _of_config(record: Record, config: TrainConfig) -> list[RecordedRun]:
    """The runs of a config, the newest first, whatever images their seeds drew; of each draw, those on its newest data.

    Older runs have no tag that leaves the draw out: of these, those that drew the config's own.
    """
    tagged = record.tagged(ANY_SPLIT, any_split_id(config))
    known = {run.run_id for run in tagged}
    runs = [*tagged, *(run for run in record.tagged("lt.recipe_id", config.recipe_id) if run.run_id not in known)]
    newest: dict[str, str] = {}
    for run in runs:
        newest.setdefault(run.tags["lt.recipe_id"], run.tags["lt.data_id"])
    return [run for run in runs if run.tags["lt.data_id"] == newest[run.tags["lt.recipe_id"]]]


def _place(run: RecordedRun) -> Place:
    return run.tags["lt.seed"], run.tags["lt.data_id"]


def _by_seed(runs: Sequence[RecordedRun], config: TrainConfig, shared: Collection[Place]) -> dict[int, RecordedRun]:
    """One run a seed: first one on images that all others have of it, too, with test values, on the config's own."""

    def order(run: RecordedRun) -> tuple[bool, bool, bool]:
        return _place(run) not in shared, "test_acc" not in run.metrics, run.tags["lt.recipe_id"] != config.recipe_id

    found: dict[int, RecordedRun] = {}
    for run in sorted(runs, key=order):
        found.setdefault(int(run.tags["lt.seed"]), run)
    return {seed: found[seed] for seed in sorted(found)}


# --- what differs -----------------------------------------------------------------------------------


def differing(configs: Sequence[TrainConfig]) -> dict[str, list[object]]:
    """The dotted paths at which canonical configs differ, the seed apart, with each one's value; None for no such."""
    plain = [canonical(config) for config in configs]
    known = dict.fromkeys(path for config in plain for path in _leaves(config.plain()) if path != "seed")
    found = {path: [_at(config, path) for config in plain] for path in known}
    return {path: values for path, values in found.items() if any(value != values[0] for value in values)}


def _leaves(plain: dict[str, Any]) -> list[str]:
    known = list(paths(plain))
    inner = {path.rpartition(".")[0] for path in known}
    return [path for path in known if path not in inner]


def _at(config: TrainConfig, path: str) -> object:
    try:
        return value_at(config, path)
    except InputError:
        return None


def differing_grid(found: Sequence[Subject]) -> Grid:
    """The differences as a table, under the methods' names and the ids.

    Of a part that some do not have, a phase say, only its kinds and start, and what differs among those that have it.
    """
    names = [subject.name for subject in found]
    differ = differing([subject.config for subject in found])
    rows = [
        ["method", *(subject.config.method for subject in found)],
        ["recipe id", *(subject.config.recipe_id for subject in found)],
        *([path, *map(_text, values)] for path, values in differ.items() if _tells(path, values)),
    ]
    return Grid("What differs", ["", *names], rows, len(rows), names)


def _tells(path: str, values: Sequence[object]) -> bool:
    there = [value for value in values if value is not None]
    return path.endswith((".kind", ".start")) or len(there) == len(values) or any(v != there[0] for v in there)


def _text(value: object) -> str:
    return "-" if value is None else str(value)


# --- what was measured ------------------------------------------------------------------------------


def differences(found: Sequence[Subject], metric: str) -> list[Difference | None]:
    """Of each but the first to the first, paired over seeds, corrected together after Holm."""
    first, *others = (subject.values(metric) for subject in found)
    raw = zip(differences_to(first, others), found[1:], strict=True)
    return [marked(difference, found[0].lost, other.lost) for difference, other in raw]


def results_grid(found: Sequence[Subject]) -> Grid:
    """Each metric that some have: means and deviations over seeds in percent, and the paired differences."""
    first, *others = found
    names = [subject.name for subject in found]
    rows = [["seeds", *(_seeds(subject) for subject in found), *([""] * len(others))]]
    for metric in METRICS:
        values = [subject.values(metric) for subject in found]
        if any(values):
            gaps = [interval(gap) if gap else "" for gap in differences(found, metric)]
            rows.append([metric, *(percent(each.values()) if each else "-" for each in values), *gaps])
    best = [mean(subject.values("best_epoch").values()) for subject in found]
    rows.append(["best epoch", *("-" if each is None else f"{each:.3g}" for each in best), *([""] * len(others))])
    holm = f", Holm-corrected over {len(others)} configs" if len(others) > 1 else ""
    title = f"Results (%: mean ± std over seeds, paired difference [95 % interval of each metric by itself]{holm})"
    return Grid(title, ["", *names, *(f"{name} - {first.name}" for name in names[1:])], rows, len(rows))


def _seeds(subject: Subject) -> str:
    seeds = list(subject.runs)
    return ", ".join(map(str, seeds)) if len(seeds) <= 6 else f"{len(seeds)} from {seeds[0]} to {seeds[-1]}"


# --- in words ---------------------------------------------------------------------------------------


def sentences(found: Sequence[Subject]) -> list[str]:
    """What the comparison says, and what stands against it."""
    first, *others = found
    if not differing([subject.config for subject in found]):
        return ["They train identically but for their seeds."]
    metric = decisive(found)
    gaps = differences(found, metric)
    said = [
        verdict(s.name, first.name, gap, len(others), MEASURES[metric]) for s, gap in zip(others, gaps, strict=True)
    ]
    said += [diverging(s.name, list(s.lost), len(s.runs), "seeds") for s in found if s.lost]
    said += [f"{s.name} has no run of full length in the record." for s in found if not (s.runs or s.lost)]
    names = tuple(subject.name for subject in found)
    said = [sentence if sentence.startswith(names) else sentence[0].upper() + sentence[1:] for sentence in said]
    return [*said, *_reservations(found, metric)]


def decisive(found: Sequence[Subject]) -> str:
    """The metric that the verdict is about: one of the test part where all have it."""
    return next((m for m in CHOSEN_BY if all(subject.values(m) for subject in found)), "score")


def _reservations(found: Sequence[Subject], metric: str) -> list[str]:
    kinds = {run.tags["lt.kind"] for subject in found for run in subject.runs.values() if metric in run.metrics}
    searched = metric == "score" and "trial" in kinds
    said = ["Scores that a search chose for being the best are too good."] if searched else []
    if any(len(subject.identities("lt.data_id")) > 1 for subject in found):
        said.append("Seeds differ in their images, too.")
    for tag, what in (("lt.data_id", "on the same data"), ("lt.core_id", "by the same lt_core")):
        if _differ([subject for subject in found if subject.runs], tag):
            said.append(f"They were not all trained {what}.")
    return said


def _differ(found: Sequence[Subject], tag: str) -> bool:
    """Whether runs of one seed differ in a tag or, where no seed is common, runs at all."""
    seeds = set.intersection(*(set(subject.runs) for subject in found)) if found else set()
    known = [{(seed, subject.runs[seed].tags[tag]) for seed in seeds} or subject.identities(tag) for subject in found]
    return any(each != known[0] for each in known)


def comparison(found: Sequence[Subject]) -> Document:
    """All of it, as a report."""
    tables = {"differing": differing_grid(found), "results": results_grid(found)}
    title = " and ".join(subject.name for subject in found)
    return Document(title, "", "", (Section("Compared", tuple(sentences(found)), tables),))


def document(found: Sequence[Subject]) -> dict[str, Any]:
    """All of it, as plain data."""
    names = [subject.name for subject in found]
    gaps = {metric: differences(found, metric) for metric in METRICS if any(s.values(metric) for s in found)}
    of_names = {m: {name: gap for name, gap in zip(names[1:], each, strict=True) if gap} for m, each in gaps.items()}
    return {
        "compared": [
            {
                "name": subject.name,
                "config_id": subject.config.id,
                "recipe_id": subject.config.recipe_id,
                "method": subject.config.method,
                "runs": {seed: run.run_id for seed, run in subject.runs.items()},
                "diverged": list(subject.lost),
                "values": {metric: subject.values(metric) for metric in gaps if subject.values(metric)},
            }
            for subject in found
        ],
        "differing": differing([subject.config for subject in found]),
        "differences": {
            metric: {name: {**vars(gap), "verdict": gap.verdict} for name, gap in each.items()}
            for metric, each in of_names.items()
        },
        "verdicts": sentences(found),
    }
