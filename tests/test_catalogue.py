import json
import re
import typing
from pathlib import Path

import pytest
import yaml

from lt_core import InputError, TrainConfig
from lt_core.losses import Loss
from lt_core.sources import SOURCES
from search_spaces import CONFIGS, SPACES, TABLES, Edition, Space, Study, Table
from tuning.verbs.catalogue import methods, methods_table, show


def document(capsys, name=None):
    assert show(name, as_json=True) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def test_everything_that_ships_is_listed(capsys):
    found = document(capsys)
    parts = ["losses", "weights", "reweighting", "post_hoc", "recipes"]
    assert list(found) == ["spaces", "configs", "tables", "datasets", *parts, "models"]
    assert found["spaces"] == {name: space.about for name, space in SPACES.items()}
    assert found["configs"].keys() == CONFIGS.keys() and found["datasets"].keys() == SOURCES.keys()
    assert found["tables"] == {name: table.title for name, table in TABLES.items()}
    assert found["configs"]["demo"] == "IB on digits, 16 epochs"
    assert len(found["losses"]) == len(typing.get_args(typing.get_args(Loss)[0]))
    assert all(text for entries in found.values() for text in entries.values())


@pytest.mark.parametrize("name", SPACES)
def test_a_space_is_shown_resolved(capsys, name):
    found, space = document(capsys, name), SPACES[name]
    assert found["paper's setting"] == space.paper
    assert found["id of the base config"] == space.base.id
    assert TrainConfig.parse(found["base"]) == space.base
    again = {"name": name, "about": found["about"], "base": found["base"], "domains": found["domains"]}
    assert Space.parse(again) == space


def test_a_study_of_it_is_sized_up(capsys):
    found = document(capsys, "demo")
    sizes = ("trials", "confirming runs", "epochs of a trial", "last possible phase switch", "rungs")
    assert [found[key] for key in sizes] == [16, 25, 16, 10, [12, 14]]


@pytest.mark.parametrize("name", sorted(CONFIGS.keys() - SPACES.keys()))
def test_a_config_is_shown_with_its_ids(capsys, name):
    found, config = document(capsys, name), CONFIGS[name]
    assert (found["id"], found["recipe_id"]) == (config.id, config.recipe_id)
    assert TrainConfig.parse(found["config"]) == config


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if isinstance(table, Table)])
def test_a_table_is_shown_with_the_config_of_every_cell(capsys, name):
    found, table = document(capsys, name), TABLES[name]
    assert isinstance(table, Table) and list(found["rows"]) == [row.label for row in table.rows]
    for cell in table.cells(Edition()):
        if cell.trains:
            ids = found["rows"][cell.row.label]["config ids"][cell.column.label]
            for label, config in cell.configs.items():
                config_id = ids[label] if cell.best_of else ids
                assert TrainConfig.parse(found["configs"][config_id]).id == config.id == config_id
    assert found["trainings of a seed"] == len(found["configs"])


def test_the_text_of_a_table_leaves_its_many_configs_out(capsys):
    expected = document(capsys, "ib2021/table2")
    assert expected.pop("configs").keys() == {expected["rows"][row]["config ids"]["cifar10-lt-100"] for row in "abcd"}
    assert show("ib2021/table2", as_json=False) == 0
    assert yaml.safe_load(capsys.readouterr().out) == expected
    assert expected["rows"]["b"]["reported"] == {"cifar10-lt-100": "78.17 ± 0.57 (n = 3)"}
    assert expected["short recipe"] == ["4 epochs of CE at 0.1; 3 epochs of IB at 0.001; 3 epochs of IB at 0.0001"]


@pytest.mark.parametrize("name", [None, *SPACES, *CONFIGS, "cb2019/figure3"])
def test_the_text_says_what_the_document_says(capsys, name):
    expected = document(capsys, name)
    assert show(name, as_json=False) == 0
    assert yaml.safe_load(capsys.readouterr().out) == expected


def test_a_file_is_shown_like_what_ships(capsys, tmp_path):
    space, study = SPACES["demo"], Study(space=SPACES["demo"], trials=7)
    for value in (space.base, space, study):
        (tmp_path / "own.yaml").write_text(value.dump())
        shown = document(capsys, str(tmp_path / "own.yaml"))
        if value is space.base:
            assert TrainConfig.parse(shown["config"]) == space.base
        else:
            assert shown == {**document(capsys, "demo"), "trials": 7 if value is study else 16}


@pytest.mark.parametrize(("name", "group"), [("digits", "datasets"), ("influence_balanced", "losses")])
def test_anything_else_that_ships_is_said_what_it_is(capsys, name, group):
    assert document(capsys, name)[group] == {name: document(capsys)[group][name]}


@pytest.mark.parametrize(("name", "guess"), [("dmeo", "demo"), ("ib2021-cifar1", "ib2021-cifar10")])
def test_a_misspelt_name_is_guessed(name, guess):
    with pytest.raises(InputError) as caught:
        show(name, as_json=False)
    said = str(caught.value)
    assert f"`{name}` (did you mean `{guess}`?)" in said
    assert all(known in said for known in list(dict.fromkeys((*SPACES, *CONFIGS)))[:12])


# --- methods ----------------------------------------------------------------------------------------


def test_every_method_names_its_paper():
    nameless = {("losses", "cross_entropy"), ("weights", "none"), ("reweighting", "none"), ("post_hoc", "none")}
    without = [
        (group, name)
        for group, entries in methods().items()
        for name, text in entries.items()
        if (group, name) not in nameless and not re.search(r"\b(19|20)\d\d\b", text)
    ]
    assert without == []


def test_the_readme_shows_the_methods_that_there_are():
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    assert methods_table() in readme, "put the output of `python -m tuning.verbs.catalogue` into README.md"
