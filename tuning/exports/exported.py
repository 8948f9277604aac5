"""What an export came to: its files and its model's place in MLflow, as a value and on the terminal."""

import json
import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tuning.exports.registered import Registered
from tuning.shell import commands


@dataclass(frozen=True)
class Exported:
    """The files written, the config files first, the model's place in MLflow, and what the user should know of it.

    failed: whether something that was asked for could not be done, which a note tells.
    """

    files: tuple[Path, ...]
    registered: Registered | None = None
    notes: tuple[str, ...] = ()
    failed: bool = False


def show(found: Exported, as_json: bool) -> int:
    """Print it, with the commands that use the files; gives the exit code."""
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    if as_json:
        registered = asdict(found.registered) | {"uri": found.registered.uri} if found.registered else None
        document = {"files": [str(path) for path in found.files], "registered": registered, "notes": found.notes}
        print(json.dumps(document, indent=2))
    else:
        _print(found)
    return 1 if found.failed else 0


def _print(found: Exported) -> None:
    for path in found.files:
        print(path)
    folder = shlex.quote(commands.short(found.files[0].parent))
    if found.files[0].suffix == ".yaml":
        print(f"train it again: lt-tune train {shlex.quote(commands.short(found.files[0]))}")
    if any(path.name == "model.pt2" for path in found.files):
        print(f"classify with it: lt-tune predict {folder} IMAGE_OR_FOLDER")
    if found.registered:
        print(f"in MLflow: {found.registered.uri}, {found.registered.alias} ({found.registered.why})")
