"""What a table would cost, before it is run: trainings, those at hand, epochs, time. Needs none of its data."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lt_core.config import TrainConfig
from lt_core.sources import BY_HAND, SOURCES
from search_spaces.ablation import SEARCH_SEED, Ablation, chosen, trainings
from tuning.engine.library import Library
from tuning.engine.trunks import Trunks
from tuning.record.identity import Identity
from tuning.reports.grid import Grid
from tuning.reports.plan import hours
from tuning.shell.home import Home
from tuning.tables.asking import named_table
from tuning.tables.levels import levels_texts

FOLDERS = {  # in the data folder, of the datasets that torchvision reads
    "cifar10": "cifar-10-batches-py",
    "cifar100": "cifar-100-python",
    "mnist": "MNIST/raw",
    "mnist-4-9": "MNIST/raw",
}


@dataclass(frozen=True)
class TablePlan:
    """The cost of a table, as far as it can be told.

    trainings: of all that is asked for; at_hand: of them, those that need not be trained. epochs: of the others, but
    for those that they share (`shared_epochs`). seconds: of all these epochs; untimed: trainings nothing like which
    was timed here. share: the part of a device that a training has. lacking: data that are not at hand, in words.
    levels: of each kind of training, its phases, learning rates, epochs and steps. refused: why `ablate` would not
    train it now, and what to do, in words; '' where it would.
    """

    table: str
    edition: str
    trainings: int
    at_hand: int
    epochs: int
    shared_epochs: int
    seconds: float
    untimed: int
    share: float
    concurrent: int
    lacking: tuple[str, ...]
    levels: tuple[str, ...]
    refused: str = ""

    @property
    def device_hours(self) -> float | None:
        """Of all; None where the time of some is unknown."""
        return None if self.untimed else self.seconds * self.share / 3600

    @property
    def wall_hours(self) -> float | None:
        """The same with so many trainings at a time, without starting up."""
        return None if self.untimed else self.seconds / self.concurrent / 3600

    def document(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "device_hours": self.device_hours, "wall_hours": self.wall_hours}

    def grid(self) -> Grid:
        """As a table."""
        title = f"Plan of {self.table}, {self.edition} (nothing was trained)"
        return Grid(title, ["what", "how much"], list(self._rows()), 0, ("how much",))

    def _rows(self) -> Iterator[list[str]]:
        yield ["trainings", f"{self.trainings}, {self.at_hand} of them at hand"]
        yield ["epochs to train", f"{self.epochs}, and {self.shared_epochs} that trainings share"]
        yield ["time", f"{hours(self.wall_hours)}, {self.concurrent} at a time"]
        yield ["device hours", hours(self.device_hours)]
        if self.untimed and self.seconds:
            timed = hours(self.seconds * self.share / 3600)
            yield ["untimed", f"{self.untimed} trainings, nothing like which was timed here; the others: {timed}"]
        for text in self.levels:
            yield ["levels", text]
        for text in self.lacking:
            yield ["not at hand", text]
        if self.refused:
            yield ["refused", self.refused]


def planned(ablation: Ablation, library: Library, home: Home, share: float, concurrent: int) -> TablePlan:
    """The plan of a table; of competing configs, every winner is one that was not trained before."""
    table = named_table(ablation.table)
    first = [training.config for training in trainings(ablation, table)]
    known = library.at_hand(first, "cell", Identity(home.data).tags, table.reads(ablation.edition))
    missing = [config for config in first if config.id not in known]
    winners = [config for cell in chosen(ablation, table) if cell.best_of for config in list(cell.configs.values())[:1]]
    later = winners * (ablation.seeds or table.seeds)
    trunks = Trunks(missing)
    timed = [(_epochs(config, trunks), library.seconds_like(config)) for config in (*missing, *later)]
    return TablePlan(
        table=table.name,
        edition=ablation.edition.name,
        trainings=len(first) + len(later),
        at_hand=len(first) - len(missing),
        epochs=sum(epochs for epochs, _ in timed),
        shared_epochs=trunks.saved_epochs,
        seconds=sum(epochs * seconds for epochs, seconds in timed if seconds is not None),
        untimed=sum(seconds is None for _, seconds in timed),
        share=share,
        concurrent=concurrent,
        lacking=tuple(_lacking(first, home)),
        levels=tuple(levels_texts(config for config in first if config.seed == SEARCH_SEED)),
    )


def _epochs(config: TrainConfig, trunks: Trunks) -> int:
    trunk = trunks.trunk_of(config.id)
    return config.epochs - (trunk.epochs if trunk else 0)


def _lacking(configs: Sequence[TrainConfig], home: Home) -> Iterator[str]:
    """What is to be put where, of each dataset whose folder is not there; whether it is whole, training will tell."""
    for name in dict.fromkeys(config.data.name for config in configs):
        folder = FOLDERS.get(name, SOURCES[name].home)
        if folder and not (home.data / folder).is_dir():
            hint = BY_HAND.get(name, "`--download` fetches it, or set LT_DATA to the folder that holds it")
            yield f"dataset {name} is missing, no folder {home.data / folder}: {hint}"
