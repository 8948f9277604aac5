"""A recorded run, trained: from the checkpoint that its study kept, or again, which gives the same numbers."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lt_core.config import TrainConfig
from lt_core.identity import numerics
from lt_core.metrics import Evaluated, evaluated
from lt_core.numerics import set_numerics
from lt_core.predictor import Predictor
from lt_core.train import EpochResult, Run
from lt_core.value import InputError
from tuning.log.store import Store

BATCH, READERS = 100, 4  # images at a time; processes that read files


class Retraining:
    """A run that goes on from a kept checkpoint to its end, and keeps one after each epoch.

    store, name: where the checkpoint is; None keeps none. A checkpoint of another config or of other data is not used.
    """

    def __init__(self, config: TrainConfig, root: Path, device: str, store: Store | None, name: str) -> None:
        self.run = Run(config, root, device)
        self._store, self._name = store, name
        saved = store.read(name) if store else None
        self.kept = saved is not None and self._load(saved)

    def epochs(self) -> Iterator[EpochResult]:
        """Train what is left; each epoch's checkpoint is kept before its result is yielded."""
        for result in self.run.epochs():
            if self._store:
                stream = io.BytesIO()
                self.run.save(stream)
                self._store.write(self._name, stream.getvalue())
            yield result

    def _load(self, saved: bytes) -> bool:
        try:
            self.run.load(io.BytesIO(saved))
        except InputError:
            return False
        return True


@dataclass(frozen=True)
class Network:
    """A trained network: its run, what predicts with it, what that gives on the test part.

    kept: whether the run came from a checkpoint; otherwise it was trained again, to `score`.
    """

    run: Run
    predictor: Predictor
    test: Evaluated
    kept: bool

    @property
    def score(self) -> float | None:
        """The best accuracy on val; None without val."""
        return self.run.history[-1].score

    @property
    def numerics(self) -> str:
        """What its numbers depend on beside config, data and code."""
        return numerics(self.run.config, self.run.device, self.run.threads)


def network(retraining: Retraining) -> Network:
    """The network of a run that is trained to its end, evaluated on the test part as it will be used."""
    run = retraining.run
    if run.history[-1].diverged:
        raise InputError(f"config {run.config.id} diverged when it was trained here: without the model, --no-model")
    set_numerics(run.threads)
    predictor = run.predictor()
    part = run.parts.test.to(run.device)
    size, workers = (
        run.config.batch_size if run.config.model.clips else BATCH,
        READERS if run.config.data.streams else 0,
    )
    logits = ((predictor(pixels).log(), labels) for pixels, labels in part.batches(size, workers))
    return Network(run, predictor, evaluated(logits, run.parts.classes), retraining.kept)
