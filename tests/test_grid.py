import csv
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from tuning.reports.grid import Grid, setting

examples = settings(max_examples=80, deadline=None, derandomize=True)
GRID = Grid("A title", ["rank", "label"], [["1", 'a "b", c'], ["-", "± α"]], 1)


def test_a_table_as_markdown():
    assert GRID.markdown() == '| rank | label |\n| --- | --- |\n| 1 | a "b", c |\n| - | ± α |'


def test_a_table_as_mlflow_keeps_it_has_numbers_as_numbers():
    table = json.loads(Grid("", ["trial", "alpha", "state"], [["3", "1e-05", "reused"]], 1).table())
    assert table == {"columns": ["trial", "alpha", "state"], "data": [[3, 1e-05, "reused"]]}


def in_terminal(grid: Grid, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(grid.rich())
    return console.file.getvalue()


def test_a_bar_in_a_cell_does_not_end_it():
    assert Grid("", ["a|b"], [["c|d"]], 1).markdown() == "| a\\|b |\n| --- |\n| c\\|d |"


@examples
@given(st.lists(st.lists(st.text(alphabet='a",\n |é'), min_size=2, max_size=2), max_size=3))
def test_a_table_as_csv_reads_back(rows):
    text = Grid("", ["x", "y"], rows, 0).csv()
    assert list(csv.reader(io.StringIO(text, newline=""))) == [["x", "y"], *rows]


def test_a_table_in_the_terminal_has_title_heads_and_cells():
    shown = in_terminal(GRID, 80)
    assert [text in shown for text in ("A title", "rank", "label", 'a "b", c', "± α")] == [True] * 5


# --- LaTeX and HTML ---------------------------------------------------------------------------------

RANKED = Grid(
    "T & 1", ["#", "loss", "50 %"], [["1", "a_b ± 1", "2^3"], ["2", "{x}", "~"], ["-", "\\", "#"]], 2, ("loss",)
)


def test_a_table_in_latex_has_booktabs_rules_and_nothing_that_latex_would_take_for_a_command():
    assert RANKED.latex() == (
        "\\begin{table}\n"
        "\\centering\n"
        "\\caption{T \\& 1}\n"
        "\\begin{tabular}{llr}\n"
        "\\toprule\n"
        "\\# & loss & 50 \\% \\\\\n"
        "\\midrule\n"
        "1 & a\\_b $\\pm$ 1 & 2\\textasciicircum{}3 \\\\\n"
        "2 & \\{x\\} & \\textasciitilde{} \\\\\n"
        "\\midrule\n"
        "- & \\textbackslash{} & \\# \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
        "\\end{table}"
    )


def test_sentences_share_the_line_in_latex_by_their_lengths():
    rows = [["short", "s" * 45, "long " * 200, "n" * 45]]
    grid = Grid("", ["claim", "where", "measured", "no sentence"], rows, 1, ("claim", "where", "measured"))
    assert r"\begin{tabular}{lp{0.22\linewidth}p{0.44\linewidth}r}" in grid.latex()


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no LaTeX here")
def test_latex_takes_it(tmp_path):
    document = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}%s\\end{document}"
    (tmp_path / "x.tex").write_text(document % RANKED.latex(), encoding="utf-8")
    subprocess.run(["pdflatex", "-halt-on-error", "x.tex"], cwd=tmp_path, check=True, capture_output=True)


class Cells(HTMLParser):
    """The texts of a table's cells, row by row, and each row's class."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.classes: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
            self.classes.append(dict(attrs).get("class"))
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data


words = st.text(alphabet="<>&\"'ab1", min_size=1, max_size=5)


@examples
@given(st.lists(st.lists(words, min_size=3, max_size=3), max_size=4))
def test_a_table_in_html_reads_back(rows):
    assert Cells(Grid("<T>", ["x", "y", "z"], rows, 0).html()).rows == [["x", "y", "z"], *rows]


def test_what_stands_below_the_line_is_marked_in_html():
    assert Cells(RANKED.html()).classes == [None, None, None, "unranked"]
    assert "<caption>T &amp; 1</caption>" in RANKED.html()
    assert len(re.findall('class="number"', RANKED.html())) == 4  # the last column is of numbers


def test_a_line_break_does_not_break_a_row_of_markdown():
    assert Grid("", ["a"], [["b\nc"]], 1).markdown().count("\n") == 2


# --- cells ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-8, "1e-08"),
        (0.00123456, "0.00123"),
        (999.6, "1000"),
        (1234.0, "1230"),
        (74280.0, "74300"),
        (-1234.0, "-1230"),
        (1234567.0, "1.23e+06"),
        (0.0, "0"),
        (0.9999, "0.9999"),
        (0.99912345, "0.999123"),
        (0.98765, "0.988"),
        (1.0, "1"),
        (8, "8"),
        (12345, "12345"),
        ("IFW", "IFW"),
    ],
)
def test_settings_are_short(value, text):
    assert setting(value) == text
