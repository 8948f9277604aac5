"""One training, recorded like any other; the same command goes on where an interrupted one stopped."""

import io
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import torch
from rich.console import Console

from lt_core.config import TrainConfig, empty_levels, scaled
from lt_core.identity import core_id, numerics
from lt_core.sources import download as fetch
from lt_core.train import EpochResult, Run
from lt_core.value import InputError, override, unknown
from search_spaces import CONFIGS
from tuning.engine.evaluations import evaluations
from tuning.engine.preparation import unseen
from tuning.engine.recording import Recording
from tuning.engine.system_metrics import SystemMetrics
from tuning.log.events import Asked, EpochDone, EventLog, Started, Told, TrialRecord, lock, read_events
from tuning.log.store import Store
from tuning.record.datasets import described
from tuning.record.identity import Identity, method_params, params
from tuning.record.tracking import check_answers
from tuning.shell import commands
from tuning.shell.arguments import scale_factor
from tuning.shell.environment import requirements
from tuning.shell.home import Home, load_file

CHECKPOINT, LOG = "run.pt", "events.jsonl"


def resolve(
    name: str, changes: Mapping[str, object], seed: int | None, scale: float | None, epochs: int | None
) -> tuple[TrainConfig, str]:
    """The config that a shipped name or a file and the changes describe, and the experiment that records it."""
    config = CONFIGS[name] if name in CONFIGS else _load(Path(name))
    factor = scale_factor(scale, epochs, config.epochs)
    if factor is not None:
        config = scaled(config, factor)
    if seed is not None:
        changes = {**changes, "seed": seed}
    return override(config, changes), name if name in CONFIGS else Path(name).stem


def _load(path: Path) -> TrainConfig:
    if path.suffix not in (".yaml", ".yml") and not path.is_file():
        raise unknown("config", str(path), CONFIGS)
    return load_file(path, lambda plain: TrainConfig)


def train(
    home: Home,
    config: TrainConfig,
    name: str,
    experiment: str,
    device: str,
    threads: int,
    download: bool,
    system_metrics: bool,
) -> TrialRecord:
    """Train to the end, or on to it. KeyboardInterrupt leaves a checkpoint, from which the next call goes on."""
    console = Console(stderr=True)
    check_answers(home.tracking_uri)
    if download:
        fetch(config.data.name, home.data)
    empty = (f"{level} holds no epoch of {config.epochs}" for level in empty_levels(config))
    for said in (*empty, *unseen(config.data, home)):
        console.print(f"note: {said}", highlight=False, markup=False, soft_wrap=True)
    run = Run(config, home.data, chosen_device(device), threads)
    folder = home.path / "runs" / "-".join([config.id, run.parts.id, core_id(), run.device.type, str(threads)])
    with closing(lock(folder, f"config {config.id}")):
        _set_ended_aside(folder)
        system = SystemMetrics(run.device) if system_metrics else None
        recording = Recording(home, folder / LOG, lambda: _started(config, home, experiment))
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with recording:
            training = _Training(run, Store(str(folder)), recording.log, system)
            training.ask(name, Identity(home.data))
            for result in training.results():
                console.print(epoch_line(result, config.epochs), highlight=False, soft_wrap=True)
    if recording.interrupted:
        raise KeyboardInterrupt
    if lacks := recording.failure:
        said = f"warning: the record lacks some of this run: {lacks}; `{commands.sync(None, home)}` delivers it"
        console.print(said, style="yellow", markup=False, highlight=False, soft_wrap=True)
    return recording.log.history.trials[0]


def _set_ended_aside(folder: Path) -> None:
    """Keep the log of a training that ended: the next one is another run, and the record may still lack this one."""
    log = folder / LOG
    if any(isinstance(event, Told) for event in read_events(log)):
        log.rename(folder / f"events-{len(list(folder.glob('events-*.jsonl'))) + 1}.jsonl")


def _started(config: TrainConfig, home: Home, experiment: str) -> Started:
    command = commands.typed()
    return Started(
        "",
        command,
        {},
        experiment=experiment,
        artifacts={"requirements.txt": requirements()},
        resume=command,
        note=commands.origin(command, ""),
        datasets=described([config.data], home.data),
    )


class _Training:
    """A run with its event log and its checkpoint."""

    def __init__(self, run: Run, store: Store, log: EventLog, system: SystemMetrics | None) -> None:
        self._run, self._store, self._log, self._system = run, store, log, system
        saved = store.read(CHECKPOINT)
        if saved is not None:
            run.load(io.BytesIO(saved))

    def ask(self, name: str, identity: Identity) -> None:
        """Say in the log what is trained, unless it says so already."""
        if self._log.history.trials:
            return
        config = self._run.config
        tags = {**identity.tags(config), "lt.role": "none"}
        given = {**method_params(config), **params(config)}
        self._log.emit(Asked(0, "run", name, {}, config.plain(), given, tags))

    @property
    def trial(self) -> TrialRecord:
        """What the log says of it."""
        return self._log.history.trials[0]

    def results(self) -> Iterator[EpochResult]:
        """Train to the end; every result is in the log when it is yielded, and an error is its end there."""
        try:
            yield from self._logged()
        except Exception as error:
            self._log.emit(Told(0, "failed", error=f"{type(error).__name__}: {error}"))
            raise

    def _logged(self) -> Iterator[EpochResult]:
        for result in self._unlogged():
            if result.epoch <= len(self.trial.epochs):
                continue  # its checkpoint was lost; the log has it
            system = self._system.sample() if self._system else {}
            on = numerics(self._run.config, self._run.device, self._run.threads)
            self._log.emit(EpochDone(0, asdict(result), on, system))
            yield result
        if self._run.history[-1].diverged:
            self._log.emit(Told(0, "diverged"))
        else:
            found = self._run.evaluations()
            series, by_class = self._run.test_series, evaluations(self._run, found)
            self._log.emit(Told(0, "finished", self._run.test(found), test_series=series, evaluations=by_class))
        self._store.delete(CHECKPOINT)

    def _unlogged(self) -> Iterator[EpochResult]:
        """The results that only the checkpoint holds, then fresh ones, each saved before it is yielded."""
        yield from self._run.history[len(self.trial.epochs) :]
        for result in self._run.epochs():
            stream = io.BytesIO()
            self._run.save(stream)
            self._store.write(CHECKPOINT, stream.getvalue())
            yield result


def chosen_device(name: str) -> str:
    """cpu or cuda of what was asked for; auto is cuda where there is one."""
    if name not in ("auto", "cpu", "cuda"):
        raise unknown("device", name, ["auto", "cpu", "cuda"])
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch sees no CUDA device here")
    return "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"


def epoch_line(result: EpochResult, epochs: int) -> str:
    """An epoch in one line, as progress shows it."""
    shown = {"val": result.val.get("acc"), "tail": result.val.get("acc_tail")}  # the tail may have no val image
    val = "".join(f"  {name} {value:.3f}" for name, value in shown.items() if value is not None)
    score = f"  score {result.score:.3f}" if result.score is not None else ""
    return (
        f"epoch {result.epoch:>3}/{epochs}  lr {result.lr:<7.3g} loss {result.train_loss:<7.3g}{val}{score}"
        f"  {result.seconds:.1f} s"
    )
