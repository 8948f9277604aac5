"""Views of a study in MLflow's pages: which runs, in what order, with which columns and charts.

They are tags of the experiment, in the form in which the `Views` button of MLflow 3.17's pages keeps its own, and a
link opens one. Not here: MLflow itself.
"""

import base64
import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuning.log.events import Kind

TAG = "mlflow.sharedViewState."
SECTION = "charts"
MOST_RUNS = 1000  # in a chart
LINES = ("score", "val_acc", "val_acc_tail", "train_loss")


@dataclass(frozen=True)
class View:
    """One view: its key in links and tags, its name, and what the page then shows."""

    key: str
    study: str
    name: str
    shown: Mapping[str, Any]

    def tag(self, time_ms: int) -> str:
        """The value of its tag, which is called `TAG` and its key."""
        packed = base64.b64encode(zlib.compress(json.dumps(self.shown).encode())).decode()
        times = {"createdAt": time_ms, "updatedAt": time_ms}
        return json.dumps({"name": f"{self.study}: {self.name}", **times, "state": f"deflate;{packed}"})

    def links(self, experiment_id: str) -> str:
        """Markdown links, from any of MLflow's pages, to its table and its charts."""
        table = f"#/experiments/{experiment_id}/runs?viewStateShareKey={self.key}"
        return f"[{self.name}]({table}) ([charts]({table}&compareRunsMode=CHART))"


def views(
    study: str, study_id: str, symbols: Collection[str], trials: Sequence[Mapping[str, Any]], kinds: Collection[Kind]
) -> list[View]:
    """What there is to see of a study or table: all its trials, those of each method where there are several, what was
    trained on fresh seeds, the cells. `trials` are the params of the trials, those of `symbols` among them, `kinds`
    those of all trainings."""
    methods = list(dict.fromkeys(params.get("method", "none") for params in trials))
    found = {("trials", "trials"): _trials(study, symbols, trials)} if trials else {}
    if "confirm" in kinds:
        found["fresh-seeds", "fresh seeds"] = _grouped(study, "confirm", [("tag", "lt.role")])
    if "cell" in kinds:
        varied = [("param", name) for name in ("method", "dataset", "imbalance")]
        found["cells", "cells"] = _grouped(study, "cell", varied)
    for number, method in enumerate(methods if len(methods) > 1 else (), 1):
        of_method = [params for params in trials if params.get("method") == method]
        others = [symbol for symbol in symbols if symbol != "method"]
        shown = _trials(study, others, of_method, f" and params.`method` = '{method}'")
        found[f"method-{number}", f"trials of {method}"] = shown
    return [View(f"{study_id[:16]}-{key}", study, name, shown) for (key, name), shown in found.items()]


def _trials(
    study: str, symbols: Collection[str], trials: Sequence[Mapping[str, Any]], condition: str = ""
) -> dict[str, Any]:
    """Trials by score, with their settings; and charts that draw each of them."""
    # The chart of parallel coordinates leaves out a trial without a value, so it has the symbols that all of them have.
    given = [symbol for symbol in symbols if all(params[symbol] != "none" for params in trials)]
    parallel = {"type": "PARALLEL", "selectedParams": given, "selectedMetrics": ["score"], "showAllRuns": True}
    columns = [
        *(f"params.`{symbol}`" for symbol in symbols),
        *(f"metrics.`{name}`" for name in ("score", "best_epoch", "epochs_trained")),
        "tags.`lt.stop_reason`",
    ]
    runs = f"tags.`lt.study` = '{study}' and tags.`lt.kind` = 'trial'{condition}"
    return _shown(runs, columns, [parallel, *map(_line, LINES)])


def _grouped(study: str, kind: Kind, keys: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Trainings that see the test set, grouped by tags or params; the charts show each group's mean."""
    columns = [*(f"metrics.`{name}`" for name in ("test_acc", "test_acc_last", "score")), "params.`seed`"]
    runs = f"tags.`lt.study` = '{study}' and tags.`lt.kind` = '{kind}'"
    bars = [{"type": "BAR", "metricKey": name, "displayName": name} for name in ("test_acc", "test_acc_last")]
    by = [{"mode": mode, "groupByData": name} for mode, name in keys]
    grouped = {"aggregateFunction": "average", "groupByKeys": by}
    return {**_shown(runs, columns, [*bars, *map(_line, LINES)]), "groupBy": grouped}


def _shown(runs: str, columns: Sequence[str], charts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Runs by a condition, best score first, all of them visible, with columns and charts."""
    own = {"metricSectionId": SECTION, "runsCountToCompare": MOST_RUNS, "deleted": False, "isGenerated": False}
    section = {"uuid": SECTION, "name": "Charts", "display": True, "columns": 2, "isGenerated": False}
    return {
        "searchFilter": runs,
        "orderByKey": "metrics.`score`",  # by the date, which is MLflow's order, children would hide below their study
        "orderByAsc": False,
        "selectedColumns": columns,
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": [{"uuid": f"chart-{i}", **own, **chart} for i, chart in enumerate(charts)],
        "compareRunSections": [section],
    }


def _line(metric: str) -> dict[str, Any]:
    return {
        "type": "LINE",
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "displayName": metric,
        "xAxisKey": "step",
        "xAxisScaleType": "linear",
        "yAxisKey": "metric",
        "scaleType": "linear",
        "range": {},
        "lineSmoothness": 0,
        "selectedXAxisMetricKey": "",
        "yAxisExpressions": [],
        "ignoreOutliers": False,
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }
