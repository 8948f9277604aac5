"""MLflow's pages on a real study, in a real browser. With LT_SCREENSHOTS=FOLDER they leave pictures there."""

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import LtTune
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from recording import free_port

from tuning.record.pages import CHOICES, start_page

TRIALS, SIZE = 12, {"width": 1280, "height": 860}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LOAD = 60_000  # milliseconds that a page may take on a busy machine
COUNT_LINES = """
window.lines = new Set();
const pen = CanvasRenderingContext2D.prototype, own = {begin: pen.beginPath, line: pen.lineTo, stroke: pen.stroke};
pen.beginPath = function() { this.path = []; return own.begin.call(this); };
pen.lineTo = function(x, y) { this.path?.push([x, y]); return own.line.call(this, x, y); };
pen.stroke = function(...given) {
  if (this.canvas.className.includes('foreground')) window.lines.add(JSON.stringify(this.path));
  return own.stroke.apply(this, given);
};
"""  # the chart of parallel coordinates draws each run as one path


def test_the_start_page_makes_our_choices_before_mlflow_s_script_runs():
    page = start_page("<html><head><script src=main.js></script></head></html>")
    ours, theirs = page.split("</script>", 1)
    assert all(f"localStorage['{key}'] ??= '{value}';" in ours for key, value in CHOICES.items())
    assert theirs.startswith("<style>") and theirs.endswith("</style><script src=main.js></script></head></html>")


@dataclass(frozen=True)
class Shown:
    """A study that `lt-tune ui` shows: its address, the server's, what `search --json` said."""

    address: str
    server: str
    said: dict[str, Any]


@pytest.fixture(scope="module")
def shown(lt_of_module: LtTune) -> Iterator[Shown]:
    said = lt_of_module.document("search", "demo", "--trials", TRIALS, "--confirm", 2)
    ui = lt_of_module.start("ui", "--port", free_port(), "--no-browser")
    assert ui.stdout is not None
    address = ui.stdout.readline().removeprefix("the record is at ").removesuffix(" (Ctrl-C ends)\n")
    yield Shown(address, address.partition("/#/")[0], said)
    lt_of_module.end(ui, signal.SIGINT)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no browser: none of chromium, chromium-browser and google-chrome is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=SIZE)
    context.set_default_timeout(LOAD)
    context.add_init_script(COUNT_LINES)
    yield context.new_page()
    context.close()


def picture(page: Page, name: str) -> None:
    """Leave a picture of the page, in few colours, where pictures are asked for."""
    if folder := os.environ.get("LT_SCREENSHOTS"):
        path = Path(folder, f"{name}.png")
        page.screenshot(path=path)
        Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


def seen(page: Page, text: str) -> None:
    expect(page.get_by_text(text).first).to_be_visible(timeout=LOAD)


def follow(page: Page, name: str, number: int = 0) -> None:
    """Go where a link of the study's page leads, in the same tab."""
    link = page.get_by_role("link", name=name, exact=True).nth(number)
    page.goto(f"{page.url.partition('#')[0]}{link.get_attribute('href')}")


def trials(page: Page) -> list[str]:
    """The names in the table of runs, in order."""
    cells = page.locator("[role=gridcell] a[href*='/runs/']")
    return [text for text in cells.all_inner_texts() if text]


# --- as someone finds them --------------------------------------------------------------------------


@pytest.mark.slow
def test_experiments_for_training_models_come_first(page, shown):
    page.goto(shown.server)
    page.get_by_role("link", name="Experiments", exact=True).click()
    seen(page, "demo")
    picture(page, "experiments")


@pytest.mark.slow
def test_a_study_holds_its_trials(page, shown):
    page.goto(f"{shown.server}/#/experiments/1/runs")
    seen(page, "demo-1")
    assert trials(page) == ["demo-1"]
    page.locator("[role=gridcell] button[data-component-id*=runnamecellrenderer]").click()
    seen(page, "trial 0 paper")
    assert {f"trial {number}" for number in range(1, TRIALS)} | {"trial 0 paper"} <= set(trials(page))


@pytest.mark.slow
def test_a_study_s_page_says_what_it_came_to_with_pictures(page, shown):
    page.goto(shown.address)
    page.get_by_text("Show more").click()
    best = shown.said["trials"][0]
    seen(page, f"Trial {best['trial']} has the best score of the search")
    seen(page, "Confirmed on fresh seeds")
    images = "[...document.querySelectorAll('img[src*=figures]')]"
    page.wait_for_function(f"{images}.length && {images}.every(img => img.complete && img.naturalWidth)", timeout=LOAD)
    widths = page.evaluate(f"{images}.map(img => img.width)")
    assert len(widths) > 2 and max(widths) <= 0.45 * SIZE["width"]
    expect(page.get_by_text("About this run")).to_be_in_viewport()
    seen(page, "digits-exp-20")
    picture(page, "study")


# --- compared ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_link_leads_to_the_trials_by_score(page, shown):
    page.goto(shown.address)
    follow(page, "trials")
    seen(page, "trial 0 paper")
    expected = [f"trial {t['trial']}{' paper' if t['trial'] == 0 else ''}" for t in by_score(shown.said["trials"])]
    assert trials(page) == expected
    for column in ("T1", "epsilon", "alpha", "score", "lt.stop_reason"):
        expect(page.get_by_role("columnheader", name=column, exact=True).first).to_be_visible()
    picture(page, "trials")


def by_score(said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As MLflow sorts: by score, of equal ones the one that started last first."""
    return sorted(said, key=lambda trial: (-trial["score"], -trial["trial"]))


@pytest.mark.slow
def test_parallel_coordinates_have_as_many_lines_as_there_are_trials(page, shown):
    distinct = {json.dumps([t["settings"], t["score"]]) for t in shown.said["trials"]}
    assert len(distinct) == TRIALS
    page.goto(shown.address)
    follow(page, "charts")
    seen(page, "Parallel Coordinates")
    page.wait_for_function(f"window.lines.size >= {TRIALS}", timeout=LOAD)
    page.wait_for_timeout(1000)  # for more, which there should not be
    assert page.evaluate("window.lines.size") == TRIALS
    axes = page.locator(".dimension .label").all_text_contents()
    assert axes == ["T1", "epsilon", "alpha", "score"]
    picture(page, "charts")


@pytest.fixture(scope="module")
def several(shown: Shown, lt_of_module: LtTune) -> tuple[str, list[dict[str, Any]]]:
    """The address and the trials of a study whose trials have one method or another, and hence other symbols."""
    said = lt_of_module.document("search", "demo-methods", "--per-branch", 2, "--epochs", 4, "--confirm", 0)
    (parent,) = [run for run in lt_of_module.runs("study") if run.info.run_name == "demo-methods-1"]
    return f"{shown.server}/#/experiments/{parent.info.experiment_id}/runs/{parent.info.run_id}", said["trials"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["IB", "CDB-CE"])
def test_each_method_has_a_chart_of_its_own_trials(page, several, method):
    address, trials = several
    own = [trial for trial in trials if trial["settings"]["method"] == method and trial["score"] is not None]
    page.goto(address)
    seen(page, f"trials of {method}")
    table = page.get_by_role("link", name=f"trials of {method}", exact=True)
    page.goto(f"{address.partition('#')[0]}{table.get_attribute('href')}&compareRunsMode=CHART")
    seen(page, "Parallel Coordinates")
    page.wait_for_function(f"window.lines.size >= {len(own)}", timeout=LOAD)
    page.wait_for_timeout(1000)  # for more, which there should not be
    assert page.evaluate("window.lines.size") == len(own) > 1
    symbols = [symbol for symbol in own[0]["settings"] if symbol != "method"]
    assert sorted(page.locator(".dimension .label").all_text_contents()) == sorted([*symbols, "score"])


@pytest.mark.slow
def test_what_was_trained_on_fresh_seeds_is_grouped(page, shown):
    page.goto(shown.address)
    follow(page, "charts", 1)
    for role in ("best", "paper", "CE"):
        seen(page, f"Group: {role}")
    seen(page, "test_acc")
    picture(page, "fresh-seeds")


@pytest.mark.slow
def test_six_trials_stand_side_by_side(page, shown):
    page.goto(shown.address)
    follow(page, "trials")
    seen(page, "trial 0 paper")
    for number in range(6):
        page.locator(f"[role=row][row-index='{number}'] input[type=checkbox]").first.check(force=True)
    page.get_by_role("button", name="Compare").click()
    seen(page, "Comparing 6 Runs from 1 Experiment")
    expect(page.locator("canvas").first).to_be_visible(timeout=LOAD)
    text = page.locator("body").inner_text()
    assert all(re.search(rf"\b{symbol}\b", text) for symbol in ("T1", "epsilon", "alpha", "score"))
    picture(page, "compare")
