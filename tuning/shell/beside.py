"""A function computed in a process beside this one, which goes on meanwhile: to import something else, mostly."""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Beside(Generic[T]):
    """A function's result, or its error, on its way. Both must be picklable, and nothing of the process is seen here.

    To be made before this process starts threads: it forks.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        context = multiprocessing.get_context("fork")
        self._receiver, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=_send, args=(sender, function), daemon=True)  # ends with this one
        self._process.start()
        sender.close()

    def result(self) -> T:
        """Wait for it."""
        found, error = self._receiver.recv()
        if error is not None:
            raise error
        return found


def _send(sender: Connection, function: Callable[[], object]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    answer: tuple[Any, Exception | None]
    try:
        answer = function(), None
    except Exception as error:  # whatever it is, it is raised where the result is asked for
        answer = None, error
    sender.send(answer)
