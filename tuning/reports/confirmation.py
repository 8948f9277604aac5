"""The configs that were trained again on fresh seeds: their table, and what it says in words.

The search's own score chose the winner, so it flatters it; what stands here chose nothing. A mean over seeds of which
some diverged is of those that survived: it is shown with their number, and decides nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from search_spaces.space import Setting
from tuning.log.results import Classes, Results, Trial
from tuning.reports.grid import Grid, settings_text
from tuning.reports.statistics import (
    Difference,
    deviation,
    differences_to,
    luck,
    mean,
    paired_difference,
    seeds_to_decide,
)

PAPER, CONTROL, EXACT = "paper", "CE", "exact"


@dataclass(frozen=True)
class Confirmed:
    """One config on its fresh seeds: seed -> val score, test accuracy and, where val is unbalanced, macro accuracy.

    Test values are those of the best validation epoch; of the last for the role `exact`, which has no val images.
    searched: what the search ranked it by, None for plain CE and outside of the constraints; by_score: whether that is
        its score. by_class: the test accuracies of each class, one a seed; none of a class without test images, empty
        where that was not measured. diverged: the seeds that did, and have no values.
    """

    role: str
    settings: Mapping[str, Setting]
    score: Mapping[int, float]
    test: Mapping[int, float]
    macro: Mapping[int, float] = field(default_factory=dict)
    searched: float | None = None
    by_class: tuple[tuple[float, ...], ...] = ()
    diverged: tuple[int, ...] = ()
    by_score: bool = True

    @property
    def compared(self) -> Mapping[int, float]:
        """The test values that differences are taken of: the macro accuracy where it chose the epoch, too."""
        return self.macro or self.test

    @property
    def name(self) -> str:
        """Role and settings."""
        return f"{self.role} ({settings_text(self.settings)})" if self.settings else self.role

    @property
    def noun(self) -> str:
        """As a sentence calls it."""
        names = {"best": "the best config", PAPER: "the paper's setting", CONTROL: "plain CE"}
        return names.get(self.role, f"config {self.role}")


def confirmed(results: Results) -> list[Confirmed]:
    """The configs confirmed: best, best-2, ..., paper, CE, exact. Of an extended study, those of its last ranking."""
    runs = results.of_kind("confirm")
    last = {run.role: run.settings for run in runs}  # not the recipe, which other training images change
    roles = [role for role in sorted(last, key=_order) if not _is_stale(role, last[role], results.top)]
    runs_of = {role: [run for run in runs if (run.role, run.settings) == (role, last[role])] for role in roles}
    return [_confirmed(role, runs_of[role], results) for role in roles]


def found(groups: Iterable[Confirmed]) -> list[Confirmed]:
    """Those that the search found, best first."""
    return [group for group in groups if _is_found(group.role)]


def of_role(groups: Iterable[Confirmed], role: str) -> Confirmed | None:
    """The group of a role."""
    return next((group for group in groups if group.role == role), None)


def _is_found(role: str) -> bool:
    return role == "best" or role.startswith("best-")


def _rank(role: str) -> int:
    """1 of `best`, 2 of `best-2`."""
    return int(role.partition("-")[2] or 1)


def _order(role: str) -> tuple[int, int]:
    if _is_found(role):
        return 0, _rank(role)
    known = (PAPER, CONTROL, EXACT)
    return 1, known.index(role) if role in known else len(known)


def _is_stale(role: str, settings: Mapping[str, Setting], top: Sequence[Trial]) -> bool:
    """Whether a study that was extended has another config of this rank by now."""
    return _is_found(role) and settings not in [trial.settings for trial in top[_rank(role) - 1 : _rank(role)]]


def _confirmed(role: str, runs: Sequence[Trial], results: Results) -> Confirmed:
    done = [run for run in runs if run.stop_reason == "finished"]
    searched = [trial.objectives[0] for trial in results.able if trial.settings == runs[0].settings]
    return Confirmed(
        role,
        runs[0].settings,
        {run.seed: run.score for run in done if run.score is not None},
        {run.seed: run.values["test_acc"] for run in done},
        {run.seed: run.values["test_acc_macro"] for run in done if "test_acc_macro" in run.values},
        searched[0] if searched else None,
        _by_class(done, results.classes),
        tuple(run.seed for run in runs if run.stop_reason == "diverged"),
        results.study.objectives[0] == "score",
    )


def _by_class(runs: Sequence[Trial], classes: Classes | None) -> tuple[tuple[float, ...], ...]:
    found = [classes.accuracy[run.number] for run in runs if classes and run.number in classes.accuracy]
    return tuple(tuple(value for value in values if value is not None) for values in zip(*found, strict=True))


# --- differences ------------------------------------------------------------------------------------


def differences(groups: Sequence[Confirmed]) -> dict[str, Difference | None]:
    """Each config's difference of test accuracy to the paper's setting, by role; {} where that was not confirmed.

    Those that the search found share their 5 % after Holm; plain CE is a control, and one question of its own.
    """
    paper = of_role(groups, PAPER)
    if paper is None:
        return {}
    ours = found(groups)
    of_ours = differences_to(paper.compared, [group.compared for group in ours])
    control = of_role(groups, CONTROL)
    own = {CONTROL: _difference(control, paper)} if control else {}
    return {
        **{group.role: marked(d, group.diverged, paper.diverged) for group, d in zip(ours, of_ours, strict=True)},
        **own,
    }


def _difference(one: Confirmed, other: Confirmed) -> Difference | None:
    """A single question, with 5 % of its own."""
    return marked(paired_difference(one.compared, other.compared), one.diverged, other.diverged)


def marked(difference: Difference | None, *diverged: Collection[int]) -> Difference | None:
    """A difference of two configs, marked where either diverged on some seeds."""
    return replace(difference, diverged=True) if difference and any(diverged) else difference


# --- the table --------------------------------------------------------------------------------------


def confirmed_grid(groups: Sequence[Confirmed], *, resampled: bool = False) -> Grid:
    """Mean and standard deviation on fresh seeds, and the paired difference of test accuracy to the paper's setting.

    resampled: whether each seed had training images of its own.
    """
    shown = [group for group in groups if group.role != EXACT]
    macro = any(group.macro for group in shown)
    measures = ["test acc", "macro test acc"] if macro else ["test acc"]
    to_paper = differences(shown)
    rows = [_row(group, to_paper.get(group.role), macro) for group in shown]
    heads = ["config", "val score", *measures, "seeds", f"{measures[-1]}: this - paper"]
    fresh = "seeds, each with training images of its own" if resampled else "seeds"
    title = f"Confirmed on fresh {fresh} (%: mean ± std, [95 % interval]{_holm(len(found(shown)))}{_but_ce(shown)})"
    return Grid(title, heads, rows, len(rows), ("config",))


def _row(group: Confirmed, to_paper: Difference | None, macro: bool) -> list[str]:
    measured = [group.score, group.test, *([group.macro] if macro else [])]
    means = [percent(values.values()) for values in measured]
    seeds = f"{len(group.test)}" + (f" ({len(group.diverged)} diverged)" if group.diverged else "")
    return [group.name, *means, seeds, interval(to_paper) if to_paper else ""]


def _but_ce(shown: Sequence[Confirmed]) -> str:
    return ", CE's uncorrected" if len(found(shown)) > 1 and any(group.role == CONTROL for group in shown) else ""


def _holm(configs: int) -> str:
    return f", Holm-corrected over {configs} configs" if configs > 1 else ""


def exact_grid(groups: Sequence[Confirmed]) -> Grid | None:
    """The winner on the literature's exact subset, judged at its last epoch; None where that was not trained."""
    exact = of_role(groups, EXACT)
    if exact is None:
        return None
    row = [exact.name, percent(exact.test.values()), str(len(exact.test))]
    title = "The best config on the literature's exact subset, without val images, last epoch (%)"
    return Grid(title, ["config", "test acc", "seeds"], [row], 1, ("config",))


def class_grid(results: Results, groups: Sequence[Confirmed]) -> Grid | None:
    """The test accuracy of each class, the frequent ones first; None where that was not measured."""
    measured = [group for group in groups if group.by_class and group.role != EXACT]
    if results.classes is None or not measured:
        return None
    images, names = results.classes.train_images, results.classes.names
    order = sorted(range(len(images)), key=lambda c: -images[c])
    rows = [[names[c], str(images[c]), *(_class_cell(group.by_class[c]) for group in measured)] for c in order]
    heads = ["class", "training images", *(group.role for group in measured)]
    return Grid("Test accuracy of each class (%: mean ± std over the fresh seeds)", heads, rows, len(rows))


def _class_cell(values: Collection[float]) -> str:
    return percent(values) if values else ""


def percent(values: Collection[float]) -> str:
    """Accuracies in percent: mean ± standard deviation."""
    centre, spread = mean(values), deviation(values)
    if centre is None:
        return "none finished"
    return f"{100 * centre:.2f}" + ("" if spread is None else f" ± {100 * spread:.2f}")


def interval(difference: Difference) -> str:
    """A difference in points with its interval."""
    return f"{_points(difference.mean)} [{_points(difference.low)}, {_points(difference.high)}]"


def _points(value: float) -> str:
    return f"{100 * value:+.2f}"


# --- in words ---------------------------------------------------------------------------------------


def sentences(groups: Sequence[Confirmed]) -> list[str]:
    """What the confirmation says, in words; nothing of no groups."""
    ours, paper, control = found(groups), of_role(groups, PAPER), of_role(groups, CONTROL)
    others = "; it leads and is exported, and the best config below is the best of the others" if ours else ""
    said = [f"no trial scored above the paper's setting{others}."] if _paper_leads(ours, paper) else []
    to_paper = differences(groups)
    if paper is not None:
        said += [_comparison(group, paper, to_paper[group.role], len(ours)) for group in ours]
    lead = ours[0] if ours else paper
    if lead is not None and control is not None:
        said.append(_comparison(lead, control, _difference(lead, control), 1))
    said += [diverging(group.noun, group.diverged, len(group.test)) for group in groups if group.diverged]
    said += [*_of_luck(ours), *_of_order(ours)]
    return [sentence[0].upper() + sentence[1:] for sentence in said]


def shortfalls(results: Results) -> list[str]:
    """What the confirmation lacks of what was asked for, in sentences."""
    wanted, found = results.study.confirm_top, len(results.top)
    fewer = found < wanted and bool(results.of_kind("confirm"))
    said = f"Only {found} of the {wanted} configs to confirm were found: no more trials reached their full length."
    return [said, *failures(results)] if fewer else failures(results)


def failures(results: Results) -> list[str]:
    """Which confirming runs failed, and were not trained since, in sentences."""
    runs = results.of_kind("confirm")
    done = {(run.role, run.seed) for run in runs if run.stop_reason != "failed"}
    lost = {(run.role, run.seed): run.error for run in runs if (run.role, run.seed) not in done}
    return [
        f"The confirming run of {role} on seed {seed} failed, which --resume trains again: {error}"
        for (role, seed), error in lost.items()
    ]


def _paper_leads(ours: Sequence[Confirmed], paper: Confirmed | None) -> bool:
    """Whether the search found nothing better than where it began."""
    if paper is None or not ours:
        return paper is not None
    found, begun = ours[0].searched, paper.searched
    return found is not None and begun is not None and found <= begun


def diverging(noun: str, diverged: Sequence[int], finished: int, what: str = "fresh seeds") -> str:
    """On which seeds a config diverged, and what its means are worth then."""
    seeds = " and ".join(filter(None, [", ".join(map(str, diverged[:-1])), str(diverged[-1])]))
    left = "its means are of the others, which survived" if finished else "none is left"
    of = f"{len(diverged)} of {len(diverged) + finished} {what}"
    return f"{noun} diverged on {of} (seed{'s' if len(diverged) > 1 else ''} {seeds}): {left}."


def _comparison(one: Confirmed, other: Confirmed, difference: Difference | None, configs: int) -> str:
    measure = "macro accuracy on test" if one.macro else "test accuracy"
    return verdict(one.noun, other.noun, difference, configs, measure)


def verdict(one: str, other: str, difference: Difference | None, configs: int, measure: str) -> str:
    """Whether one is better than another, not better, or undecided, and then how many seeds would decide.

    configs: those that are compared to the other one together. measure: what is compared.
    """
    if difference is None:
        return f"{one} against {other}: undecided, fewer than two seeds finished."
    claim = f"{one} is {difference.verdict} than {other}"
    if difference.verdict == "undecided":
        why = ", since seeds diverged" if difference.diverged else ""
        claim = f"undecided whether {one} is better than {other}{why}"
    return (
        f"{claim}: {_points(difference.mean)} points of {measure}, 95 % interval [{_points(difference.low)}, "
        f"{_points(difference.high)}]{_holm(configs)}, {difference.n} paired seeds.{_what_would_decide(difference)}"
    )


def _what_would_decide(difference: Difference) -> str:
    if difference.verdict != "undecided" or difference.diverged or not difference.mean:
        return ""
    if not difference.deviation:
        return " More seeds are needed to know the spread."
    seeds = seeds_to_decide(difference)
    if seeds is None:
        return " Over 1,000 seeds would be needed to tell so small a difference from none."
    return f" About {seeds} seeds would decide it, if the difference is as large as it looks."


def _of_luck(ours: Sequence[Confirmed]) -> list[str]:
    """How much of the winner's search score did not come again; nothing where another objective chose it."""
    best = ours[0] if ours else None
    if best is None or best.searched is None or best.diverged or not best.score or not best.by_score:
        return []
    fresh = (
        f"the best config scored {100 * best.searched:.2f} in the search, {percent(best.score.values())} on fresh seeds"
    )
    lucky = luck(best.searched, best.score)
    if lucky is None:
        return [f"{fresh}: how much of its score was the luck of the search, one seed cannot tell."]
    if lucky.mean <= 0:
        return [f"{fresh}: its search score shows no luck."]
    between = f"95 % interval [{_points(lucky.low)}, {_points(lucky.high)}]"
    told = "" if lucky.low > 0 else "which these seeds do not tell from none, "
    return [f"{fresh}: {100 * lucky.mean:.2f} points of its score were the luck of the search, {told}{between}."]


def _of_order(ours: Sequence[Confirmed]) -> list[str]:
    """Say so where fresh seeds prefer another of the configs that were found."""
    sound = [group for group in ours if not group.diverged]
    first = max(sound, key=lambda group: mean(group.score.values()) or 0.0, default=None)
    if first is None or first is ours[0]:
        return []
    which = "configs found" if len(sound) == len(ours) else "configs found that did not diverge"
    said = f"on fresh seeds, {first.role} has the best mean val score of the {which}"
    return [f"{said}; `lt-tune export --by confirmed` ranks by that mean, the paper's setting among them."]
