"""Claims in words: what was measured says of them, and what the paper's own printed numbers do."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from search_spaces.claims import Claim, Contrast, Side
from search_spaces.table import Table
from tuning.reports.grid import Grid
from tuning.tables.claims import CONFIDENCE, Judged, JudgedClaim, expected_difference, judge
from tuning.tables.filled import Filled
from tuning.tables.printed import Own, own_numbers, printed_differences

SHORT_WORDS = {"confirmed": "same direction", "contradicted": "other direction", "undecided": "undecided"}
MOST_NAMED = 4  # contrasts that a sentence names


@dataclass(frozen=True)
class Verdict:
    """What is said of a claim: the word, and why; what the paper's own numbers say, and why."""

    claim: Claim
    word: str
    why: str
    own: str
    own_why: str

    @property
    def sentence(self) -> str:
        """All of it."""
        own = f" By the paper's own numbers: {self.own}{_in_brackets(self.own_why)}." if self.own else ""
        return f"{self.word.capitalize()}: {self.claim.text} ({self.claim.where}){_colon(self.why)}.{own}"


def verdicts(filled: Filled) -> list[Verdict]:
    """A verdict on each claim of a table; of one that is not measured, the reason."""
    return [_verdict(claim, filled) for claim in filled.table.claims]


def _verdict(claim: Claim, filled: Filled) -> Verdict:
    own = own_numbers(claim, filled.table)
    word, why = _measured(claim, filled)
    return Verdict(claim, word, why, _own_word(own), _own_why(claim, own, filled.table))


# --- measured ---------------------------------------------------------------------------------------


def _measured(claim: Claim, filled: Filled) -> tuple[str, str]:
    if claim.open:
        return "not measured", claim.open
    if filled.edition.recipe == "reported":
        return "not judged", "each row has its source's recipe; `--recipe equal` has one for all"
    claim = replace(claim, contrasts=filled.distinct(claim.contrasts))  # one run is no evidence twice
    printed = printed_differences(filled.table, claim)
    found = judge(claim, filled.measured, printed, _expected(filled))
    lost = _lost(claim, filled)
    if not found.judged:
        return "not measured", lost
    if all(one.spread is None for one in found.judged):
        return "no verdict", "; ".join(["one seed a cell", _order(found), *([lost] if lost else [])])
    word = found.verdict if filled.full else SHORT_WORDS[found.verdict]
    return word, "; ".join([*_reasons(found, filled, printed), *([lost] if lost else [])])


def _lost(claim: Claim, filled: Filled) -> str:
    """The contrasts that decide nothing since a run of theirs diverged; '' where there is none."""
    touched = [contrast for contrast in claim.contrasts if filled.measured.diverged_in([contrast])]
    if not touched:
        return ""
    cells = filled.measured.diverged_in(touched)
    named = _listed([f"{row} at {column}" for row, column in cells])
    return f"{_counted(touched, 'decides', 'decide')} nothing, since runs diverged: {named}"


def _expected(filled: Filled) -> dict[str, float]:
    """The differences to plan with where the paper reports none, by column; plain values have no points."""
    return {
        cell.column.label: expected_difference(next(iter(cell.configs.values())).data.name)
        for cell in filled.cells
        if cell.trains and filled.table.unit(cell.row, cell.column) in ("accuracy", "error")
    }


def _order(found: JudgedClaim) -> str:
    held = sum(one.difference > one.contrast.margin for one in found.judged)
    return f"the means have the order of {held} of {len(found.claim.contrasts)} comparisons"


def _counted(contrasts: Sequence[Contrast], one: str, many: str) -> str:
    """How many comparisons do something: `1 comparison decides`, `3 comparisons decide`."""
    return f"1 comparison {one}" if len(contrasts) == 1 else f"{len(contrasts)} comparisons {many}"


def _reasons(found: JudgedClaim, filled: Filled, printed: Mapping[Contrast, float]) -> list[str]:
    """Why a verdict is what it is. printed: the paper's own differences, in points."""
    said = [_margin(found.claim, filled.table)] if found.claim.our_margin else []
    if found.verdict == "contradicted":
        worst = sorted(found.contradicting, key=lambda one: one.difference)
        said.append("against it, after Holm: " + _listed([_difference(one) for one in worst]))
    else:
        least = min(found.judged, key=lambda one: one.low - one.contrast.margin)
        held = sum(one.confirmed for one in found.judged)
        every = _counted(found.claim.contrasts, "holds", "hold")
        said.append(f"{held} of {every}, the least {_difference(least)}")
    said.append(_level(found.claim))
    judged = [one.contrast for one in found.judged]
    absent = [c for c in found.claim.contrasts if c not in judged and not filled.measured.diverged_in([c])]
    if absent:
        said.append(f"{_counted(absent, 'is', 'are')} not measured")
    spreads = [one.spread for one in found.judged if one.spread]
    sigma = _span([f"{spread.sigma:.2f}" for spread in sorted(spreads, key=lambda spread: spread.sigma)])
    said.append(
        f"sigma {sigma}, {_span([str(df) for df in sorted(spread.df for spread in spreads)])} degrees of freedom"
    )
    if uneven := filled.measured.uneven(judged):
        said.append(f"one sigma for all is rough: the cells' own run from {uneven[0]:.2f} to {uneven[1]:.2f}")
    if found.n is not None:
        seeds = _span([str(n) if n else "over 10,000" for n in found.n])
        said.append(
            f"{seeds} seeds a cell would tell {found.planned:.2f} points{_whose(found, printed)} with a power of 80 %"
        )
    return said


def _whose(found: JudgedClaim, printed: Mapping[Contrast, float]) -> str:
    """Where the difference that is planned for comes from; '' for this project."""
    hardest = found.hardest
    if hardest is None or hardest not in printed or printed[hardest] <= hardest.margin:
        return ""
    return ", as far as the paper's lie above the margin," if hardest.margin else ", as the paper has them,"


def _level(claim: Claim) -> str:
    """What the brackets hold: each bound by itself, both together are no interval of that confidence."""
    rows = max(len(contrast.better.rows) for contrast in claim.contrasts)
    shared = f", Bonferroni over the {rows} rows of a best" if rows > 1 else ""
    return f"in brackets, one-sided {100 * CONFIDENCE:.0f} % bounds{shared}"


def _span(sorted_texts: Sequence[str]) -> str:
    low, high = sorted_texts[0], sorted_texts[-1]
    return low if low == high else f"{low} to {high}"


def _margin(claim: Claim, table: Table) -> str:
    margins = sorted({abs(contrast.margin) for contrast in claim.contrasts if contrast.margin})
    side = claim.contrasts[0].better
    unit = table.unit(table.row(side.rows[0]), table.column(side.columns[0]))
    points = " points" if unit in ("accuracy", "error") else ""
    return f"the margin of {', '.join(f'{margin:g}' for margin in margins)}{points} is ours"


def _difference(one: Judged) -> str:
    contrast = one.contrast
    bounds = f"{one.difference:+.2f} [{one.low:+.2f}, {one.high:+.2f}]"
    return f"{_sides(contrast)}: {bounds}"


def _sides(contrast: Contrast) -> str:
    """Which cells are held against each other, and in which columns."""
    better, worse = contrast.better, contrast.worse
    if better.columns != worse.columns:
        return f"{_rows(better)} ({_columns(better)}) - {_rows(worse)} ({_columns(worse)})"
    return f"{_rows(better)} - {_rows(worse)} at {_columns(better)}"


def _rows(side: Side) -> str:
    return side.rows[0] if len(side.rows) == 1 else f"best of {', '.join(side.rows)}"


def _columns(side: Side) -> str:
    """A column, or the first and the last of those whose mean is taken."""
    if len(side.columns) == 1:
        return side.columns[0]
    return f"the mean of {len(side.columns)}, {side.columns[0]} to {side.columns[-1]}"


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - MOST_NAMED} more" if len(texts) > MOST_NAMED else ""
    return "; ".join(texts[:MOST_NAMED]) + more


# --- in print ---------------------------------------------------------------------------------------


def _own_word(own: Own) -> str:
    return "" if own.verdict == "no numbers" else own.verdict


def _own_why(claim: Claim, own: Own, table: Table) -> str:
    if own.verdict == "no numbers":
        return ""
    said = [f"{own.held} of {own.cases} cases" + (", n = 1" if own.n == 1 else "")]
    if own.failing:
        cases = list(dict.fromkeys(one.contrast.case for one in own.failing))
        said.append("not at " + " or ".join(cases[:MOST_NAMED]) + (" and more" if len(cases) > MOST_NAMED else ""))
    doubtful = [one for one in own.printed if one.corrected is not None and one.corrected >= 0.05 and one.holds]
    if doubtful:
        most = max(doubtful, key=lambda one: one.corrected or 0.0)
        said.append(f"Welch's p up to {most.corrected:.2g} after Holm: {_sides(most.contrast)}")
    right = own_numbers(claim, table, corrected=True)
    if (right.held, right.verdict) != (own.held, own.verdict):
        said.append(f"{right.held} of {right.cases} with the mistakes put right: it {right.verdict}")
    return "; ".join(said)


# --- together ---------------------------------------------------------------------------------------


def claims_grid(found: Sequence[Verdict], where: str) -> Grid:
    """Each claim: what was measured says, what the paper's own numbers say."""
    rows = [
        [
            v.claim.text,
            v.claim.where,
            f"{v.word}{_in_brackets(v.why)}",
            f"{v.own or 'no numbers'}{_in_brackets(v.own_why)}",
        ]
        for v in found
    ]
    heads = ["claim", "where", f"measured, {where}", "the paper's own numbers"]
    return Grid("Claims", heads, rows, len(rows), tuple(heads), best=())


def counted(found: Sequence[Verdict]) -> str:
    """How many claims have which verdict, in words."""
    words = Counter(verdict.word for verdict in found)
    return ", ".join(f"{n} {word}" for word, n in words.items())


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _colon(text: str) -> str:
    return f": {text}" if text else ""
