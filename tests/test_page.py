import base64
import re
from html.parser import HTMLParser

from tuning.reports.document import Document, Picture, Section
from tuning.reports.grid import Grid
from tuning.reports.page import page

# A PNG of one pixel.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
GRID = Grid("Scores <&>", ["trial", "score"], [["0 (paper)", "0.9"], ["1", "0.8"]], 1)
LONG = Grid("Long", ["#"], [[str(n)] for n in range(100)], 100)
DOCUMENT = Document(
    "demo-1",
    "IB on <digits>",
    "lt-tune search demo --set 'a=<b>'",
    (
        Section("Found", ("Better & best.",), {"scores": GRID}, {"history": Picture(PNG, 'A "history"')}),
        Section("More", (), {"long": LONG}),
    ),
)


class Elements(HTMLParser):
    """All elements with their attributes, and all text; what is left open fails."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._open = "", []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


FOUND = Elements(page(DOCUMENT))


def test_a_page_says_all_that_the_report_says():
    for words in ("demo-1", "IB on <digits>", "--set 'a=<b>'", "Found", "Better & best.", "Scores <&>", "0 (paper)"):
        assert words in FOUND.text


def test_a_page_needs_nothing_but_itself():
    (picture,) = FOUND.named("img")
    assert picture["alt"] == 'A "history"'
    kind, content = str(picture["src"]).split(",")
    assert (kind, base64.b64decode(content)) == ("data:image/png;base64", PNG)
    assert not re.search(r"https?:|<script|<link|@import|url\(", page(DOCUMENT))


def test_a_long_table_shows_its_head_and_unfolds():
    assert len(FOUND.named("details")) == 1 and "all 100 rows" in FOUND.text
    assert len(FOUND.named("tr")) == (1 + 2) + (1 + 30) + (1 + 100)


def test_a_browser_shows_it_whole(tmp_path, browser):
    (tmp_path / "report.html").write_text(page(DOCUMENT), encoding="utf-8")
    opened = browser.new_page(viewport={"width": 1000, "height": 800})
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
    opened.goto((tmp_path / "report.html").as_uri())
    assert opened.title() == "demo-1" and said == []
    assert opened.evaluate("[...document.images].every(image => image.complete && image.naturalWidth)")
    assert opened.evaluate("document.documentElement.scrollWidth") == 1000
    assert opened.locator("table:visible").count() == 2
    opened.locator("summary").click()
    assert opened.locator("table:visible").count() == 3
