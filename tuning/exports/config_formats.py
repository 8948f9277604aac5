"""One of a study's best configs for other tools: JSON, the official scripts' command line, a trial of Optuna's."""

import json
from collections.abc import Mapping

from lt_core.value import unknown
from tuning.exports.official import command_line
from tuning.exports.origin import Origin
from tuning.reports.winners import Winner

ENDINGS = {"yaml": ".yaml", "json": ".json", "argparse": ".sh", "optuna": ".optuna.json"}


def ending(form: str) -> str:
    """How files of a format end; InputError for an unknown one."""
    if form not in ENDINGS:
        raise unknown("format", form, ENDINGS)
    return ENDINGS[form]


def text(winner: Winner, study: str, form: str) -> str:
    """A config in a format.

    yaml: as lt-tune train reads it, with where it comes from. json: the same config alone. argparse: a command line
    of the official scripts, or a sentence where they cannot say it. optuna: its params, as `study.enqueue_trial`
    takes them, and its score.
    """
    match form:
        case "yaml":
            return _head(winner, study) + winner.config.dump()
        case "json":
            return json.dumps(winner.config.plain(), indent=2) + "\n"
        case "argparse":
            return command_line(winner.config) + "\n"
        case _:
            return json.dumps(_optuna(winner, study), indent=2) + "\n"


def _head(winner: Winner, study: str) -> str:
    given = winner.run.params
    lines = [
        f"# {winner.config.method} on {given['dataset']}, {_imbalance(given)}: "
        f"trial {winner.trial} of study {study}, rank {winner.rank}",
        f"# score {winner.score!r} (best val accuracy), epoch {winner.best_epoch}",
        "# the same score again: lt-tune train THIS_FILE",
        Origin.of(winner, study).line(),
    ]
    return "".join(f"{line}\n" for line in lines)


def _imbalance(given: Mapping[str, str]) -> str:
    name = "imbalance" if "imbalance" in given else "majority_ratio"
    return f"{name.replace('_', ' ')} {given[name]}"


def _optuna(winner: Winner, study: str) -> dict[str, object]:
    """The values of the space's symbols that the config has, under the symbols' names."""
    origin = Origin.of(winner, study).plain()
    return {"params": dict(winner.settings), "value": winner.score, "direction": "maximize", "user_attrs": origin}
