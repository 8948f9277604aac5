"""What a study leaves in the record when it ends: its page, its report with tables and pictures, its sums."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from tuning.log.events import Ended
from tuning.log.results import Results
from tuning.reports import formats
from tuning.reports.confirmation import confirmed, confirmed_grid, exact_grid, sentences
from tuning.reports.costs import cost
from tuning.reports.document import Picture
from tuning.reports.grid import Grid
from tuning.reports.leaderboard import by_label, front_grid, leaderboard
from tuning.reports.report import study_report, winner
from tuning.reports.statistics import deviation, mean

T = TypeVar("T")
TOP = 10  # trials on the page
ATTACHED = ("html", "md", "csv", "table")


def ended(results: Results, folder: Path) -> Ended:
    """The study's end; its report is written into a folder, from where it is attached."""
    pictures, failure = _written(results, folder)
    remarks = [*results.remarks, *([failure] if failure else [])]
    texts = {"study.yaml": results.study.dump(), "remarks.txt": "".join(f"{remark}\n" for remark in remarks)}
    return Ended("finished", _page(results, remarks, pictures), dict(_sums(results)), texts, str(folder))


def _written(results: Results, folder: Path) -> tuple[dict[str, Picture], str]:
    """Write the report. Gives its pictures, and what went wrong: a picture must not cost a study its end."""

    def written() -> dict[str, Picture]:
        report = study_report(results)
        formats.write(report, ATTACHED, folder)
        return report.pictures

    return attempted("The report", written, {})


def attempted(what: str, make: Callable[[], T], otherwise: T) -> tuple[T, str]:
    """What is made of results, or another thing and a sentence on why: to show them must not cost them their end."""
    try:
        return make(), ""
    except Exception as error:
        return otherwise, f"{what} could not be made: {type(error).__name__}: {error}"


def _page(results: Results, remarks: list[str], pictures: dict[str, Picture]) -> str:
    """The description of the study's run, in Markdown; where a picture is, the writer knows (`artifact:`)."""
    groups = confirmed(results)
    of_fresh_seeds = [confirmed_grid(groups, resampled=results.study.resample) if groups else None, exact_grid(groups)]
    of_search = [front_grid(results), by_label(results), leaderboard(results, TOP)]
    parts = [results.study.space.about, winner(results), *sentences(groups), *remarks, *_markdown(of_fresh_seeds)]
    parts += [f"![{picture.caption}](artifact:figures/{name}.png)" for name, picture in pictures.items()]
    return "\n\n".join(part for part in (*parts, *_markdown(of_search)) if part)


def _markdown(grids: Iterable[Grid | None]) -> list[str]:
    return [f"**{grid.title}**\n\n{grid.markdown()}" for grid in grids if grid]


def _sums(results: Results) -> Iterator[tuple[str, float]]:
    """The metrics of the study's run: the best score, means over seeds, which MLflow cannot compute, and the cost."""
    if results.best and results.best.score is not None:
        yield "score", results.best.score
    for group in confirmed(results):
        centre, spread = mean(group.compared.values()), deviation(group.compared.values())
        if centre is not None:
            yield f"{group.role}/test_acc_mean", centre
            yield f"{group.role}/seeds", len(group.compared)
        if group.diverged:
            yield f"{group.role}/diverged", len(group.diverged)
        if spread is not None:
            yield f"{group.role}/test_acc_std", spread
    spent = cost(results.study, results.trials)
    yield from {"device_hours": spent.device_hours, "epochs_trained": spent.trained}.items()
    yield from {"epochs_saved": spent.saved, "epochs_reused": spent.reused}.items()
