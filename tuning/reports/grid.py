"""A table as text, in every form that a report has: Markdown, CSV, LaTeX, HTML, and rich for the terminal."""

import csv
import html
import io
import json
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from search_spaces.space import Setting

NARROWEST = 12  # columns of a terminal that words which may fold keep
LONGEST_LINE = 40  # characters in LaTeX of a column that does not break its lines
LONGEST_SHARE = 90  # characters up to which a longer column has more of the line
BESIDE = " | "  # between the numbers of a cell
_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "α": r"$\alpha$",
    "γ": r"$\gamma$",
    "ν": r"$\nu$",
    "ρ": r"$\rho$",
    "σ": r"$\sigma$",
    "τ": r"$\tau$",
}


@dataclass(frozen=True)
class Grid:
    """A table as text: a title, the columns' heads, rows of cells; rows from `unranked` on stand below the line.

    `folds` are the heads of the columns that may take several lines, between words; all others never break. `best` are
    the cells, by row and column, that stand out, of two numbers the second; None where the first row does.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    unranked: int
    folds: Sequence[str] = ()
    best: Collection[tuple[int, int]] | None = None

    def markdown(self) -> str:
        """As Markdown, without the title."""
        lines = [self.heads, ["---"] * len(self.heads), *self._marked("**{}**", str)]
        escaped = [[cell.replace("|", "\\|").replace("\n", " ") for cell in cells] for cells in lines]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)

    def csv(self) -> str:
        """As comma-separated values."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.heads, *self.rows])
        return text.getvalue()

    def table(self) -> str:
        """As MLflow keeps tables: JSON in pandas' orientation `split`, numbers as numbers."""
        return json.dumps({"columns": self.heads, "data": [[_typed(cell) for cell in row] for row in self.rows]})

    def latex(self) -> str:
        """As a LaTeX table with booktabs' rules, its title as the caption."""
        heads = [_latex(head) for head in self.heads]
        lines = [" & ".join(cells) + r" \\" for cells in (heads, *self._marked(r"\textbf{{{}}}", _latex))]
        ranked, unranked = lines[1 : 1 + self.unranked], lines[1 + self.unranked :]
        rules = [r"\midrule"] if ranked and unranked else []
        body = [r"\toprule", lines[0], r"\midrule", *ranked, *rules, *unranked, r"\bottomrule"]
        tabular = [rf"\begin{{tabular}}{{{self._latex_columns()}}}", *body, r"\end{tabular}"]
        begin = [r"\begin{table}", r"\centering", rf"\caption{{{_latex(self.title)}}}"]
        return "\n".join([*begin, *tabular, r"\end{table}"])

    def html(self) -> str:
        """As an HTML table, its title as the caption; what stands below the line is of the class `unranked`."""
        heads = "".join(f"<th{self._class(i)}>{html.escape(head)}</th>" for i, head in enumerate(self.heads))
        rows = [self._html_row(i, cells) for i, cells in enumerate(self._marked("<strong>{}</strong>", html.escape))]
        head = f"<caption>{html.escape(self.title)}</caption>\n<thead><tr>{heads}</tr></thead>"
        return "\n".join(["<table>", head, "<tbody>", *rows, "</tbody>", "</table>"])

    def rich(self) -> Table:
        """For the terminal."""
        table = Table(title=self.title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
        table.padding = (0, 1, 0, 0)
        for i, head in enumerate(self.heads):
            folds = head in self.folds
            justify = "left" if self._left(i) else "right"
            table.add_column(head, justify=justify, overflow="fold", no_wrap=not folds)
            longest = max((len(word) for row in self.rows for word in row[i].split()), default=0)
            least = max(longest, len(head))
            table.columns[-1].min_width = min(least, NARROWEST) if folds else least  # what folds gives way first
        for i, row in enumerate(self.rows):
            style = "bold green" if i == 0 and self.unranked and self.best is None else ""
            cells = [Text(cell, "bold" if self._stands_out(i, j) else "") for j, cell in enumerate(row)]
            table.add_row(*cells, style=style, end_section=i == self.unranked - 1)
        return table

    def _latex_columns(self) -> str:
        """The columns as `tabular` takes them: sentences share the line by their lengths, and break."""
        lengths = [max(len(text) for text in column) for column in zip(self.heads, *self.rows, strict=True)]
        widths = [min(length, LONGEST_SHARE) for length in lengths]
        return "".join(
            rf"p{{{0.9 * width / sum(widths):.2f}\linewidth}}"
            if head in self.folds and length > LONGEST_LINE
            else ("l" if self._left(i) else "r")
            for i, (head, length, width) in enumerate(zip(self.heads, lengths, widths, strict=True))
        )

    def _left(self, column: int) -> bool:
        """Whether a column is of words: the first, and those that may fold."""
        return column == 0 or self.heads[column] in self.folds

    def _class(self, column: int) -> str:
        return "" if self._left(column) else ' class="number"'

    def _stands_out(self, row: int, column: int) -> bool:
        return self.best is not None and (row, column) in self.best

    def _marked(self, mark: str, escaped: Callable[[str], str]) -> list[list[str]]:
        """The rows, escaped, with what stands out in a mark."""
        return [
            [_marked(cell, mark, escaped) if self._stands_out(i, j) else escaped(cell) for j, cell in enumerate(row)]
            for i, row in enumerate(self.rows)
        ]

    def _html_row(self, row: int, cells: Sequence[str]) -> str:
        inside = "".join(f"<td{self._class(i)}>{cell}</td>" for i, cell in enumerate(cells))
        return f"<tr class='unranked'>{inside}</tr>" if row >= self.unranked else f"<tr>{inside}</tr>"


def _marked(cell: str, mark: str, escaped: Callable[[str], str]) -> str:
    """The last of the numbers in a cell in a mark: before it stands the paper's."""
    *before, last = cell.split(BESIDE)
    return "".join(f"{escaped(text)}{escaped(BESIDE)}" for text in before) + mark.format(escaped(last))


def _typed(cell: str) -> int | float | str:
    for number in (int, float):
        with suppress(ValueError):
            return number(cell)
    return cell


def _latex(text: str) -> str:
    return re.sub("|".join(map(re.escape, _LATEX)), lambda found: _LATEX[found.group()], text)


def settings_text(settings: Mapping[str, Setting]) -> str:
    """Several domains' values, short."""
    return ", ".join(f"{symbol}={setting(value)}" for symbol, value in settings.items())


def setting(value: Setting) -> str:
    """A domain's value to 3 significant digits (of 1 - value just below 1); record and exports have it whole."""
    if not isinstance(value, float):
        return str(value)
    if 0.99 < value < 1:
        return f"{value:.{2 - math.floor(math.log10(1 - value))}g}"
    short = float(f"{value:.3g}")
    return f"{short:.0f}" if 1e3 <= abs(short) < 1e6 else f"{short:g}"
