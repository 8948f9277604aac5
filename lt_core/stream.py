"""A DataLoader behind an iterator: batches of pixels made one by one, in order, by worker processes or none."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lt_core.value import InputError


class _Made(Dataset[Tensor | InputError]):
    """What a function makes of 0 to length - 1."""

    def __init__(self, make: Callable[[int], Tensor], length: int) -> None:
        self.make, self.length = make, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, position: int) -> Tensor | InputError:
        try:
            return self.make(position)
        except InputError as error:  # as a value: a DataLoader would wrap its sentence in a worker's traceback
            return error


def stream(make: Callable[[int], Tensor], length: int, size: int, workers: int) -> Iterator[tuple[int, Tensor]]:
    """make(0), make(1), ... stacked, `size` at a time, each batch with its first position.

    What a position gives must depend on the position alone: then it does not depend on the number of workers.
    """
    if not length:
        return
    loader = DataLoader(
        _Made(make, length),
        batch_size=size,
        num_workers=workers,
        collate_fn=_stacked,
        generator=torch.Generator(),  # its own, lest it draws from torch's
    )
    at = 0
    for batch in loader:
        if isinstance(batch, InputError):
            raise batch
        yield at, batch
        at += len(batch)


def _stacked(made: list[Tensor | InputError]) -> Tensor | InputError:
    wrong = next((each for each in made if isinstance(each, InputError)), None)
    return wrong or torch.stack([each for each in made if isinstance(each, Tensor)])
