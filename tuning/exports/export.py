"""A study's best configs as a folder that stands alone: YAML files, scores, the model with its card, checksums."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from lt_core.metrics import measures
from lt_core.value import InputError
from tuning.engine.single import chosen_device, epoch_line
from tuning.exports import config_formats, handout, program
from tuning.exports.exported import Exported
from tuning.exports.model_card import model_card
from tuning.exports.registered import Registered
from tuning.exports.trained import Network, Retraining, network
from tuning.log.events import Started, StudyFolder, read_events
from tuning.log.store import Store, checkpoint_name
from tuning.record.tracking import check_answers, reason
from tuning.reports.winners import Winner, Winners, winners
from tuning.shell.home import Home
from tuning.shell.uris import without_secrets

SUMS, README, SCORES, CARD = "SHA256SUMS", "README.md", "scores.json", "model_card.md"
MARK = "# written by lt-tune export: the next one removes what of it is left over"


@dataclass
class Folder:
    """A folder that is written file by file; `close` adds the checksums and removes what an earlier export left.

    What anybody else wrote into it stays: only files that an export's checksums name, and still fit, are an export's.
    """

    path: Path
    names: list[str] = field(default_factory=list)

    def place(self, name: str) -> Path:
        """Where a file of this name is to be written."""
        self.names.append(name)
        self.path.mkdir(parents=True, exist_ok=True)
        return self.path / name

    def write(self, name: str, text: str) -> None:
        """Write a text."""
        self.place(name).write_text(text, encoding="utf-8")

    def close(self) -> list[Path]:
        """All files, the checksums last."""
        for name, digest in self._before().items():
            if name not in self.names and self._digest(name) == digest:
                (self.path / name).unlink()
        lines = [MARK, *(f"{self._digest(name)}  {name}" for name in self.names)]
        (self.path / SUMS).write_text("".join(f"{line}\n" for line in lines))
        return [self.path / name for name in (*self.names, SUMS)]

    def check(self) -> None:
        """InputError where a file that every export writes would take the place of another's."""
        for name in (SUMS, README) if not self._before() else ():
            if (self.path / name).exists():
                raise InputError(f"--out {self.path} has a {name} that no export wrote: give another folder")

    def _before(self) -> dict[str, str]:
        """The files that an earlier export left here, with their checksums."""
        sums = self.path / SUMS
        lines = sums.read_text(encoding="utf-8", errors="replace").splitlines() if sums.is_file() else []
        found = [line.partition("  ") for line in lines[1:]] if lines[:1] == [MARK] else []
        return {name: digest for digest, _, name in found if name == Path(name).name}

    def _digest(self, name: str) -> str:
        """The checksum of a file; '' where there is none."""
        file = self.path / name
        return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def export_configs(
    tracking_uri: str, study: str, top: int, out: Path, form: str = "yaml", by: str = "score"
) -> Exported:
    """Write the `top` best configs of a study in the record as best.yaml, best-2.yaml, ... or in another format.

    by: as of `winners`. InputError where the record has no such study, or none of its trials can be ranked.
    """
    config_formats.ending(form)
    check_answers(tracking_uri)
    found = winners(tracking_uri, study, top, by)
    with _writable(out):
        return Exported(tuple(_write_configs(Folder(out), found, form)), notes=tuple(_why_fewer(found, top)))


def export(
    home: Home, study: str, top: int, out: Path, *, by: str, model: bool, register: bool, device: str
) -> Exported:
    """Write the best configs, their scores, the model of the first with its card, and how to use it all; register it.

    The model comes from the checkpoint that the study kept, or is trained again, with progress on stderr.
    """
    check_answers(home.tracking_uri)
    found = winners(home.tracking_uri, study, top, by)
    on = chosen_device(_recorded_on(found.best[0]) if device == "auto" else device) if model else None
    folder = Folder(out)
    with _writable(out):
        folder.check()
        _write_configs(folder, found, "yaml")
    trained = _trained(home, found, on) if on else None
    with _writable(out):
        if trained:
            _write_model(folder, found, trained)
        folder.write(SCORES, json.dumps(_scores(found, trained), indent=2) + "\n")
    registered, failure = _registered(home, found, trained, folder) if trained and register else (None, "")
    with _writable(out):
        folder.write(README, handout.readme(found, trained, registered, without_secrets(home.tracking_uri)))
        files = tuple(folder.close())
    notes = [*_why_fewer(found, top), *_notes(found.best[0], trained), *([failure] if failure else [])]
    return Exported(files, registered, tuple(notes), bool(failure))


@contextmanager
def _writable(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"--out {out} cannot be written: {error.strerror}") from None


def _write_configs(folder: Folder, found: Winners, form: str) -> list[Path]:
    for winner in found.best:
        folder.write(winner.name + config_formats.ending(form), config_formats.text(winner, found.study, form))
    return [folder.path / name for name in folder.names]


# --- the model --------------------------------------------------------------------------------------


def _trained(home: Home, found: Winners, on: str) -> Network:
    """The network of the best config, from where it was kept or trained again."""
    winner, console = found.best[0], Console(stderr=True)
    store = _checkpoints(home, found)
    retraining = Retraining(winner.config, home.data, on, store, checkpoint_name(winner.trial))
    if not retraining.kept:
        console.print(f"training trial {winner.trial} again: its checkpoint was not kept", highlight=False)
    for result in retraining.epochs():
        console.print(epoch_line(result, winner.config.epochs), highlight=False, soft_wrap=True)
    return network(retraining)


def _recorded_on(winner: Winner) -> str:
    """The kind of device that a run was recorded on, which gives its numbers again."""
    return "cpu" if winner.identity("numerics").startswith("cpu") else "auto"


def _checkpoints(home: Home, found: Winners) -> Store | None:
    """Where the study keeps its checkpoints; None where it was not run in this home."""
    folder = StudyFolder(home.path, found.study)
    started = next(iter(read_events(folder.events_file)), None)
    if not isinstance(started, Started) or started.study_id != found.study_id:
        return None
    return Store(started.store or str(folder.checkpoints))


def _write_model(folder: Folder, found: Winners, trained: Network) -> None:
    about = program.About.of(trained.run)
    program.write(trained.predictor.cpu(), about, folder.place("model.pt2"))
    if program.has_onnx():
        program.write_onnx(trained.predictor, about, folder.place("model.onnx"))
    folder.write(CARD, model_card(trained.run, about, trained.test, handout.chosen(found)))


def _registered(home: Home, found: Winners, trained: Network, folder: Folder) -> tuple[Registered | None, str]:
    """Its place in MLflow's registry, or why it has none: whatever a server says, the files are there."""
    from tuning.exports.registry import register  # imports most of mlflow

    attached = [folder.path / name for name in (CARD, SCORES, "best.yaml")]
    try:
        return register(home.tracking_uri, found, trained, attached), ""
    except Exception as error:
        return None, f"the model is not registered in MLflow: {reason(error)}"


# --- what is said of it -----------------------------------------------------------------------------


def _scores(found: Winners, trained: Network | None) -> dict[str, Any]:
    """scores.json: every config with its search score and its confirmed mean and interval; the model's own values."""
    configs = [{"file": f"{winner.name}.yaml", **winner.document()} for winner in found.best]
    model = None if trained is None else _model_document(found.best[0], trained)
    return {"study": found.study, "space": found.experiment, "by": found.by, "configs": configs, "model": model}


def _model_document(winner: Winner, trained: Network) -> dict[str, Any]:
    run = trained.run
    values = measures(trained.test, run.parts.class_counts, run.config.evaluation.groups)
    return {
        "file": "model.pt2",
        "config": "best.yaml",
        "from": "the study's checkpoint" if trained.kept else "training again",
        "numerics": trained.numerics,
        "epoch": run.history[-1].best_epoch,
        "score": trained.score,
        "difference": None if trained.score is None else trained.score - winner.score,
        "test": values,
    }


def _why_fewer(found: Winners, top: int) -> list[str]:
    """Why there are not as many configs as were asked for."""
    if len(found.best) == top:
        return []
    confirmed = ", confirmed on as many fresh seeds as any" if found.by == "confirmed" else ""
    best = "on the Pareto front" if len(found.objectives) > 1 else "of full length"
    within = f", within {' and '.join(found.constraints)}" if found.constraints else ""
    return [
        f"{len(found.best)} of the {top} configs asked for: study {found.study} has no more {best}{confirmed}{within}"
    ]


def _notes(winner: Winner, trained: Network | None) -> Iterator[str]:
    """What the user should know before using it."""
    if trained is None:
        return
    if trained.score != winner.score:
        yield (
            f"the model has score {trained.score}, the record {winner.score}: "
            f"it was trained again ({trained.numerics}; recorded: {winner.identity('numerics')})"
        )
    if not program.has_onnx():
        yield "model.onnx is left out: the packages onnx and onnxscript are not installed"
