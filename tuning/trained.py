"""A recorded run, trained: from the checkpoint that its study kept, or again, which gives the same numbers."""

import io
from collections.abc import Iterator
from pathlib import Path

from lt_core.config import TrainConfig
from lt_core.train import EpochResult, Run
from lt_core.value import InputError
from tuning.store import Store


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
