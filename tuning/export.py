"""Best configs -> YAML files that `lt-tune train` reruns to the same score."""

from itertools import islice
from pathlib import Path

from lt_core.value import InputError
from tuning.record import RecordedRun, finished_trials
from tuning.tracking import check_answers


def export(tracking_uri: str, study: str, top: int, out: Path) -> list[Path]:
    """Write the `top` best configs of a study in the record as best.yaml, best-2.yaml, ... with score and origin.

    InputError where the record has no such study, or none of its trials reached its full length.
    """
    check_answers(tracking_uri)
    best = list(islice(finished_trials(tracking_uri, study), top))
    if not best:
        raise InputError(f"study {study} has no trial of full length to export yet")
    try:
        out.mkdir(parents=True, exist_ok=True)
        return [_write(study, rank, run, out) for rank, run in enumerate(best, 1)]
    except OSError as error:
        raise InputError(f"--out {out} cannot be written: {error.strerror}") from None


def _write(study: str, rank: int, run: RecordedRun, out: Path) -> Path:
    path = out / ("best.yaml" if rank == 1 else f"best-{rank}.yaml")
    origin = f"trial {run.tags['lt.trial']} of study {study}, rank {rank}"
    lines = [
        f"{run.params['method']} on {run.params['dataset']}, imbalance {run.params['imbalance']}: {origin}",
        f"score {run.metrics['score']!r} (best val accuracy), epoch {run.metrics['best_epoch']:.0f}",
        f"config {run.tags['lt.config_id']}, data {run.tags['lt.data_id']}, core {run.tags['lt.core_id']}",
        f"numerics: {run.tags['lt.numerics']}; MLflow run {run.run_id}",
        "the same score again: lt-tune train THIS_FILE",
    ]
    header = "".join(f"# {line}\n" for line in lines)
    path.write_text(header + run.config.dump(), encoding="utf-8")
    return path
