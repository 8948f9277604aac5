"""The papers' texts, where they are at hand: LT_PAPERS, or `shared/papers` beside the repository."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = {
    "ib2021": "ib_2021_influence_balanced_loss.txt",
    "cdb2020": "cdb_2020_class_difficulty_balanced_loss.txt",
    "cb2019": "cb_2019_slides.txt",
}


def words(paper: str) -> list[str]:
    """A paper's text as words, without markup; skips the test where there is none."""
    given = os.environ.get("LT_PAPERS")
    folder = Path(given) if given else ROOT.parent / "shared" / "papers"
    file = folder / FILES[paper]
    if not file.is_file():
        pytest.skip(f"no {file}")
    text = file.read_text(encoding="utf-8").replace("\\pm", "±").replace("—", "-").replace(",", "")
    text = re.sub(r"</?\w+>|[*$|†‡]|\\", "", text)
    return re.sub(r"\s*±\s*", "±", text).split()
