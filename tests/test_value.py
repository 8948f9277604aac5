import copy
import math
from functools import cached_property
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lt_core import Focal, InputError, TrainConfig, Value, override
from lt_core.value import nearest, read_yaml, unknown, value_at

examples = settings(max_examples=100, deadline=None, derandomize=True)


class Leaf(Value):
    kind: Literal["leaf"] = "leaf"
    text: str = ""
    numbers: tuple[float, ...] = ()
    count: int = 0


def plain(**changes: object) -> dict[str, object]:
    data: dict[str, object] = {
        "data": {"name": "digits", "imbalance": 20, "val_per_class": 20},
        "model": {"kind": "small_cnn"},
        "phases": [{}, {"start": 100, "loss": {"kind": "influence_balanced"}}],
    }
    return {**data, **changes}


def config() -> TrainConfig:
    return TrainConfig.parse(plain())


def sentence(call: object, *arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 400
    return text


@examples
@given(st.text(), st.lists(st.floats(allow_nan=False, allow_infinity=False)), st.integers())
def test_load_reads_back_what_dump_writes(text, numbers, count):
    value = Leaf(text=text, numbers=tuple(numbers), count=count)
    assert Leaf.load(value.dump()) == value


@pytest.mark.parametrize(
    "text",
    ["1e-3", "1e3", "010", "true", "on", "null", "~", "2020-01-01", "1:30", ".5", "", "0o17", "<<", "yes", "a\x85b"],
)
def test_text_that_looks_like_something_else_survives_yaml(text):
    assert Leaf.load(Leaf(text=text).dump()).text == text


def test_values_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Leaf().count = 1


# --- YAML -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-2e-4", -2e-4),
        (".5", 0.5),
        ("1.", 1.0),
        ("1.5e+3", 1500.0),
        ("+3.0", 3.0),
    ],
)
def test_numbers_are_read_as_people_write_them(text, number):
    read = read_yaml(f"x: {text}")
    assert read == {"x": number} and isinstance(read["x"], float)


def test_a_whole_number_stays_an_int_and_a_quoted_one_stays_text():
    assert repr(read_yaml('{a: 3, b: "1e-3"}')) == "{'a': 3, 'b': '1e-3'}"


@pytest.mark.parametrize("text", ["on", "yes", "No", "1:30", "1_000", "2020-01-01", "0b11", "=", "9" * 5000])
def test_what_only_yaml_1_1_takes_for_something_else_is_text(text):
    assert read_yaml(f"x: {text}") == {"x": text}
    assert " is '" in sentence(TrainConfig.parse, plain(**read_yaml(f"epochs: {text}")))


@pytest.mark.parametrize(("text", "number"), [("010", 10), ("+7", 7), ("-0", 0), ("0o17", 15), ("0x1f", 31)])
def test_whole_numbers_are_yaml_1_2_s(text, number):
    assert read_yaml(f"x: {text}") == {"x": number}


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), ("~", None), ("", None), ("null", None)])
def test_truth_and_nothing_are_yaml_1_2_s(text, value):
    assert read_yaml(f"x: {text}") == {"x": value}


def test_a_mapping_may_be_merged_into_another():
    text = "a: &a {lr: 1, m: 2}\nb:\n  <<: *a\n  lr: 3"
    assert read_yaml(text) == {"a": {"lr": 1, "m": 2}, "b": {"lr": 3, "m": 2}}


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [("a: 1\nb: 2\na: 3", 3, "a"), ("x:\n  lr: 1\n  m: 2\n  lr: 3\n", 4, "lr"), ("- {k: 1, k: 1}", 1, "k")],
)
def test_a_key_given_twice_is_refused_with_its_line(text, line, key):
    assert sentence(read_yaml, text) == f"line {line}: the key `{key}` is given twice"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1", 1),
        ("a: 1\nb: c: d", 2),
        ("a: 1\n\tb: 2", 2),
        ("a: 1\nb: \x07", 2),
        ("---\n1\n---\n2", 3),
        ("a: *b", 1),
    ],
)
def test_broken_yaml_is_refused_with_its_line(text, line):
    assert sentence(read_yaml, text).startswith(f"line {line}: not valid YAML: ")


def test_yaml_cannot_make_objects():
    assert "python/object" in sentence(read_yaml, "!!python/object/apply:os.getcwd []")


# --- wrong input ------------------------------------------------------------------------------------

WRONG = [
    ({"epoch": 3}, ["`epoch`", "did you mean `epochs`?", "TrainConfig has: data, model, optimizer,"]),
    ({"zzzzz": 3}, ["`zzzzz`", "TrainConfig has: data, model,"]),
    ({"epochs": True}, ["`epochs` is True", "valid integer"]),
    ({"epochs": 1.0}, ["`epochs` is 1.0", "valid integer"]),
    ({"epochs": "3"}, ["`epochs` is '3'", "valid integer"]),
    ({"epochs": None}, ["`epochs` is None", "valid integer"]),
    ({"epochs": 0}, ["`epochs` is 0", "greater than or equal to 1"]),
    ({"seed": 2**31}, ["`seed` is 2147483648", "less than 2147483648"]),
    ({"channels_last": 1}, ["`channels_last` is 1", "valid boolean"]),
    ({"precision": "fp16"}, ["`precision` is 'fp16'", "did you mean `bf16`?", "allowed: fp32, bf16"]),
    ({"optimizer": {"lr": True}}, ["`optimizer.lr` is True", "valid number"]),
    ({"optimizer": {"lr": "0.1"}}, ["`optimizer.lr` is '0.1'", "valid number"]),
    ({"optimizer": {"lr": math.nan}}, ["`optimizer.lr` is nan", "finite number"]),
    ({"optimizer": {"lr": -math.inf}}, ["`optimizer.lr` is -inf", "finite number"]),
    ({"optimizer": {"lr": -1}}, ["`optimizer.lr` is -1", "greater than 0"]),
    ({"optimizer": {"nesterov": True, "momentum": 0}}, ["`optimizer`", "nesterov: true", "momentum is 0.0"]),
    ({"optimizer": [1]}, ["`optimizer` is [1]"]),
    (
        {"optimizer": {"schedule": {"kind": "step", "milestones": [5, 3]}}},
        ["`optimizer.schedule`:", "[5, 3]"],
    ),
    (
        {"optimizer": {"schedule": {"kind": "step", "milestones": [5, "x"]}}},
        ["`optimizer.schedule.milestones.1` is 'x'"],
    ),
    (
        {"optimizer": {"schedule": {"kind": "cosin"}}},
        ["`optimizer.schedule.kind` is 'cosin'", "did you mean `cosine`?"],
    ),
    ({"data": {}}, ["`data.name` is missing", "Data needs `name`"]),
    (
        {"data": {"name": "digts"}},
        ["`data.name` is 'digts'", "did you mean `digits`?", "allowed: digits, mnist, mnist-4-9, cifar10, cifar100, "],
    ),
    ({"data": {"name": 5}}, ["`data.name` is 5", "allowed: digits, mnist, mnist-4-9, cifar10, cifar100, "]),
    (
        {"data": {"name": "digits", "val_per_class": 100}},
        ["`data`:", "val_per_class is 100", "below 100 on digits"],
    ),
    ({"data": {"name": "digits", "imbalance": 1000, "val_per_class": 0}}, ["`data`:", "imbalance is 1000"]),
    (
        {"data": {"name": "digits", "imbalance": 0.5, "val_per_class": 0}},
        ["`data.imbalance` is 0.5", "equal to 1"],
    ),
    ({"model": {}}, ["`model`", "the field `kind`", "{}"]),
    ({"model": {"kind": "resnet23"}}, ["`model.kind` is 'resnet23'", "did you mean `resnet32`?", "lenet5"]),
    ({"model": {"kind": "lenet5", "size": 3}}, ["`model.size`", "LeNet5 has: kind"]),
    ({"phases": []}, ["`phases` is []", "the list must have at least 1 item"]),
    ({"phases": {}}, ["`phases` is {}; it must be a list"]),
    ({"phases": [3]}, ["`phases.0` is 3; it must be a mapping"]),
    ({"phases": [{"start": 1}]}, ["phases.0.start must be 0", "is 1"]),
    ({"phases": [{}, {"start": 5}, {"start": 3}]}, ["starts must not fall", "[0, 5, 3]"]),
    ({"phases": [{}, {"strt": 3}]}, ["`phases.1.strt`", "did you mean `start`?", "Phase has: start, loss,"]),
    ({"phases": [{"loss": {"kind": "focl"}}]}, ["`phases.0.loss.kind` is 'focl'", "did you mean `focal`?"]),
    ({"phases": [{"loss": {"kind": 5}}]}, ["`phases.0.loss.kind` is 5;", "allowed: cross_entropy, focal"]),
    ({"phases": [{"loss": "focal"}]}, ["`phases.0.loss` is 'focal'"]),
    (
        {"phases": [{"loss": {"kind": "focal", "gama": 1}}]},
        ["`phases.0.loss.gama`", "did you mean `gamma`?", "Focal has:"],
    ),
    ({"phases": [{"loss": {"kind": "focal", "gamma": -1}}]}, ["`phases.0.loss.gamma` is -1"]),
    (
        {"phases": [{"weights": {"kind": "effective_number", "beta": 1}}]},
        ["`phases.0.weights.beta` is 1", "less than 1"],
    ),
]


@pytest.mark.parametrize(("changes", "parts"), WRONG, ids=[str(changes) for changes, _ in WRONG])
def test_wrong_input_is_one_sentence_with_path_value_and_what_is_allowed(changes, parts):
    said = sentence(TrainConfig.parse, plain(**changes))
    assert [part for part in parts if part not in said] == [], said


@pytest.mark.parametrize("data", [None, [1], "text", 3])
def test_something_that_is_no_mapping_is_refused(data):
    assert f"`TrainConfig` is {data!r}" in sentence(TrainConfig.parse, data)


def test_an_object_inside_plain_data_is_refused():
    assert "`epochs` is {1, 2}, a set; it must be a mapping, a list, text," in sentence(
        TrainConfig.parse, plain(epochs={1, 2})
    )
    assert "`phases.1.start` is b'3', a bytes;" in sentence(TrainConfig.parse, plain(phases=[{}, {"start": b"3"}]))
    assert "`optimizer` is (1, 2), a tuple;" in sentence(TrainConfig.parse, plain(optimizer={(1, 2): 3}))
    assert "`optimizer.lr` is b'3', a bytes;" in sentence(override, config(), {"optimizer.lr": b"3"})


def test_data_that_hold_themselves_are_refused():
    endless: list[object] = []
    endless.append(endless)
    assert "holds itself" in sentence(TrainConfig.parse, plain(phases=endless))


def test_a_long_value_is_cut_in_the_sentence():
    said = sentence(TrainConfig.parse, plain(epochs="9" * 1000))
    assert said.startswith("`epochs` is '999") and "..." in said


# --- override ---------------------------------------------------------------------------------------


def test_override_changes_what_it_names_and_nothing_else():
    changed = override(config(), {"phases.1.start": 120, "phases.1.loss.alpha": 500})
    assert (changed.phases[1].start, changed.phases[1].loss.alpha) == (120, 500.0)
    assert override(changed, {"phases.1.start": 100, "phases.1.loss.alpha": 1000}) == config()


def test_override_checks_once_after_all_changes():
    both = {"data.imbalance": 10, "data.val_per_class": 90}
    small = override(config(), {"data.val_from": "before_cut", "data.imbalance": 50, "data.val_per_class": 10})
    assert override(small, both).data.counts[-1] == 1
    assert "imbalance is 50" in sentence(override, small, {"data.val_per_class": 90})
    swapped = {"optimizer.nesterov": True, "optimizer.momentum": 0.9}
    still = override(config(), {"optimizer.momentum": 0})
    assert override(still, swapped).optimizer.nesterov
    assert "nesterov" in sentence(override, still, {"optimizer.nesterov": True})


@pytest.mark.parametrize("order", [1, -1])
def test_a_new_kind_starts_from_its_defaults_and_takes_its_own_fields(order):
    changes = {"phases.1.loss.kind": "focal", "phases.1.loss.gamma": 2}
    changed = override(config(), dict(list(changes.items())[::order]))
    assert changed.phases[1].loss == Focal(gamma=2)


def test_the_same_kind_keeps_its_fields():
    tuned = override(config(), {"phases.1.loss.alpha": 5})
    assert override(tuned, {"phases.1.loss.kind": "influence_balanced"}) == tuned


def test_override_takes_whole_subtrees_and_paths_into_them():
    changes = {"phases": [{}, {"start": 3, "loss": {"kind": "focal"}}], "phases.1.start": 4}
    kept = copy.deepcopy(changes)
    changed = override(config(), changes)
    assert (changed.phases[1].start, changed.phases[1].loss.kind) == (4, "focal")
    assert changes == kept


@pytest.mark.parametrize(
    ("changes", "path", "value"),
    [
        ({"phases": [{}, {}], "phases.1.start": 5}, "phases.1.start", 5),
        ({"phases.1.start": 5, "phases": [{}, {}]}, "phases.1.start", 5),
        ({"optimizer": {}, "optimizer.schedule.milestones": [3]}, "optimizer.schedule.milestones", [3]),
        ({"phases.1": {"loss": {"kind": "focal"}}, "phases.1.loss.gamma": 3}, "phases.1.loss.gamma", 3.0),
        ({"phases.1.loss.kind": "focal", "phases.1.loss.gamma": 0.5}, "phases.1.loss.gamma", 0.5),
    ],
)
def test_a_new_subtree_has_its_defaults_before_paths_into_it_are_set(changes, path, value):
    assert value_at(override(config(), changes), path) == value


def test_a_path_that_a_new_subtree_has_not_is_refused_with_what_it_has():
    changes = {"phases": [{}, {}], "phases.1.strt": 5}
    assert "did you mean `phases.1.start`?" in sentence(override, config(), changes)


def test_override_leaves_the_original_alone():
    original = config()
    override(original, {"phases.1.start": 7, "optimizer.schedule.milestones": [1]})
    assert original == config()


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("epochss", ["did you mean `epochs`?", "data, model"]),
        ("qqqqqqqq", ["data, model, optimizer"]),
        ("", ["data, model, optimizer"]),
        ("optimizer.lrr", ["did you mean `optimizer.lr`?", "`optimizer` has: lr, momentum"]),
        ("optimizer.lr.x", ["did you mean `optimizer.lr`?"]),
        ("phases.2.start", ["`phases` has: 0, 1"]),
        ("phases.-1.start", ["`phases` has: 0, 1"]),
        ("phases.1.los.alpha", ["did you mean `phases.1.loss.alpha`?", "`phases.1` has: start, loss"]),
        ("phases.1.loss.alph", ["did you mean `alpha`?", "InfluenceBalanced has: kind, alpha"]),
    ],
)
def test_an_unknown_path_names_the_nearest_known_one(path, parts):
    said = sentence(override, config(), {path: 3})
    assert f"`{path}`" in said
    assert [part for part in parts if part not in said] == [], said


def test_a_field_of_the_old_kind_is_refused_with_the_new_one():
    changes = {"optimizer.schedule.kind": "cosine", "optimizer.schedule.gamma": 0.1}
    assert "`optimizer.schedule.gamma`; Cosine has: kind" in sentence(override, config(), changes)


def test_value_at_reads_leaves_and_subtrees():
    assert value_at(config(), "phases.1.start") == 100
    assert value_at(config(), "phases.0.loss") == {"kind": "cross_entropy"}
    assert "did you mean `phases.1.start`?" in sentence(value_at, config(), "phases.1.strt")


# --- names ------------------------------------------------------------------------------------------


def test_nearest_guesses_only_what_is_close():
    assert nearest("focl", ["focal", "ce"]) == " (did you mean `focal`?)"
    assert nearest("xyz", ["focal", "ce"]) == ""


def test_unknown_lists_at_most_twelve_names():
    said = str(unknown("space", "n3x", (f"n{i}" for i in range(20))))
    assert said.startswith("there is no space `n3x` (did you mean `n3`?); allowed: n0, n1,")
    assert said.endswith("n11, ...")


@pytest.mark.parametrize("text", ["", "# only a comment\n", "null\n"])
def test_an_empty_file_is_refused(text):
    with pytest.raises(InputError, match="line 1: there is nothing in it"):
        TrainConfig.load(text)


def test_a_copy_forgets_what_was_computed_of_the_fields():
    class Sides(Value):
        a: int
        b: int

        @cached_property
        def area(self) -> int:
            return self.a * self.b

    first = Sides(a=2, b=3)
    assert first.area == 6 and first.model_copy(update={"b": 5}).area == 10
    assert first == Sides(a=2, b=3)
