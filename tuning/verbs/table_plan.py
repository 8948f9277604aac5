"""`lt-tune ablate --plan`: what a table would cost on this machine, printed."""

import json
from dataclasses import replace

from rich.console import Console

from search_spaces.ablation import Ablation
from tuning.engine.capacity import device_share, held, slots, too_big
from tuning.engine.core import table_of_another_core
from tuning.engine.library import Library
from tuning.log.events import TableFolder
from tuning.shell.home import Home
from tuning.tables.plan import planned


def show(ablation: Ablation, home: Home, address: str | None, as_json: bool) -> int:
    """Print what a table would cost on this machine. Trains nothing, and needs none of its data."""
    at_a_time = slots(ablation if address else held(ablation))
    found = planned(ablation, Library(home.path), home, device_share(ablation), at_a_time)
    if address is None and (lacking := too_big(ablation)):
        found = replace(found, lacking=(*found.lacking, f"{lacking}: it needs the --address of a cluster"))
    found = replace(found, refused=table_of_another_core(TableFolder(home.path, ablation.name)))
    if as_json:
        print(json.dumps(found.document(), indent=2))
    else:
        Console().print(found.grid().rich())
    return 0
