"""Run, the state of one training, stepped one epoch at a time; fit(), the generator of its epoch results.

Not here: ray, mlflow, printing. Every draw comes from a CPU generator keyed by (seed, epoch, purpose), so that a run
that was saved, moved and loaded is the run that was never interrupted.
"""

import copy
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from lt_core.batches import Batches
from lt_core.config import TrainConfig, prefix_id
from lt_core.data import Parts, load_parts
from lt_core.draws import class_balanced, generator, instance_balanced, key
from lt_core.images import Part
from lt_core.influence import influence
from lt_core.losses import Given
from lt_core.meta import NoReweighting, Parameters, Reweighter
from lt_core.metrics import Evaluated, accuracies, evaluated
from lt_core.models import Outputs
from lt_core.normalisation import Normalise
from lt_core.numerics import keep_freed_memory, set_numerics
from lt_core.objective import Objective
from lt_core.phases import Phase
from lt_core.posthoc import NoPostHoc, PostHoc
from lt_core.predictor import Predictor, evaluated_logits
from lt_core.value import InputError
from lt_core.weights import ClassDifficulty

EVALUATION_BATCH = 500


@dataclass(frozen=True)
class EpochResult:
    """One epoch: `val` holds accuracies in [0, 1] by name (empty without val images).

    score: the best accuracy on val over the epochs of the last phase so far, None before that phase and without val;
        the macro accuracy where the classes of val are not of equal size.
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
    """The state of one training. `history` holds the results of the epochs done, `test_series` their test accuracies.

    test_series is empty unless the config asks for `evaluation.test_every_epoch`.
    """

    def __init__(self, config: TrainConfig, root: Path | None = None, device: str = "cpu", threads: int = 1) -> None:
        keep_freed_memory()
        self.config = config
        self.device = torch.device(device)
        self.threads = threads
        self.history: list[EpochResult] = []
        self.test_series: list[float] = []
        self.parts = load_parts(config.data, root)
        self._meta, self._val, self._test = (
            part.to(self.device) for part in (self.parts.meta, self.parts.val, self.parts.test)
        )
        self._workers = threads if config.data.streams and threads > 1 else 0
        self._batches = Batches(self.parts.train.to(self.device), config.data.augment, self._workers)
        self._meta_batches = Batches(self._meta, config.data.augment) if len(self._meta) else None
        self._chosen_by = {"best_val": "acc"}
        if not _balanced(self.parts.val):  # then the macro accuracy chooses; papers choose by the micro one, too
            self._chosen_by = {"best_val": "acc_macro", "best_val_micro": "acc"}
        self._counts = torch.tensor(self.parts.class_counts, dtype=torch.float32, device=self.device)
        self._normalise, self._normalise_test = (
            Normalise(by, 5 if config.model.clips else 4).to(self.device)
            for by in (self.parts.normalise, self.parts.normalise_test)
        )
        self.model = _build(config, self.parts, root, self.device)
        self._class_accuracy: Tensor | None = None  # [C], on the meta part after the last epoch
        self._best_models: dict[str, dict[str, Tensor]] = {}  # by what chose them
        self._best_test: Evaluated | None = None
        self._check_parts()
        self._begin()

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
        set_numerics(self.threads)
        number = self.epoch + 1
        loss = self._train_epoch(number)
        val, finite = self._after_epoch()
        diverged = not (math.isfinite(loss) and finite)
        score, best_epoch = self._keep_best(number, {} if diverged else val)
        seconds = time.perf_counter() - started
        result = EpochResult(number, loss, self.config.learning_rate(number), seconds, val, score, best_epoch, diverged)
        self.history.append(result)
        return result

    def test(self, found: Mapping[str, Evaluated] | None = None) -> dict[str, float]:
        """What the test part gives, by name, for the epochs that a paper may report; evaluated now, or as given.

        test_acc: of the best validation epoch (of the last where there is no val). test_acc_last: of the last.
        Where the macro accuracy chooses also test_acc_macro, and test_acc_best_val_micro of the epoch that is best by
        the micro accuracy.
        With `evaluation.top5` also test_top5, with `evaluation.test_every_epoch` test_acc_best_test, best_test_epoch.
        """
        found = found or self.evaluations()
        chosen = found.get("best_val", found["last"])
        named = {"test_acc": chosen.accuracy}
        named |= {f"test_acc_{name}": each.accuracy for name, each in found.items() if name != "best_val"}
        if self._chosen_by["best_val"] == "acc_macro":
            named["test_acc_macro"] = accuracies(chosen.confusion, self.parts.class_counts)["acc_macro"]
        named |= self._top5("test_top5", chosen)
        if self._best_test is not None:
            named["best_test_epoch"] = self.test_series.index(self._best_test.accuracy) + 1
        return named

    def evaluations(self) -> dict[str, Evaluated]:
        """The test part by selection: `last`, `best_val` where there is val, `best_test` where the config asks for it.

        Where val is not balanced also `best_val_micro`: `best_val` is the best by the macro accuracy then. All but
        `best_test` are evaluated now; `metrics.measures` gives their values by name.
        """
        set_numerics(self.threads)
        found = {"last": self._evaluated(self._test)}
        trained = copy.deepcopy(self.model.state_dict())
        distinct = {id(best): best for best in self._best_models.values()}  # one network may be the best by both
        by_network = {name: self._evaluated_with(best) for name, best in distinct.items()}
        found |= {selection: by_network[id(best)] for selection, best in self._best_models.items()}
        self.model.load_state_dict(trained)
        return found if self._best_test is None else {**found, "best_test": self._best_test}

    def _evaluated_with(self, parameters: dict[str, Tensor]) -> Evaluated:
        self.model.load_state_dict(parameters)
        return self._evaluated(self._test)

    def influences(self) -> Tensor:
        """IB's influence [N] of every training image on the network as it is, without augmentation (figure 2)."""
        batches = self.parts.train.to(self.device).batches(EVALUATION_BATCH, self._workers)
        return influence(self.model, ((self._normalise(pixels), labels) for pixels, labels in batches))

    def predictor(self) -> Predictor:
        """The network of the best validation epoch (of the last where there is no val), as it is used: a copy.

        It normalises as val is normalised, also where the config normalises test otherwise, and runs in float32.
        """
        network = copy.deepcopy(self.model).to(memory_format=torch.contiguous_format)
        network.load_state_dict(self._best_models.get("best_val") or self.model.state_dict())
        loss, post_hoc = self.config.used_phases[-1][0].loss, self.config.evaluation.post_hoc
        normalise = copy.deepcopy(self._normalise)
        return Predictor(network, normalise, loss, post_hoc, self._counts).requires_grad_(False)

    def save(self, stream: IO[bytes]) -> None:
        """Write all that is needed to go on to a binary stream."""
        state = {
            "config_id": self.config.id,
            "data_id": self.parts.id,
            "model": self.model.state_dict(),
            "best_models": self._best_models,
            "optimizer": self._optimizer.state_dict(),
            "reweighter": self._reweighter.state_dict() if self._reweighter else None,
            "class_accuracy": self._class_accuracy,
            "test_series": self.test_series,
            "best_test": self._best_test and asdict(self._best_test),
            "history": [asdict(result) for result in self.history],
        }
        torch.save(state, stream)

    def load(self, stream: IO[bytes], trunk: TrainConfig | None = None) -> None:
        """Take over a saved state of the same config and data; InputError for another one's.

        trunk: the config whose state it is, where that is another one that is the same up to there (`prefix_id`).
        """
        state: dict[str, Any] = torch.load(stream, map_location="cpu", weights_only=True)
        for name, own in (("config_id", (trunk or self.config).id), ("data_id", self.parts.id)):
            if state[name] != own:
                raise InputError(f"the checkpoint's {name} is {state[name]}, but this run's is {own}")
        if trunk is not None:
            state = self._branched(state, trunk)
        self.history = [EpochResult(**result) for result in state["history"]]
        self._begin()
        for number in range(2, self.epoch + 1):
            self._start_phase(self.config.phase_at(number), self.config.phase_at(number - 1))
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._reweighter:
            self._reweighter.load_state_dict(state["reweighter"])
        self._class_accuracy = state["class_accuracy"]
        self._best_models = state["best_models"]
        self.test_series = state["test_series"]
        self._best_test = state["best_test"] and Evaluated(**state["best_test"])

    def _branched(self, state: dict[str, Any], trunk: TrainConfig) -> dict[str, Any]:
        """Another config's state as this one's, which chooses by the epochs of its own last phase alone."""
        done = len(state["history"])
        if prefix_id(trunk, done) != prefix_id(self.config, done):
            raise InputError(f"config {trunk.id} is not what this run, {self.config.id}, is up to epoch {done}")
        if done > self.config.used_phases[-1][0].start:
            raise InputError(f"a run may branch off before its last phase only, but {done} epochs are done")
        history = [{**result, "score": None, "best_epoch": None} for result in state["history"]]
        return {**state, "best_models": {}, "history": history}

    def train_batches(self, number: int) -> Iterator[tuple[Tensor, int]]:
        """Train an epoch (from 1) batch by batch: yields each batch's loss, a scalar on the device, and its size."""
        phase = self.config.phase_at(number)
        if number > 1:
            self._start_phase(phase, self.config.phase_at(number - 1))
        objective = self._objective(phase, number)
        order = _SAMPLERS[phase.sampler](self.parts.train.labels, self._draws(number, "order"))
        batches = self._batches.epoch(order, self.config.batch_size, self._draws(number, "augmentation"))
        steps = math.ceil(len(order) / self.config.batch_size)
        meta_draws = self._draws(number, "meta")
        self._set_mode(phase)
        for step, (pixels, labels) in enumerate(batches):
            rate = self._set_rate(number, step / steps)
            if self._reweighter:
                loss = self._reweighted(objective, self._normalise(pixels), labels, meta_draws, rate)
            else:
                loss = objective(self._outputs, self._normalise(pixels), labels)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            yield loss.detach(), len(labels)

    def _check_parts(self) -> None:
        """InputError where a part lacks what the config asks of it."""
        data = self.config.data
        if not len(self._test):
            raise InputError(f"data.test_fraction is 0, but {data.path or data.name} has no test images of its own")
        if _reads_difficulty(self.config):
            missing = (self._meta.labels.bincount(minlength=self.parts.classes) == 0).nonzero()
            if len(missing):
                name = self.parts.class_names[int(missing[0])]
                raise InputError(
                    f"data.meta_source is {data.meta_source}, which leaves class {name} without a meta image; "
                    "class_difficulty needs one of each class"
                )

    def _begin(self) -> None:
        """The first phase, as if nothing had been trained."""
        self._optimizer = self.config.optimizer.build(self.model)
        self._reweighter: Reweighter | None = None
        self._start_phase(self.config.phase_at(1), None)

    def _start_phase(self, phase: Phase, before: Phase | None) -> None:
        """What a phase changes when it begins: its own head and optimizer, what is trained, the sample weigher."""
        if phase is before:
            return
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(key(self.config.seed, phase.start, "phase"))
            if phase.restart and phase.restart.head:
                self._renew_head()
            reweighting = phase.reweighting
            if before is None or reweighting != before.reweighting:
                none = isinstance(reweighting, NoReweighting)
                self._reweighter = None if none else reweighting.build(self.device)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad = phase.train == "all" or name.startswith("classifier.")
        if phase.restart:
            self._optimizer = phase.restart.optimizer.build(self.model)

    def _renew_head(self) -> None:
        """Draw the classifier anew."""
        old: Any = self.model.classifier
        fresh = self.config.model.new_head(old.in_features, old.out_features)
        self.model.classifier = fresh.to(self.device)

    def _objective(self, phase: Phase, number: int) -> Objective:
        """What an epoch (from 1) minimises: the class weights may depend on the epoch before."""
        weights = phase.weights(self.parts.class_counts, self._class_accuracy).to(self.device, torch.float32)
        given = Given(self._counts, weights, self._draws(number, "mask"))
        return Objective(phase, given, self.config.data.mixup, self._draws(number, "mixup"))

    def _reweighted(
        self, objective: Objective, images: Tensor, labels: Tensor, meta_draws: torch.Generator, rate: float
    ) -> Tensor:
        """The loss of a batch whose samples the reweighter weighs, sum of w_i * loss_i."""
        assert self._reweighter is not None
        meta_images, meta_labels = self._meta_batch(objective.phase, meta_draws)

        def losses(parameters: Parameters) -> Tensor:
            return objective.weighted(self._outputs(images, parameters), labels)

        def meta_loss(parameters: Parameters) -> Tensor:
            return F.cross_entropy(self._outputs(meta_images, parameters).logits, meta_labels)

        trained = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        weights = self._reweighter.weights(trained, losses, meta_loss, rate)
        return (weights * objective.weighted(self._outputs(images), labels)).sum()

    def _meta_batch(self, phase: Phase, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images, normalised, and labels of a meta batch, drawn without replacement."""
        assert self._meta_batches is not None and not isinstance(phase.reweighting, NoReweighting)
        order = torch.randperm(len(self._meta), generator=draws)[: phase.reweighting.batch_size]
        pixels, labels = next(self._meta_batches.epoch(order, len(order), draws))
        return self._normalise(pixels), labels

    def _set_mode(self, phase: Phase) -> None:
        """Training mode for what is trained; the rest, its batch statistics included, stays as it is."""
        self.model.train(phase.train == "all")
        self.model.classifier.train()

    def _set_rate(self, number: int, done: float) -> float:
        """Set the learning rate of an epoch (from 1) of which a share `done` of the steps is behind."""
        rate = self.config.learning_rate(number, done)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _draws(self, number: int, purpose: str) -> torch.Generator:
        return generator(self.config.seed, number, purpose)

    def _train_epoch(self, number: int) -> float:
        """The mean training loss of an epoch, each batch by its size; one synchronisation with the device."""
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for loss, size in self.train_batches(number):
            total += loss * size
        return total.item() / len(self.parts.train)

    def _outputs(self, images: Tensor, parameters: Parameters | None = None) -> Outputs:
        """Outputs in float32, whatever precision the network runs in.

        parameters: stand in for the network's own; its batch statistics are then left alone.
        """
        x = images.contiguous(memory_format=_layout(self.config))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            if parameters is None:
                outputs = self.model(x)
            else:
                buffers = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
                outputs = functional_call(self.model, {**parameters, **buffers}, (x,))
        return Outputs(*(tensor.float() for tensor in outputs))

    def _after_epoch(self) -> tuple[dict[str, float], bool]:
        """Evaluate val, and meta and test where the config asks for it: accuracies on val, all finite or not."""
        val = self._evaluated(self._val) if len(self._val) else None
        if _reads_difficulty(self.config):  # by the network's own logits: a step of evaluation changes no training
            plain = isinstance(self.config.evaluation.post_hoc, NoPostHoc)
            on_val = val if plain and self.config.data.meta_source == "val" else None
            confusion = (on_val or self._evaluated(self._meta, NoPostHoc())).confusion
            self._class_accuracy = confusion.diagonal().double() / confusion.sum(1)
        if self.config.evaluation.test_every_epoch:
            self._note_test(self._evaluated(self._test))
        if val is None:
            return {}, True
        found = accuracies(val.confusion, self.parts.class_counts, self.config.evaluation.groups)
        return {**found, **self._top5("top5", val)}, val.finite

    def _top5(self, name: str, found: Evaluated) -> dict[str, float]:
        """The top-5 accuracy by name, where the config asks for it."""
        return {name: found.top5} if self.config.evaluation.top5 and found.top5 is not None else {}

    def _note_test(self, found: Evaluated) -> None:
        """Keep the test accuracy of an epoch, and all of it where it is the best so far."""
        if not self.test_series or found.accuracy > max(self.test_series):
            self._best_test = found
        self.test_series.append(found.accuracy)

    @torch.no_grad()
    def _evaluated(self, part: Part, post_hoc: PostHoc | None = None) -> Evaluated:
        """The network in evaluation mode on a part, by the config's own step on the logits unless another is given."""
        self.model.eval()
        normalise = self._normalise_test if part is self._test else self._normalise
        step, loss = post_hoc or self.config.evaluation.post_hoc, self.config.used_phases[-1][0].loss
        head = self.model.classifier
        size = self.config.batch_size if self.config.model.clips else EVALUATION_BATCH
        logits = (
            (evaluated_logits(loss, step, self._outputs(normalise(pixels)), head, self._counts), labels)
            for pixels, labels in part.batches(size, self._workers)
        )
        return evaluated(logits, self.parts.classes)

    def _keep_best(self, number: int, val: dict[str, float]) -> tuple[float | None, int | None]:
        """Keep the network where it is the best on val since the last phase began: the score so far, and its epoch."""
        improved = self._improved(number, val)
        state = copy.deepcopy(self.model.state_dict()) if improved else {}
        for selection in improved:
            self._best_models[selection] = state
        if "best_val" in improved:
            return val[self._chosen_by["best_val"]], number
        return (self.history[-1].score, self.history[-1].best_epoch) if self.history else (None, None)

    def _improved(self, number: int, val: dict[str, float]) -> list[str]:
        """By what an epoch is better than all others of the last phase; by nothing before it, and without val."""
        start = self.config.used_phases[-1][0].start
        if not val or number <= start:
            return []
        rivals = self.history[start:]
        return [s for s, name in self._chosen_by.items() if all(val[name] > rival.val[name] for rival in rivals)]


_SAMPLERS = {"instance": instance_balanced, "class_balanced": class_balanced}


def _build(config: TrainConfig, parts: Parts, root: Path | None, device: torch.device) -> Any:
    """The network on its device, initialised on the CPU from the config's seed; torch's own state is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(key(config.seed, 0, "init"))
        model = config.model.build(parts.channels, parts.image_size, parts.classes, root)
    return model.to(device).to(memory_format=_layout(config))


def _balanced(part: Part) -> bool:
    """Whether the classes of a part that it has are of equal size."""
    return len(set(part.labels.bincount().tolist())) <= 1


def _reads_difficulty(config: TrainConfig) -> bool:
    return any(isinstance(phase.weights, ClassDifficulty) for phase in config.phases)


def _layout(config: TrainConfig) -> torch.memory_format:
    return torch.channels_last if config.channels_last else torch.contiguous_format
