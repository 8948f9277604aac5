"""MLflow's model registry: exported models as versions of their space's model, with the aliases champion, challenger.

A champion is replaced only by a better mean score on fresh seeds, on the same data: never by a search's own score,
which chose its config, never by anything of the test part, and never by a config that diverged on one of those seeds.
To load a version needs mlflow and torch, no lt-tune.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import torch
from mlflow.entities import LoggedModelOutput
from mlflow.models import Model, ModelSignature
from mlflow.pytorch import save_model
from mlflow.types import Schema, TensorSpec

from tuning.exports.program import About
from tuning.exports.registered import Registered
from tuning.exports.trained import Network
from tuning.record.tracking import client
from tuning.reports.confirmation import diverging
from tuning.reports.winners import Winner, Winners, summary

CHAMPION, CHALLENGER = "champion", "challenger"
SAME = ("lt.run_id", "lt.core_id", "lt.model_numerics")  # by which a version is known again


def register(uri: str, found: Winners, trained: Network, attached: Sequence[Path]) -> Registered:
    """Register the model of the best config; one that is registered already gets its alias only.

    attached: files that go with the model; the first, its card, is the version's description, too.
    """
    record: Any = client(uri)
    name = model_name(found)
    tags = _tags(found, trained)
    with _tracking(uri):
        _ensure_model(record, name)
        version = _known(record, name, tags)
        if version is None:
            version = _log_version(record, name, found, trained, tags, attached)
        alias, why = _alias(record, name, version, tags, found.best[0])
        record.set_registered_model_alias(name, alias, version)
        other = CHALLENGER if alias == CHAMPION else CHAMPION
        if str(record.get_registered_model(name).aliases.get(other)) == version:
            record.delete_registered_model_alias(name, other)
    return Registered(name, version, alias, why)


@contextmanager
def _tracking(uri: str) -> Iterator[None]:
    """MLflow's registry on a database looks a logged model up in the process's own record, whatever its client has."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = uri
    try:
        yield
    finally:
        os.environ.pop("MLFLOW_TRACKING_URI")
        if before is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before


def model_name(found: Winners) -> str:
    """One registered model for each space."""
    return f"lt-tune-{found.experiment}"


# --- a version --------------------------------------------------------------------------------------


def _tags(found: Winners, trained: Network) -> dict[str, str]:
    """What a version is known by; test values are shown and never read."""
    best = found.best[0]
    fresh = {f"lt.{metric}_mean": repr(summary(values)["mean"]) for metric, values in best.fresh.items()}
    return {
        "lt.study": found.study,
        "lt.run_id": best.run.run_id,
        **{f"lt.{name}": best.identity(name) for name in ("config_id", "data_id", "core_id")},
        "lt.model_numerics": trained.numerics,
        "lt.method": best.config.method,
        "lt.score": repr(trained.score),
        "lt.test_acc": repr(trained.test.accuracy),
        "lt.seeds": str(len(best.fresh.get("score", {}))),
        "lt.diverged": str(len(best.diverged)),
        **fresh,
    }


def _ensure_model(record: Any, name: str) -> None:
    if not record.search_registered_models(f"name = '{name}'"):
        record.create_registered_model(name, description="Exported by lt-tune; champion: the best mean on fresh seeds.")


def _known(record: Any, name: str, tags: Mapping[str, str]) -> str | None:
    """The version of the same run, code and machine, if there is one."""
    versions = record.search_model_versions(f"name = '{name}'")
    same = (v.version for v in versions if all(v.tags.get(key) == tags[key] for key in SAME))
    return next((str(version) for version in same), None)


def _log_version(
    record: Any, name: str, found: Winners, trained: Network, tags: dict[str, str], attached: Sequence[Path]
) -> str:
    """Log the model to the winning run and to its study's, and make it a version of the registered model."""
    best = found.best[0]
    logged = record.create_logged_model(found.experiment_id, name, best.run.run_id, tags, best.run.params)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model"
        save(trained, path, Model(model_id=logged.model_id, run_id=best.run.run_id))
        for file in attached:
            shutil.copy(file, path)
        record.log_model_artifacts(logged.model_id, str(path))
    record.finalize_logged_model(logged.model_id, "READY")
    for run_id in (best.run.run_id, found.run_id):
        record.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=best.best_epoch)])
    card, source = attached[0].read_text(encoding="utf-8"), f"models:/{logged.model_id}"
    made = record.create_model_version(name, source, best.run.run_id, tags, description=card, model_id=logged.model_id)
    return str(made.version)


def save(trained: Network, path: Path, model: Model) -> None:
    """Save a predictor in MLflow's format, as a program of torch.export: pixels in, probabilities out."""
    about = About.of(trained.run)
    pixels = TensorSpec(np.dtype("uint8"), (-1, *about.shape))  # a name would make a mapping of it
    probabilities = TensorSpec(np.dtype("float32"), (-1, len(about.classes)))
    save_model(
        trained.predictor.cpu(),
        path,
        mlflow_model=model,
        signature=ModelSignature(Schema([pixels]), Schema([probabilities])),
        input_example=np.zeros((2, *about.shape), np.uint8),
        pip_requirements=[f"{package.__name__}=={_public(package)}" for package in (mlflow, torch, np)],
        metadata=about.plain(),
    )
    _keep_on_cpu(path)


def _public(package: Any) -> str:
    """A package's version as an index knows it: without what its build adds, +cpu."""
    return package.__version__.partition("+")[0]


def _keep_on_cpu(path: Path) -> None:
    """An exported program stays on the device that it was exported for, but pyfunc would ask for a GPU where one is."""
    model = Model.load(path / "MLmodel")
    model.flavors["python_function"]["config"] = {"device": "cpu"}
    model.save(path / "MLmodel")


# --- the aliases ------------------------------------------------------------------------------------


def _alias(record: Any, name: str, version: str, tags: Mapping[str, str], best: Winner) -> tuple[str, str]:
    """champion or challenger, and why."""
    champion = record.get_registered_model(name).aliases.get(CHAMPION)
    mean = tags.get("lt.score_mean")
    if best.diverged:
        return CHALLENGER, diverging("it", best.diverged, len(best.fresh.get("score", {}))).rstrip(".")
    if str(champion) == version:
        return CHAMPION, "it was the champion before"
    if mean is None:
        return CHALLENGER, "it was not trained again on fresh seeds"
    if champion is None:
        return CHAMPION, "there was none"
    other = record.get_model_version(name, champion).tags
    if other.get("lt.data_id") != tags["lt.data_id"]:
        return CHALLENGER, f"the champion, version {champion}, has other data"
    if "lt.score_mean" not in other:  # somebody else made it the champion
        return CHALLENGER, f"the champion, version {champion}, was not trained again on fresh seeds"
    ours, theirs = float(mean), float(other["lt.score_mean"])
    compared = f"{ours:.4f} against {theirs:.4f}, the mean score on fresh seeds of version {champion}"
    return (CHAMPION if ours > theirs else CHALLENGER), compared
