"""Run, the state of one training, stepped one epoch at a time; fit(), the generator of its epoch results.

Not here: ray, mlflow, printing. Every draw comes from a CPU generator keyed by (seed, epoch, purpose), so that a run
that was saved, moved and loaded is the run that was never interrupted.
"""

import copy
import ctypes
import hashlib
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from lt_core.config import TrainConfig, canonical
from lt_core.data import Batches, Parts, load_parts
from lt_core.metrics import accuracies, confusion_matrix
from lt_core.sources import SOURCES, Images
from lt_core.value import InputError
from lt_core.weights import reduce


@dataclass(frozen=True)
class EpochResult:
    """One epoch: `val` holds accuracies in [0, 1] by name (empty without val images).

    score: the best `val_acc` over the epochs of the last phase so far, None before that phase and without val.
    diverged: the loss or the network's outputs are no longer finite.
    """

    epoch: int
    train_loss: float
    lr: float
    seconds: float
    val: dict[str, float]
    score: float | None
    best_epoch: int | None
    diverged: bool


def fit(config: TrainConfig, root: Path | None = None, device: str = "cpu", threads: int = 1) -> Iterator[EpochResult]:
    """Train a config and yield each epoch's result; stop it by `break`. It ends by itself when it diverges.

    root: the data folder (none is needed for the digits). InputError where its files are missing or damaged.
    """
    return Run(config, root, device, threads).epochs()


class Run:
    """The state of one training. `history` holds the results of the epochs done."""

    def __init__(self, config: TrainConfig, root: Path | None = None, device: str = "cpu", threads: int = 1) -> None:
        _keep_freed_memory()
        self.config = config
        self.device = torch.device(device)
        self.threads = threads
        self.history: list[EpochResult] = []
        parts = load_parts(config.data, root)
        self.parts = parts
        self._val, self._test = parts.val.to(self.device), parts.test.to(self.device)
        self._batches = Batches(parts.train.to(self.device), config.batch_size, config.data.augment == "crop_flip")
        self._weights = [phase.weights(parts.class_counts).to(self.device, torch.float32) for phase in config.phases]
        self._normalise = _Normalise(parts, self.device)
        self.model = _build(config, self.device)
        self._optimizer = config.optimizer.build(self.model)
        self._best_model: dict[str, Tensor] | None = None

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return len(self.history)

    @property
    def finished(self) -> bool:
        """Whether there is no epoch left to train."""
        return self.epoch >= self.config.epochs or (self.epoch > 0 and self.history[-1].diverged)

    def epochs(self) -> Iterator[EpochResult]:
        """Train on to the end, yielding each epoch's result."""
        while not self.finished:
            yield self.step()

    def step(self) -> EpochResult:
        """Train one epoch and evaluate it on val."""
        started = time.perf_counter()
        _set_numerics(self.threads)
        number = self.epoch + 1
        loss = self._train_epoch(number)
        val, finite = self._accuracies(self._val) if len(self._val) else ({}, True)
        diverged = not (math.isfinite(loss) and finite)
        score, best_epoch = self._score(number, {} if diverged else val)
        if best_epoch == number:
            self._best_model = copy.deepcopy(self.model.state_dict())
        seconds = time.perf_counter() - started
        result = EpochResult(number, loss, self.config.learning_rate(number), seconds, val, score, best_epoch, diverged)
        self.history.append(result)
        return result

    def test(self) -> dict[str, float]:
        """`test_acc` of the best validation epoch (of the last where there is no val) and `test_acc_last`."""
        _set_numerics(self.threads)
        last = self._accuracies(self._test)[0]["acc"]
        if self._best_model is None:
            return {"test_acc": last, "test_acc_last": last}
        trained = copy.deepcopy(self.model.state_dict())
        self.model.load_state_dict(self._best_model)
        best = self._accuracies(self._test)[0]["acc"]
        self.model.load_state_dict(trained)
        return {"test_acc": best, "test_acc_last": last}

    def save(self, stream: IO[bytes]) -> None:
        """Write all that is needed to go on to a binary stream."""
        state = {
            "config_id": self.config.id,
            "data_id": self.parts.id,
            "model": self.model.state_dict(),
            "best_model": self._best_model,
            "optimizer": self._optimizer.state_dict(),
            "history": [asdict(result) for result in self.history],
        }
        torch.save(state, stream)

    def load(self, stream: IO[bytes]) -> None:
        """Take over a saved state of the same config and data; InputError for another one's."""
        state: dict[str, Any] = torch.load(stream, map_location=self.device, weights_only=True)
        for key, own in (("config_id", self.config.id), ("data_id", self.parts.id)):
            if state[key] != own:
                raise InputError(f"the checkpoint's {key} is {state[key]}, but this run's is {own}")
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._best_model = state["best_model"]
        self.history = [EpochResult(**result) for result in state["history"]]

    def train_batches(self, number: int) -> Iterator[tuple[Tensor, int]]:
        """Train an epoch (from 1) batch by batch: yields each batch's loss, a scalar on the device, and its size."""
        for group in self._optimizer.param_groups:
            group["lr"] = self.config.learning_rate(number)
        phase = self.config.phase_at(number)
        weights = self._weights[self.config.phases.index(phase)]
        draws = (_generator(self.config.seed, number, purpose) for purpose in ("order", "augmentation"))
        self.model.train()
        for pixels, labels in self._batches.epoch(*draws):
            losses = phase.loss(self._forward(pixels), labels)
            numerator, denominator = reduce(losses, weights[labels], phase.weights.reduction)
            loss = numerator / denominator
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            yield loss.detach(), len(labels)

    def _train_epoch(self, number: int) -> float:
        """The mean training loss of an epoch, each batch by its size; one synchronisation with the device."""
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for loss, size in self.train_batches(number):
            total += loss * size
        return total.item() / len(self.parts.train)

    def _forward(self, pixels: Tensor) -> Any:
        """Outputs in float32, whatever precision the network runs in."""
        x = self._normalise(pixels).contiguous(memory_format=_layout(self.config))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            outputs = self.model(x)
        return type(outputs)(*(tensor.float() for tensor in outputs))

    @torch.no_grad()
    def _accuracies(self, images: Images) -> tuple[dict[str, float], bool]:
        """Accuracies by name, and whether all logits were finite."""
        self.model.eval()
        logits = torch.cat([self._forward(pixels).logits for pixels in images.pixels.split(500)])
        confusion = confusion_matrix(logits.argmax(1), images.labels, logits.shape[1])
        return accuracies(confusion, self.parts.class_counts), bool(logits.isfinite().all())

    def _score(self, number: int, val: dict[str, float]) -> tuple[float | None, int | None]:
        """The best val accuracy since the last phase began, and its epoch; no `val`, no change."""
        score, best_epoch = None, None
        if self.history:
            score, best_epoch = self.history[-1].score, self.history[-1].best_epoch
        if not val or number <= canonical(self.config).phases[-1].start:
            return score, best_epoch
        return (val["acc"], number) if score is None or val["acc"] > score else (score, best_epoch)


class _Normalise:
    """uint8 pixels [B, channels, height, width] -> float32, less the mean, over the standard deviation."""

    def __init__(self, parts: Parts, device: torch.device) -> None:
        mean, std = (torch.tensor(v, device=device).view(1, -1, 1, 1) for v in (parts.mean, parts.std))
        self.scale = 1 / (255 * std)
        self.shift = -mean / std

    def __call__(self, pixels: Tensor) -> Tensor:
        return torch.addcmul(self.shift, pixels.float(), self.scale)


def _build(config: TrainConfig, device: torch.device) -> torch.nn.Module:
    """The network on its device, initialised on the CPU from the config's seed; torch's own state is left alone."""
    source = SOURCES[config.data.name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_key(config.seed, 0, "init"))
        model = config.model.build(source.channels, source.image_size, source.classes)
    return model.to(device).to(memory_format=_layout(config))


def _layout(config: TrainConfig) -> torch.memory_format:
    return torch.channels_last if config.channels_last else torch.contiguous_format


def _set_numerics(threads: int) -> None:
    """What the bits depend on; set before each use, because other runs share the process."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32
    torch.backends.cudnn.benchmark = False


@cache
def _keep_freed_memory() -> None:
    """Let glibc reuse what a batch has freed: by default each activation is mapped anew, and its pages fault anew."""
    M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h
    libc = ctypes.CDLL(None)
    if sys.platform == "linux" and hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def _generator(seed: int, epoch: int, purpose: str) -> torch.Generator:
    return torch.Generator().manual_seed(_key(seed, epoch, purpose))


def _key(seed: int, epoch: int, purpose: str) -> int:
    """63 bits that depend on all three."""
    digest = hashlib.sha256(f"{seed}/{epoch}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
