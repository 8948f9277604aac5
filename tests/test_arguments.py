import shlex

import pytest

from lt_core import InputError
from search_spaces import SPACES, TABLES, Rungs, Table
from tuning.shell import arguments, commands
from tuning.shell.arguments import assignments, labels, points, ranges, rungs, scale_factor
from tuning.shell.home import Home
from tuning.tables.asking import asked


def sentence(call: object, *arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)  # type: ignore[operator]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_values_are_read_as_yaml():
    texts = ["a=1", "b=1e-3", "c=x", "d=[1, 2]", "e={kind: focal}", "f=", "g=true", "h='1'", "i.j.0=2.0"]
    assert assignments("--set", texts) == {
        "a": 1,
        "b": 1e-3,
        "c": "x",
        "d": [1, 2],
        "e": {"kind": "focal"},
        "f": None,
        "g": True,
        "h": "1",
        "i.j.0": 2.0,
    }


def test_only_the_first_equals_sign_divides():
    assert assignments("--set", ["a=b=c"]) == {"a": "b=c"}


def test_spaces_around_a_name_do_not_count():
    assert assignments("--fix", [" T1 = 80"]) == {"T1": 80}


@pytest.mark.parametrize("call", [lambda texts: assignments("--set", texts), ranges])
def test_nothing_typed_is_nothing(call):
    assert call(None) == call([]) == {}


def test_no_point_typed_is_no_field_of_the_study():
    assert points(None) is None and points([]) is None


@pytest.mark.parametrize("text", ["a", "", "=3", " =3"])
def test_what_is_no_assignment_is_refused_as_typed(text):
    assert sentence(assignments, "--fix", [text]) == f"--fix `{text}` must have the form NAME=VALUE"


@pytest.mark.parametrize("text", ["a=[1", "a={b", "a=b: c: d", "a=\x07"])
def test_a_value_that_is_no_yaml_is_refused_as_typed(text):
    assert sentence(assignments, "--set", [text]).startswith(f"--set `{text}`")


def test_a_scale_is_typed_as_a_factor_or_as_epochs():
    assert [scale_factor(*typed, 200) for typed in ((0.5, None), (None, 50), (None, None))] == [0.5, 0.25, None]
    assert "--epochs is -3; it must be at least 1" in sentence(scale_factor, None, -3, 200)
    for scale in (0.0, -1.0, float("inf"), float("nan")):
        assert f"--scale is {scale:g}; it must be a number above 0" in sentence(scale_factor, scale, None, 200)
    assert "give one of them" in sentence(scale_factor, 0.5, 50, 200)


def test_each_try_is_one_point():
    assert points(["T1=80,alpha=5e2", "T1=0"]) == [{"T1": 80, "alpha": 500.0}, {"T1": 0}]


@pytest.mark.parametrize("text", ["T1=80,", ",T1=80", "T1=80,,alpha=1", "80"])
def test_a_try_with_a_hole_is_refused(text):
    assert "must have the form NAME=VALUE" in sentence(points, [text])


def test_a_range_is_two_numbers():
    assert ranges(["alpha=100..1e4", "T1=0..160", "x=.5...75", "y=-1..1."]) == {
        "alpha": (100.0, 1e4),
        "T1": (0.0, 160.0),
        "x": (0.5, 0.75),
        "y": (-1.0, 1.0),
    }


@pytest.mark.parametrize("text", ["alpha=100", "alpha=..", "alpha=1..", "alpha=..1", "alpha=a..b", "alpha=1..2..3"])
def test_what_is_no_range_is_refused_as_typed(text):
    assert sentence(ranges, [text]) == f"--range `{text}` must have the form alpha=LOW..HIGH"


@pytest.mark.parametrize("text", ["alpha=1..inf", "T1=0..inf", "alpha=nan..1", "T1=nan..9", "T1=-inf..9"])
def test_a_range_without_an_end_is_refused_by_the_space(text):
    found = ranges([text])
    assert sentence(SPACES["demo"].ranged, found).startswith(next(iter(found)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("none", Rungs(epochs=())),
        ("20", Rungs(epochs=(20,))),
        ("20,40", Rungs(epochs=(20, 40))),
        ("20, 40", Rungs(epochs=(20, 40))),
        ("phase:20,40", Rungs(epochs=(20, 40), since="switch")),
    ],
)
def test_rungs_are_typed_as_none_epochs_or_epochs_of_the_phase(text, expected):
    assert Rungs.parse(rungs(text)) == expected


def test_no_rungs_typed_leave_the_study_s():
    assert rungs(None) is None


@pytest.mark.parametrize(
    "text", ["", "20,", "20;40", "phase:", "phase", "phases:20", ":20", "-20", "2.5", "²", "a:b:20"]
)
def test_what_are_no_rungs_is_refused_as_typed(text):
    said = sentence(rungs, text)
    assert said.startswith(f"--rungs `{text}` must be none, epochs such as 20,40, or phase:20,40")


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["2h"], {"wall_hours": 2.0}),
        (["90m"], {"wall_hours": 1.5}),
        (["10dh", "3000ep"], {"device_hours": 10.0, "epochs": 3000}),
        (["0.5dh"], {"device_hours": 0.5}),
        (None, None),
    ],
)
def test_a_budget_is_typed_with_its_unit(texts, found):
    assert arguments.budget(texts) == found


@pytest.mark.parametrize(("texts", "said"), [(["2h", "90m"], "wall hours"), (["9ep", "8ep"], "epochs")])
def test_a_budget_given_twice_is_refused(texts, said):
    with pytest.raises(InputError, match=f"--budget `{texts[1]}`: {said} are given twice"):
        arguments.budget(texts)


def test_a_name_given_twice_is_refused():
    assert sentence(assignments, "--fix", ["T1=4", "T1=5"]) == "--fix `T1=5`: T1 is given twice"
    assert sentence(points, ["T1=4,T1=5"]) == "--try `T1=5`: T1 is given twice"


@pytest.mark.parametrize("text", ["3x", "h", "2", "-1h", "1.5ep", "2 h"])
def test_a_budget_without_a_unit_is_refused(text):
    with pytest.raises(InputError, match="must be wall time"):
        arguments.budget([text])


def test_constraints_are_typed_as_comparisons():
    assert arguments.constraints(["val_acc_head>=0.7", "val_acc_tail <= 5e-1"]) == [
        {"metric": "val_acc_head", "at_least": 0.7},
        {"metric": "val_acc_tail", "at_most": 0.5},
    ]
    for wrong in ("val_acc_head", "val_acc_head>0.7", ">=1"):
        with pytest.raises(InputError, match="must have the form"):
            arguments.constraints([wrong])


def test_objectives_are_typed_with_commas():
    assert arguments.names("score, val_acc_tail") == ["score", "val_acc_tail"]
    assert arguments.names(None) is None


# --- rows and columns -------------------------------------------------------------------------------


def test_labels_are_divided_by_commas():
    assert labels(None, ["A"]) == labels("", ["A"]) == labels(",", ["A"]) == []
    assert labels("A, B,C", ["A", "B"]) == ["A", "B", "C"]


def test_a_known_label_keeps_its_commas():
    known = ["tau = 1", "tau = 1, no sum C", "no sum C"]
    assert labels("tau = 1, no sum C", known) == ["tau = 1, no sum C"]
    assert labels("tau = 1, no sum C,tau = 1,no sum C", known) == ["tau = 1, no sum C", "tau = 1", "no sum C"]


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if isinstance(table, Table)])
def test_all_labels_of_a_table_can_be_asked_for_as_the_command_prints_them(name, tmp_path):
    table = TABLES[name]
    assert isinstance(table, Table)
    rows, columns = ([one.label for one in found] for found in (table.rows, table.columns))
    for some in (rows, rows[::-1], *([row] for row in rows)):
        ablation = asked(name, ",".join(some), ", ".join(columns))
        assert (ablation.rows, ablation.columns) == (tuple(some), tuple(columns))
        words = shlex.split(commands.ablate(ablation, Home.at(tmp_path, None), ""))
        options = {option: words[words.index(option) + 1] for option in ("--rows", "--columns")}
        assert asked(name, options["--rows"], options["--columns"]) == ablation
