"""The cells of a table as a stage: which trainings are wanted, in which order, until each cell has its seeds."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from search_spaces.ablation import SEARCH_SEED, Ablation, Training, chosen, competitions, trainings, winners
from search_spaces.table import Table
from tuning.engine.library import Library
from tuning.engine.trunks import Trunks
from tuning.log.events import Asked, History, Kind, StopReason, TrialRecord
from tuning.log.store import Store
from tuning.record.datasets import described
from tuning.record.identity import Identity, method_params, params


class CellStage:
    """Trains what a table lacks: first what others go on from, seed by seed; of competing configs, then the winner."""

    kind: Kind = "cell"

    def __init__(
        self, ablation: Ablation, table: Table, history: History, identity: Identity, library: Library, store: Store
    ) -> None:
        """library: what need not be trained; store: where trunks leave their states."""
        self._ablation, self._table, self._history, self._identity = ablation, table, history, identity
        self._store = store
        self._cells = [cell for cell in table.cells(ablation.edition) if cell.trains]
        self._trainings = trainings(ablation, table)
        self._competitions = competitions(chosen(ablation, table), table)
        configs = [training.config for training in self._trainings]
        ended = {trial.config.id for trial in history.of_kind("cell") if trial.stop_reason not in ("failed", "running")}
        others = [config for config in configs if config.id not in ended]
        known = library.at_hand(others, "cell", identity.tags, self.reads)
        self.trunks = Trunks(configs, ended | known, store.names())
        places = {config.id: place for place, config in enumerate(self.trunks.order)}
        self._pending = sorted(self._lacking(self._trainings), key=lambda training: places.get(training.config.id, -1))
        self._add_winners()

    @property
    def name(self) -> str:
        """The table's, and its edition's."""
        return f"{self._table.name}, {self._ablation.edition.name}"

    @property
    def epochs_pending(self) -> int:
        """Epochs of what is still to be asked for."""
        return sum(training.config.epochs for training in list(self._pending))

    @cached_property
    def reads(self) -> list[str]:
        """What the table reads of any training."""
        return self._table.reads(self._ablation.edition)

    @cached_property
    def params(self) -> list[str]:
        """The params of all the table's trainings, asked for or not: each run has them all, whatever comes later."""
        configs = {config.id: config for cell in self._cells for config in cell.configs.values()}
        return list(dict.fromkeys(name for config in configs.values() for name in method_params(config)))

    @cached_property
    def _served(self) -> dict[str, list[tuple[str, str]]]:
        """By a config's id on the first seed, the cells of the whole table that it stands in, or competes for."""
        found: dict[str, list[tuple[str, str]]] = {}
        for cell in self._cells:
            for config in cell.configs.values():
                found.setdefault(self._table.with_seed(config, SEARCH_SEED).id, []).append(cell.key)
        return found

    def _serving(self, training: Training) -> Training:
        """A training with all cells that it serves, whatever rows and columns are asked for; a winner, those it won."""
        if training.config.seed != SEARCH_SEED and self._competitions:
            return training
        cells = self._served[self._table.with_seed(training.config, SEARCH_SEED).id]
        return replace(training, cells=tuple(cells))

    @property
    def over(self) -> bool:
        """Whether all is asked for, and no competition is open."""
        return not self._pending and not self._open

    def propose(self, number: int) -> Sequence[Asked]:
        """The first training whose trunk, if it has one, is there; none while all wait for theirs."""
        if self._open:
            self._add_winners()
        ready = next((training for training in self._pending if self._is_ready(training)), None)
        if ready is None:
            return []
        self._pending.remove(ready)
        return [self._asked(number, ready)]

    def told(self, trial: TrialRecord) -> None:
        """What follows is proposed next."""

    def verdict(self, trial: TrialRecord) -> StopReason | None:
        """None: a table has whole trainings."""
        return None

    def _add_winners(self) -> None:
        seeds = self._ablation.seeds or self._table.seeds
        found, self._open = winners(self._competitions, self._table, seeds, self._scores())
        known = {training.config.id for training in self._pending}
        self._pending += [one for one in self._lacking(found) if one.config.id not in known]

    def _scores(self) -> dict[str, float | None]:
        """The scores of the configs that have competed, by id; None of those that failed or diverged.

        What is trained, or waits for it, has not competed, nor has what failed and is tried again.
        """
        trials = self._history.of_kind("cell")
        ended = {t.config.id: t.score if t.stop_reason == "finished" else None for t in trials if t.told is not None}
        open_ = {t.config.id for t in trials if t.told is None} | {t.config.id for t in self._pending}
        return {config_id: score for config_id, score in ended.items() if config_id not in open_}

    def _lacking(self, wanted: Sequence[Training]) -> list[Training]:
        """What was not asked for yet, or failed: an error may have been the machine's."""
        known = {t.asked.tags["lt.config_id"] for t in self._history.of_kind("cell") if t.stop_reason != "failed"}
        return [training for training in wanted if training.config.id not in known]

    def _is_ready(self, training: Training) -> bool:
        """Whether what a training goes on from has come so far, or has ended without."""
        trunk = self.trunks.trunk_of(training.config.id)
        if trunk is None:
            return True
        donor = self._history.asked_for("cell", trunk.config.id)
        if donor is None:
            return trunk.config.id not in {waiting.config.id for waiting in self._pending}
        return donor.told is not None or len(donor.epochs) >= trunk.epochs

    def _asked(self, number: int, training: Training) -> Asked:
        config, training = training.config, self._serving(training)
        tags = self._identity.tags(config)
        new = [] if tags["lt.data_id"] in self._history.described else [config.data]
        own = dict.fromkeys(self.params, "none") | method_params(config)
        trunk = self.trunks.trunk_of(config.id)
        return Asked(
            trial=number,
            kind="cell",
            role=role(training),
            settings={},
            config=config.plain(),
            params={**own, **params(config)},
            tags={
                **tags,
                "lt.role": "candidate" if training.candidate else "none",
                "lt.cells": json.dumps([list(key) for key in training.cells]),
                **({"lt.trunk": f"{trunk.id}@{trunk.epochs}"} if trunk and self._store.exists(trunk.name) else {}),
            },
            reads=self.reads,
            datasets=described(new, self._identity.root),
        )


def role(training: Training) -> str:
    """A training's short name in a list of runs: its row, or rows, and its column where it serves one alone."""
    rows = list(dict.fromkeys(row for row, _ in training.cells))
    columns = list(dict.fromkeys(column for _, column in training.cells))
    where = columns[0] if len(columns) == 1 else f"{len(columns)} columns"
    which = f" ({training.candidate})" if training.candidate else ""
    return f"{', '.join(rows)}{which}, {where}, seed {training.config.seed}"
