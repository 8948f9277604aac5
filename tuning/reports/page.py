"""A report as one HTML page that needs nothing but itself: its pictures are in it."""

import base64
from html import escape

from tuning.reports.document import Document, Picture, Section
from tuning.reports.grid import Grid

LONG, SHOWN = 60, 30  # rows of a table, from which on only so many are shown at first

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 1080px; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
p.about { color: #555; margin-top: .3rem; }
code { background: #f3f3f3; padding: .1rem .3rem; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; white-space: nowrap; }
th, td { padding: .2rem .7rem; text-align: left; border-bottom: 1px solid #e3e3e3; }
th { border-bottom: 2px solid #999; } .number { text-align: right; white-space: nowrap; }
tr.unranked { color: #777; }
figure { margin: 1.5rem 0; } figure img { max-width: 100%; height: auto; } figcaption { color: #555; font-size: .9em; }
@media print { details[open] > *, figure, table { break-inside: avoid; } }
"""


def page(document: Document) -> str:
    """The whole page."""
    command = f"<p><code>{escape(document.command)}</code></p>" if document.command else ""
    about = f'<p class="about">{escape(document.about)}</p>' if document.about else ""
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(document.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
            f"<h1>{escape(document.title)}</h1>",
            about,
            command,
            *(_section(section) for section in document.sections),
            "</body>\n</html>\n",
        ]
    )


def _section(section: Section) -> str:
    sentences = [f"<p>{escape(sentence)}</p>" for sentence in section.sentences]
    tables = [_table(grid) for grid in section.tables.values()]
    pictures = [_figure(picture) for picture in section.pictures.values()]
    return "\n".join(["<section>", f"<h2>{escape(section.title)}</h2>", *sentences, *tables, *pictures, "</section>"])


def _table(grid: Grid) -> str:
    """A table; of a long one the first rows, and all of it when it is unfolded."""
    if len(grid.rows) <= LONG:
        return f'<div class="wide">{grid.html()}</div>'
    first = Grid(f"{grid.title}: the first {SHOWN} rows", grid.heads, grid.rows[:SHOWN], grid.unranked, grid.folds)
    rest = f"<details><summary>all {len(grid.rows)} rows</summary>{grid.html()}</details>"
    return f'<div class="wide">{first.html()}{rest}</div>'


def _figure(picture: Picture) -> str:
    source = f"data:image/png;base64,{base64.b64encode(picture.png).decode()}"
    caption = escape(picture.caption)
    return f'<figure><img src="{source}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
