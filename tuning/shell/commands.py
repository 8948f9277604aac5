"""What to type next: commands that find the same home and record again. No secret stands in them."""

import shlex
import sys
from pathlib import Path

from search_spaces import SPACES
from search_spaces.ablation import Ablation
from tuning.log.events import StudyFolder
from tuning.shell.environment import versions
from tuning.shell.home import Home
from tuning.shell.uris import without_secrets


def typed() -> str:
    """The command that runs now."""
    return without_secrets(shlex.join(["lt-tune", *sys.argv[1:]]))


def origin(command: str, resume: str) -> str:
    """How something was made, as a sentence of Markdown."""
    again = f"; it goes on with `{resume}`" if resume else ""
    return f"Made by `{command}` with {versions()}{again}."


def resume(name: str, space: str, home: Home, address: str) -> str:
    """What goes on with a study, on the cluster at an address ('' for none)."""
    if space not in SPACES:  # it came from a file, which may have changed since
        space = shlex.quote(short(StudyFolder(home.path, name).study_file))
    return f"lt-tune search {space} --name {name} --resume{_address_option(address)}{_home_option(home)}"


def ablate(ablation: Ablation, home: Home, address: str) -> str:
    """What goes on with a table, on the cluster at an address ('' for none)."""
    options = [f"--recipe {ablation.recipe}"] if ablation.recipe != "equal" else []
    options += ["--short"] if ablation.short else []
    options += [f"--scale {ablation.scale:g}"] if ablation.scale != 1 else []
    options += [f"--on {ablation.on}"] if ablation.on else []
    for name, labels in (("rows", ablation.rows), ("columns", ablation.columns)):
        options += [f"--{name} {shlex.quote(','.join(labels))}"] if labels else []
    options += [f"--seeds {ablation.seeds}"] if ablation.seeds else []
    return " ".join(["lt-tune ablate", ablation.table, *options]) + _address_option(address) + _home_option(home)


def report(name: str, home: Home) -> str:
    """What reports a study or a table."""
    return f"lt-tune report {name}{_home_option(home)}"


def export(study: str, home: Home) -> str:
    """What writes the folder of a study's best config."""
    return f"lt-tune export {study}{_home_option(home)}"


def ui(home: Home) -> str:
    """What opens the record."""
    return f"lt-tune ui{_home_option(home)}"


def sync(study: str | None, home: Home) -> str:
    """What delivers a study, or all of a home, that the record lacks."""
    return f"lt-tune sync{f' {study}' if study else ''}{_home_option(home)}"


def _address_option(address: str) -> str:
    return f" --address {shlex.quote(address)}" if address else ""


def _home_option(home: Home) -> str:
    """The options that find this home and its record again."""
    elsewhere = "" if home.path == Path("lt-runs").absolute() else f" --home {shlex.quote(short(home.path))}"
    own_record = Home.at(home.path, None).tracking_uri == home.tracking_uri
    return elsewhere + ("" if own_record else f" --tracking-uri {shlex.quote(without_secrets(home.tracking_uri))}")


def short(path: Path) -> str:
    """Relative to the working directory where it lies below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
