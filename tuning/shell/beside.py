"""A function computed in a process beside this one, which goes on meanwhile: to import something else, mostly."""

import multiprocessing
import pickle
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

T = TypeVar("T")


class Beside(Generic[T]):
    """A function's result, or its error, on its way; both are pickled. The process writes where this one does.

    To be made before this process has threads, of torch's for one: it forks.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        context = multiprocessing.get_context("fork")
        self._receiver, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=_send, args=(self._receiver, sender, function), daemon=True)
        self._process.start()
        sender.close()

    def result(self) -> T:
        """Wait for it. Raises what the function raised, RuntimeError where the process died."""
        try:
            found, error = pickle.loads(self._receiver.recv_bytes())
        except EOFError:
            self._process.join()
            raise RuntimeError(f"the process beside this one ended with exit code {self._process.exitcode}") from None
        if error is not None:
            raise error
        return found


def _send(receiver: Connection, sender: Connection, function: Callable[[], object]) -> None:
    receiver.close()  # else nothing would tell that nobody waits any more
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    answer = _answer(function)
    with suppress(BrokenPipeError):
        sender.send_bytes(answer)


def _answer(function: Callable[[], object]) -> bytes:
    """The result and the error, one of them None, pickled. An error has its traceback as a note."""
    try:
        return pickle.dumps((function(), None))
    except Exception as error:  # whatever it is, it is raised where the result is asked for
        error.add_note(traceback.format_exc())
        with suppress(Exception):  # some cannot be pickled, some not read back
            answer = pickle.dumps((None, error))
            pickle.loads(answer)
            return answer
        return pickle.dumps((None, RuntimeError(traceback.format_exc())))
