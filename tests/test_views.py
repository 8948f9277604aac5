import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from search_spaces import SPACES, Study
from tuning.engine.stages import asked
from tuning.log.events import Kind
from tuning.record.identity import Identity
from tuning.record.views import View, views

KINDS: set[Kind] = {"trial", "confirm"}
SYMBOLS = ("T1", "alpha", "tau")
IB = {"T1": 80, "alpha": 20.5, "tau": "none", "method": "IB", "dataset": "digits"}
CDB = {"T1": "none", "alpha": "none", "tau": 1.5, "method": "CDB-CE", "dataset": "digits"}
METHODS = Study(space=SPACES["demo-methods"])


def shown(found: View) -> dict[str, Any]:
    """What MLflow's page would read of its tag."""
    packed = json.loads(found.tag(1))["state"].removeprefix("deflate;")
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def parallel(found: View) -> list[str]:
    (chart,) = [chart for chart in shown(found)["compareRunCharts"] if chart["type"] == "PARALLEL"]
    return chart["selectedParams"]


def test_a_study_of_one_method_has_a_view_of_its_trials_and_one_of_fresh_seeds():
    assert [view.name for view in views("a-1", "f" * 32, SYMBOLS, [IB, IB], KINDS - {"confirm"})] == ["trials"]
    assert [view.name for view in views("a-1", "f" * 32, SYMBOLS, [IB], KINDS)] == ["trials", "fresh seeds"]
    assert views("a-1", "f" * 32, (), [], KINDS - {"confirm"}) == []


def test_several_methods_have_a_view_each_with_the_symbols_that_apply():
    every, ib, cdb = views("a-1", "f" * 32, SYMBOLS, [IB, CDB, IB], KINDS - {"confirm"})
    assert [ib.name, cdb.name] == ["trials of IB", "trials of CDB-CE"]
    assert (parallel(every), parallel(ib), parallel(cdb)) == ([], ["T1", "alpha"], ["tau"])
    assert shown(ib)["searchFilter"].endswith("tags.`lt.kind` = 'trial' and params.`method` = 'IB'")


def test_a_space_of_methods_has_its_symbols_in_columns_and_axes():
    settings = [METHODS.space.point({"method": label}) for label in ("IB", "CDB-CE", "BalSoft")]
    params = [
        asked(i, "trial", "", each, METHODS.space.config(each), METHODS, Identity(Path())).params
        for i, each in enumerate(settings)
    ]
    every, ib, *_ = views("a-1", "f" * 32, METHODS.space.symbols, params, KINDS - {"confirm"})
    columns = [column.removeprefix("params.").strip("`") for column in shown(every)["selectedColumns"]]
    assert columns[: len(METHODS.space.symbols)] == METHODS.space.symbols
    assert parallel(every) == ["method", "lr", "weight_decay"]
    assert set(parallel(ib)) == {"T1", "epsilon", "alpha", "lr_scale", "lr", "weight_decay"}


def test_trials_are_shown_by_score_all_of_them_with_the_space_s_symbols():
    (found,) = views("a-1", "f" * 32, SYMBOLS, [IB], KINDS - {"confirm"})
    state = shown(found)
    assert state["searchFilter"] == "tags.`lt.study` = 'a-1' and tags.`lt.kind` = 'trial'"
    assert (state["orderByKey"], state["orderByAsc"], state["runsHiddenMode"]) == ("metrics.`score`", False, "SHOW_ALL")
    assert state["selectedColumns"][:4] == ["params.`T1`", "params.`alpha`", "params.`tau`", "metrics.`score`"]


def test_tags_are_short_enough_for_mlflow_and_the_same_for_the_same_study():
    many = {f"symbol_{i}": i for i in range(30)} | {"method": "IB"}
    for first, again in zip(*(views("a-1", "f" * 32, list(many)[:30], [many], KINDS) for _ in range(2)), strict=True):
        assert first.tag(5) == again.tag(5) and len(first.tag(5)) < 5000
        assert json.loads(first.tag(5))["createdAt"] == 5


@pytest.mark.parametrize("method", ["IB+CB", "a b", "naïve"])
def test_links_and_keys_hold_for_any_method(method):
    for found in views("a-1", "f" * 32, SYMBOLS, [IB, {**IB, "method": method}], KINDS):
        assert found.key.replace("-", "").isalnum() and found.key.isascii()
        assert f"(#/experiments/7/runs?viewStateShareKey={found.key})" in found.links("7")


def test_the_cells_of_a_table_are_grouped_by_what_they_vary():
    (found,) = views("table1", "f" * 32, (), [], {"cell"})
    state = shown(found)
    assert state["searchFilter"] == "tags.`lt.study` = 'table1' and tags.`lt.kind` = 'cell'"
    assert [key["groupByData"] for key in state["groupBy"]["groupByKeys"]] == ["method", "dataset", "imbalance"]
