from dataclasses import replace

import pytest
from test_events import asked

from search_spaces import CONFIGS
from tuning.exports.origin import Origin, reproduction
from tuning.log.events import EpochDone, TrialRecord

CONFIG = CONFIGS["demo-ce"]
ORIGIN = Origin(
    study="night",
    trial=7,
    run_id="r",
    config_id=CONFIG.id,
    data_id="d",
    core_id="k",
    numerics="cpu AVX2 threads=1",
    score=0.75,
    best_epoch=3,
)
TAGS = {"lt.data_id": "d", "lt.core_id": "k"}


def trial(score=0.75, best_epoch=3, config=CONFIG, numerics="cpu AVX2 threads=1", **tags):
    event = replace(asked(0, config, "run"), tags=TAGS | {f"lt.{name}": value for name, value in tags.items()})
    found = TrialRecord(event)
    found.epochs.append(EpochDone(0, {"epoch": 4, "score": score, "best_epoch": best_epoch}, numerics))
    return found


def test_a_line_in_a_files_head_gives_it_back(tmp_path):
    path = tmp_path / "best.yaml"
    path.write_text(f"# a comment\n{ORIGIN.line()}\n{CONFIG.dump()}", encoding="utf-8")
    assert Origin.of_file(path) == ORIGIN


@pytest.mark.parametrize("head", ["", "# recorded: ", "# recorded: nothing", '# recorded: {"score": 1}'])
def test_a_file_that_says_nothing_has_none(tmp_path, head):
    (tmp_path / "own.yaml").write_text(f"{head}\n{CONFIG.dump()}", encoding="utf-8")
    assert Origin.of_file(tmp_path / "own.yaml") is None
    assert Origin.of_file(tmp_path / "none.yaml") is None


def test_the_recorded_number_is_the_recorded_number():
    found = reproduction(ORIGIN, trial())
    assert found is not None and found.exact
    assert found.sentence() == "as recorded, bit for bit: score 0.75 at epoch 3"


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"numerics": "cpu AVX512 threads=1"}, "another machine: cpu AVX512 threads=1, then cpu AVX2 threads=1"),
        ({"core_id": "other"}, "another code: other, then k"),
        ({"data_id": "other"}, "another data: other, then d"),
        ({}, "nothing that is recorded explains it"),
    ],
)
def test_another_number_is_told_with_its_causes(changes, cause):
    found = reproduction(ORIGIN, trial(score=0.5, best_epoch=4, **changes))
    assert found is not None and not found.exact
    assert found.sentence() == f"recorded: score 0.75 at epoch 3; here it differs by -0.250000 ({cause})"
    assert found.document()["difference"] == -0.25


def test_the_same_number_on_another_machine_is_the_same_number():
    found = reproduction(ORIGIN, trial(numerics="NVIDIA H200"))
    assert found is not None and found.exact and found.causes


def test_another_epoch_of_the_same_score_is_not_the_same_training():
    found = reproduction(ORIGIN, trial(best_epoch=4))
    assert found is not None and not found.exact


def test_another_config_is_not_compared():
    assert reproduction(ORIGIN, trial(config=CONFIG.replaced(seed=1))) is None
    assert reproduction(None, trial()) is None
    assert reproduction(ORIGIN, trial(score=None)) is None
