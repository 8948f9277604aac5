import csv
import io

import pytest
from test_page import DOCUMENT, PNG

from lt_core import InputError
from tuning.reports import formats


def test_an_unknown_format_names_the_nearest():
    formats.check("md")
    formats.check(None)
    with pytest.raises(InputError, match=r"there is no format `htm` \(did you mean `html`\?\); allowed: md, csv"):
        formats.check("htm")


def test_as_markdown_headings_sentences_and_tables_follow_each_other():
    lines = formats.text(DOCUMENT, "md").splitlines()
    wanted = ["# demo-1", "## Found", "Better & best.", "**Scores <&>**", "| trial | score |", "## More"]
    assert [line for line in lines if line in wanted] == wanted
    assert "![" not in formats.text(DOCUMENT, "md")  # no picture stands beside a text


def test_as_csv_each_table_has_its_title_in_a_comment():
    first, second = formats.text(DOCUMENT, "csv").split("\n\n")
    title, *rest = first.splitlines()
    assert title == "# Scores <&>" and second.startswith("# Long\n#\n0\n")
    assert list(csv.reader(io.StringIO("\n".join(rest)))) == [["trial", "score"], ["0 (paper)", "0.9"], ["1", "0.8"]]


def test_as_latex_each_table_is_one():
    assert formats.text(DOCUMENT, "latex").count(r"\begin{table}") == 2


def test_as_html_it_is_the_whole_page():
    assert formats.text(DOCUMENT, "html").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("html", {"report.html"}),
        ("md", {"report.md", "figures/history.png"}),
        ("csv", {"scores.csv", "long.csv"}),
        ("latex", {"scores.tex", "long.tex"}),
    ],
)
def test_the_files_of_a_format(tmp_path, kind, names):
    written = formats.write(DOCUMENT, [kind], tmp_path / "new" / "folder")
    assert {path.relative_to(tmp_path / "new" / "folder").as_posix() for path in written} == names
    assert all(path.read_bytes() for path in written)


def test_pictures_lie_where_markdown_looks_for_them(tmp_path):
    formats.write(DOCUMENT, formats.FORMATS, tmp_path)
    assert '![A "history"](figures/history.png)' in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / "figures" / "history.png").read_bytes() == PNG


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file cannot be written: "):
        formats.write(DOCUMENT, ["md"], tmp_path / "file")
