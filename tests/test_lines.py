"""What is wrong in a study's file is told with the line that it stands on, and the word that was meant."""

import re

import pytest

from lt_core import InputError
from search_spaces import Study
from tuning.shell.home import Home
from tuning.verbs.asked import Changes, load, opened, plan

TEXT = """\
space:
  name: mine
  base:
    data: {name: digits, imbalance: 50, val_per_class: 30}
    model:
      kind: small_cnn
      head: cosine
    epochs: 8
    phases:
      - start: 0
      - start: 4
        loss: {kind: focal, gamma: 1.0}
  domains:
    T1: {kind: int, path: phases.1.start, low: 2, high: 5}
    loss:
      kind: branch
      labels:
        focal:
          domains:
            gamma:
              kind: float
              path: phases.1.loss.gamma
              low: 0
              high: 5
        LDAM:
          patch:
            phases.1.loss:
              kind: ldam
              max_m: 0.5
          domains:
            ldam_m: {kind: float, path: phases.1.loss.max_m, low: 0.1, high: 1}
trials: 6
objectives: [score]
constraints:
  - metric: val_acc_head
    at_least: 0.5
rungs:
  epochs: [6, 7]
first:
  - {T1: 3}
  - {loss: LDAM, ldam_m: 0.3}
"""


def changed(old: str, new: str) -> tuple[str, int]:
    """The text with one change, and the line of the change's end."""
    assert TEXT.count(old) == 1
    changed = TEXT.replace(old, new)
    return changed, changed[: changed.index(new) + len(new)].rstrip("\n").count("\n") + 1


@pytest.fixture
def home(tmp_path):
    return Home.at(tmp_path / "home", None)


def test_the_text_is_right():
    assert Study.load(TEXT).trials == 6


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (" high: 5\n", " hgih: 5\n", "gamma.hgih` (did you mean `high`?)"),
        ("gamma: 1.0}\n  domains:", "gamma: 1.0}\n  domainz:", "`space.domainz` (did you mean `domains`?)"),
        ("name: mine", "nmae: mine", "`space.nmae` (did you mean `name`?)"),
        ("  kind: float\n", "  knid: float\n", "gamma.knid` (did you mean `kind`?)"),
        ("  kind: float\n", "  kind: flaot\n", "gamma.kind` is 'flaot' (did you mean `float`?)"),
    ],
)
def test_a_misspelt_word_that_must_be_there_is_named_on_its_own_line(old, new, said):
    refused(old, new, said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (" kind: ldam\n", " kind: ldamm\n", "loss: `phases.1.loss.kind` is 'ldamm' (did you mean `ldam`?)"),
        ("max_m: 0.5", "maxm: 0.5", "`phases.1.loss.maxm` (did you mean `max_m`?)"),
        ("  phases.1.loss:", "  phases.1.los:", "`phases.1.los` (did you mean `phases.1.loss`?)"),
        ("phases.1.loss.max_m", "phases.1.loss.maxm", "ldam_m: there is no path `phases.1.loss.maxm` (did you mean"),
        ("T1: {kind: int, path: phases.1.start", "T1: {kind: int, path: phases.1.strt", "`phases.1.strt` (did you"),
        ("low: 0.1, high: 1}", "low: 0.1, high: 1, also: [phases.1.loss.z]}", "no field `phases.1.loss.z`"),
        ("low: 0\n", "low: -1\n", "gamma: `phases.1.loss.gamma` is -1"),
        ("low: 2, high: 5", "low: 6, high: 5", "low must be below high"),
        ("    T1: {", "    gamma: {", "gamma must have the same kind and bounds"),
    ],
)
def test_what_a_domain_or_a_label_s_patch_has_wrong_is_told_on_its_line(old, new, said):
    refused(old, new, said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  epochs: [6, 7]", "  epochs: [2, 7]", "a rung at epoch 2 cannot compare"),
        ("[6, 7]", "[\n    6,\n    8]", "a rung at epoch 8 cannot compare"),
        ("  epochs: [6, 7]", "  epochs: [7, 6]", "rungs must rise"),
        ("{T1: 3}", "{T1: 99}", "first.0: T1: 99 is not a whole number in [2, 5]"),
        ("ldam_m: 0.3", "gamma: 2", "first.1: gamma: it exists only under loss=focal"),
        ("val_per_class: 30", "val_per_class: 0", "space.base.data.val_per_class is 0"),
        ("trials: 6", "trials: 2", "trials is 2; the paper's setting and `first` are 3"),
        ("trials: 6", "trials: 6\nper_branch: 9", "per_branch and trials say the same"),
        ("trials: 6", "trials: 6\nsampler: cmaes", "sampler is cmaes"),
        ("start: 4", "start: 0\n        restart: {}", "phases.1.restart must be null"),
        ("imbalance: 50", "imbalance: 900", "imbalance is 900; it leaves a class"),
    ],
)
def test_what_the_whole_shows_to_be_wrong_is_told_on_the_line_of_its_field(old, new, said):
    refused(old, new, said)


def test_objectives_that_are_the_same_are_told_on_their_line():
    several = TEXT.replace("rungs:\n  epochs: [6, 7]\n", "").replace("[score]", "[score, score]")
    with pytest.raises(InputError, match="line 33: objectives must differ"):
        Study.load(several)


def test_a_study_s_file_is_known_by_a_misspelt_space_too(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(TEXT.replace("space:", "spcae:"))
    with pytest.raises(InputError, match=r"study.yaml, line 1: there is no field `spcae` \(did you mean `space`\?\)"):
        load(str(file))


def test_a_space_s_name_in_place_of_the_space_is_told_what_works():
    with pytest.raises(InputError, match=r"line 2: `space` is the name 'demo'; .* `lt-tune search NAME`"):
        Study.load("trials: 3\nspace: demo\n")


@pytest.mark.parametrize(
    ("old", "new", "line", "guess"),
    [
        ("val_acc_head", "val_acc_heda", 35, "constraints: .*`val_acc_heda` .*`val_acc_head`"),
        (
            "[score]\nconstraints:\n  - metric: val_acc_head\n    at_least: 0.5\nrungs:\n  epochs: [6, 7]\n",
            "[score, val_acc_many]\n",
            33,
            "objectives: .*`val_acc_many`",
        ),
    ],
)
def test_a_metric_that_the_data_do_not_have_is_told_on_its_line(home, tmp_path, old, new, line, guess):
    file = tmp_path / "study.yaml"
    file.write_text(changed(old, new)[0])
    with pytest.raises(InputError, match=f"study.yaml, line {line}: {guess}"):
        plan(opened(home, str(file), no_changes(), None, resume=False), calibrate=False, address=None)


def test_a_metric_of_an_option_is_on_no_line_of_the_file(home, tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(TEXT)
    found = opened(home, str(file), no_changes(constraints=[{"metric": "val_acc_x", "at_least": 0.1}]), None, False)
    with pytest.raises(InputError, match=r"^constraints: there is no metric"):
        plan(found, calibrate=False, address=None)


def test_a_point_of_an_option_is_told_as_the_option_s(home):
    with pytest.raises(InputError, match=r"^--try: T1: 99 is not a whole number"):
        opened(home, "demo", no_changes(first=[{"T1": 99}]), None, resume=False)


def no_changes(**fields: object) -> Changes:
    return Changes(None, None, {}, {}, {}, fields)


def refused(old: str, new: str, said: str) -> None:
    text, line = changed(old, new)
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        Study.load(text)
    assert str(caught.value).startswith(f"line {line}: ")
