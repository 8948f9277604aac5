import os
from pathlib import Path

import pytest

from lt_core import Run, TrainConfig, override

LT_DATA = os.environ.get("LT_DATA")
EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_is_a_config_of_about_ten_lines(path):
    text = path.read_text(encoding="utf-8")
    assert TrainConfig.load(text).data.has_val
    assert len(text.splitlines()) <= 14


@pytest.mark.skipif(not LT_DATA, reason="LT_DATA is not set")
def test_the_plankton_example_trains_on_its_natural_long_tail():
    config = TrainConfig.load((EXAMPLES / "plankton.yaml").read_text(encoding="utf-8"))
    run = Run(override(config, {"epochs": 2}), Path(LT_DATA or ""))
    parts = run.parts
    assert (parts.channels, parts.classes, len(parts.train) + len(parts.val) + len(parts.test)) == (1, 121, 30_336)
    assert parts.class_names[0] == "acantharia_protist"
    assert max(parts.class_counts) == 1979 - 2 * int(1979 * 0.15) and min(parts.class_counts) == 9 - 2 * int(9 * 0.15)
    last = list(run.epochs())[-1]
    assert last.val["acc"] > 0.25
    assert last.val["acc_many"] > last.val["acc_medium"] >= last.val["acc_few"]
