"""Where things are: the home, the record, the data folder; reading the user's files."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lt_core.value import InputError, Value, line_of, read_yaml

V = TypeVar("V", bound=Value)

CLOSE_SECONDS = 60.0  # for the record to be written at the end
INTERRUPT_SECONDS = 4.0  # the same at Ctrl-C, which must end within 10 s


@dataclass(frozen=True)
class Home:
    """Where studies lie, the tracking URI, the data folder; all paths absolute."""

    path: Path
    tracking_uri: str
    data: Path

    @classmethod
    def at(cls, home: Path | None, tracking_uri: str | None) -> "Home":
        """From the options, or LT_HOME, MLFLOW_TRACKING_URI and LT_DATA, or their defaults."""
        path = (home or Path(os.environ.get("LT_HOME") or "lt-runs")).expanduser().absolute()
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"the home {path} cannot be made: {error.strerror}") from None
        uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{path / 'mlflow.db'}"
        return cls(path, uri, Path(os.environ.get("LT_DATA") or path / "data").expanduser().absolute())

    @property
    def artifacts(self) -> Path:
        """Where artifacts lie if no MLflow server keeps them."""
        return self.path / "artifacts"


def in_file(path: Path, error: InputError) -> InputError:
    """An error about what a YAML file holds, found after it was read, with the file and the line."""
    line = line_of(path.read_text(encoding="utf-8"), error.path)
    return InputError(f"{path}, line {line}: {error}", error.path)


def load_file(path: Path, kind: Callable[[object], type[V]]) -> V:
    """The value in a YAML file, of the kind that its plain data ask for; InputError names the file and the line."""
    try:
        text = path.read_text(encoding="utf-8")
        return kind(read_yaml(text)).load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except InputError as error:
        raise InputError(f"{path}, {error}") from None
