"""The verbs of `lt-tune`; each is a few lines over the modules that do the work, which are imported when it runs."""

import errno
import gc
import os
import sys
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from multiprocessing import get_all_start_methods
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tuning.record.runs import RecordedTable
    from tuning.shell.home import Home

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Search, ablate and compare long-tail losses on a laptop or a GPU cluster.",
)


def _say_version(asked: bool) -> None:
    if asked:
        from lt_core import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What stands before a verb."""


Texts = list[str] | None
HomeOption = Annotated[Path | None, typer.Option("--home", help="Where studies lie. [LT_HOME, or ./lt-runs]")]
UriOption = Annotated[
    str | None, typer.Option("--tracking-uri", help="MLflow. [MLFLOW_TRACKING_URI, or SQLite in the home]")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
SetOption = Annotated[Texts, typer.Option("--set", metavar="PATH=VALUE", help="Change the config.")]
ScaleOption = Annotated[float | None, typer.Option("--scale", help="Scale all that is measured in epochs.")]
EpochsOption = Annotated[int | None, typer.Option("--epochs", help="The same, to this many epochs.")]
SystemOption = Annotated[bool, typer.Option("--system-metrics", help="Record CPU, memory and GPU, too.")]
DASHBOARD = "http://127.0.0.1:8265"
DashboardOption = Annotated[str, typer.Option("--address", help="The cluster's dashboard.")]
DownloadOption = Annotated[bool, typer.Option("--download", help="Fetch the dataset into the data folder first.")]


def main() -> None:
    """The command `lt-tune`: exit code 0 done, 1 failed, 2 wrong input, 130 interrupted and resumable."""
    gc.set_threshold(100_000)  # imports make many objects and little garbage: looking for it took a sixth of a report
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        return int(app(sys.argv[1:] or ["--help"], standalone_mode=False) or 0)
    except (KeyboardInterrupt, typer.Abort):  # before or after what can go on, which says so itself
        typer.secho("interrupted", err=True)
        return 130
    except ConnectionError as error:
        typer.secho(f"error: {error}: a search goes on with --resume, others by the same command", fg="red", err=True)
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        said = (
            f"error: the disk is full ({error}): make room; a search goes on with --resume, others by the same command"
        )
        typer.secho(said, fg="red", err=True)
        return 1
    except Exception as error:
        mistake = _mistake(error)
        if not mistake:
            raise
        typer.secho(f"error: {mistake}", fg="red", err=True)
        return 2


def _mistake(error: Any) -> str:
    """What is wrong with the user's input, '' where an error is about something else."""
    if hasattr(error, "format_message"):  # of typer's parser, or click's with an older typer
        return " ".join(error.format_message().split()) + _refused(getattr(error, "param", None))
    from lt_core.value import InputError  # imports pydantic, which `--help` must not wait for

    return str(error) if isinstance(error, InputError) else ""


def _refused(option: Any) -> str:
    """What was given for an option, which typer's own sentences leave out."""
    arguments = [part for text in sys.argv[1:] for part in text.split("=", 1)]
    given = [value for name, value in pairwise(arguments) if option and name in option.opts]
    return f", but is {given[-1]}" if given else ""


@app.command()
def search(
    space: Annotated[str, typer.Argument(help="A shipped space, or a YAML file of a space or a study.")],
    name: Annotated[str | None, typer.Option(metavar="STUDY", help="The study's name. [SPACE-N]")] = None,
    trials: Annotated[int | None, typer.Option(help="How many trials.")] = None,
    per_branch: Annotated[int | None, typer.Option(help="Instead: trials for each label, a sampler each.")] = None,
    budget: Annotated[Texts, typer.Option(metavar="2h|9dh|99ep", help="End at this cost, if that is first.")] = None,
    concurrent: Annotated[int | None, typer.Option(help="Trials at a time. [as many as fit]")] = None,
    batch: Annotated[int | None, typer.Option(help="Ask for so many, wait for all: the same at any number.")] = None,
    sampler: Annotated[str | None, typer.Option(help="tpe, gp, cmaes, qmc, random or grid.")] = None,
    levels: Annotated[int | None, typer.Option(help="Values per number of a grid.")] = None,
    objectives: Annotated[str | None, typer.Option(metavar="score,val_acc_tail", help="The first is primary.")] = None,
    constraint: Annotated[Texts, typer.Option(metavar="val_acc_head>=0.7", help="What the best must keep to.")] = None,
    rungs: Annotated[str | None, typer.Option(help="none; 20,40; or phase:20,40 since a trial's switch.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the sampler.")] = None,
    confirm: Annotated[int | None, typer.Option(help="Fresh seeds for the best configs and their rivals.")] = None,
    confirm_top: Annotated[int | None, typer.Option(help="How many of the best configs.")] = None,
    confirm_full: Annotated[bool, typer.Option("--confirm-full", help="And the best without val images.")] = False,
    resample: Annotated[bool, typer.Option("--resample", help="Fresh seeds draw other images, too.")] = False,
    cpus: Annotated[float | None, typer.Option(help="Per trial.")] = None,
    gpus: Annotated[float | None, typer.Option(help="Per trial, 0.25 for four on one. [1 if there is any]")] = None,
    system_metrics: SystemOption = False,
    tries: Annotated[Texts, typer.Option("--try", metavar="T1=80,alpha=500", help="A point to try first.")] = None,
    fix: Annotated[Texts, typer.Option(metavar="T1=100", help="Fix a symbol.")] = None,
    ranges: Annotated[Texts, typer.Option("--range", metavar="alpha=100..1e4", help="Bound a symbol.")] = None,
    overrides: SetOption = None,
    scale: ScaleOption = None,
    epochs: EpochsOption = None,
    warm_start: Annotated[str | None, typer.Option(metavar="STUDY", help="Learn from a study of this home.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what it would cost; train nothing.")] = False,
    calibrate: Annotated[bool, typer.Option("--calibrate", help="Time two epochs for the plan.")] = False,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster: auto or HOST:PORT.")] = None,
    store: Annotated[str | None, typer.Option(help="Checkpoints: a folder or URI that all nodes reach.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a study.")] = False,
    download: DownloadOption = False,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    as_json: JsonOption = False,
) -> int:
    """Search a space: one study, then its best config confirmed on fresh seeds."""
    _quiet()
    from tuning.shell import arguments
    from tuning.shell.home import Home
    from tuning.verbs import asked, show

    fields = {
        "trials": trials,
        "per_branch": per_branch,
        "budget": arguments.budget(budget),
        "concurrent": concurrent,
        "batch": batch,
        "sampler": sampler,
        "levels": levels,
        "objectives": arguments.names(objectives),
        "constraints": arguments.constraints(constraint),
        "rungs": arguments.rungs(rungs),
        "seed": seed,
        "confirm": confirm,
        "confirm_top": confirm_top,
        "confirm_full": confirm_full or None,
        "resample": resample or None,
        "cpus": cpus,
        "gpus": gpus,
        "system_metrics": system_metrics or None,
        "first": arguments.points(tries),
    }
    fixed, bounds = arguments.assignments("--fix", fix), arguments.ranges(ranges)
    changes = asked.Changes(scale, epochs, arguments.assignments("--set", overrides), fixed, bounds, fields, warm_start)
    place = Home.at(home, tracking_uri)
    opened = asked.opened(place, space, changes, name, resume)
    if plan:
        return show.plan(*asked.plan(opened, calibrate, address), as_json)
    from tuning.verbs import studies

    outcome = studies.search(opened, address, store, download)
    return show.study(outcome, place, as_json)


@app.command()
def train(
    config: Annotated[str, typer.Argument(help="A shipped config, or a YAML file of one.")],
    overrides: SetOption = None,
    seed: Annotated[int | None, typer.Option(help="Of initialisation, order and augmentation.")] = None,
    scale: ScaleOption = None,
    epochs: EpochsOption = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads; the numbers may depend on them.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: cuda where there is one.")] = "auto",
    system_metrics: SystemOption = False,
    download: DownloadOption = False,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    as_json: JsonOption = False,
) -> int:
    """Train one config, recorded like any other run; the same command goes on after an interrupt."""
    _quiet()
    from tuning.engine import single
    from tuning.exports.origin import Origin, reproduction
    from tuning.shell import arguments
    from tuning.shell.home import Home
    from tuning.verbs import show

    changes = arguments.assignments("--set", overrides)
    resolved, experiment = single.resolve(config, changes, seed, scale, epochs)
    place = Home.at(home, tracking_uri)
    trial = single.train(place, resolved, config, experiment, device, threads, download, system_metrics)
    return show.run(trial, reproduction(Origin.of_file(Path(config)), trial), place, as_json)


@app.command()
def ablate(
    table: Annotated[str, typer.Argument(help="A paper's table or figure: ib2021/table2.")],
    rows: Annotated[str | None, typer.Option(metavar="A,B", help="Some of its rows. [all]")] = None,
    columns: Annotated[str | None, typer.Option(metavar="X,Y", help="Some of its columns. [all]")] = None,
    seeds: Annotated[int | None, typer.Option(help="How many. [as many as the table says]")] = None,
    recipe: Annotated[str, typer.Option(help="equal: one for all rows; reported: each row's own source's.")] = "equal",
    short: Annotated[bool, typer.Option("--short", help="By the table's short recipe.")] = False,
    on: Annotated[str | None, typer.Option(help="Other data: digits or mnist.")] = None,
    scale: ScaleOption = None,
    concurrent: Annotated[int | None, typer.Option(help="Trainings at a time. [as many as fit]")] = None,
    cpus: Annotated[float, typer.Option(help="Per training.")] = 1.0,
    gpus: Annotated[float | None, typer.Option(help="Per training. [1 if there is any]")] = None,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster: auto or HOST:PORT.")] = None,
    store: Annotated[str | None, typer.Option(help="Checkpoints: a folder or URI that all nodes reach.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what it would cost; train nothing.")] = False,
    system_metrics: SystemOption = False,
    download: DownloadOption = False,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    as_json: JsonOption = False,
) -> int:
    """Train what is missing of a paper's table; the same command goes on after an interrupt."""
    _quiet()
    from tuning.shell.home import Home
    from tuning.tables.asking import asked

    edition = {"recipe": recipe, "short": short, "on": on, "scale": 1.0 if scale is None else scale}
    resources = {"seeds": seeds, "concurrent": concurrent, "cpus": cpus, "gpus": gpus}
    resources |= {"system_metrics": system_metrics}
    ablation = asked(table, rows, columns, **edition, **resources)
    place = Home.at(home, tracking_uri)
    if plan:
        from tuning.verbs import table_plan

        return table_plan.show(ablation, place, address, as_json)
    from tuning.verbs import table_show
    from tuning.verbs.ablate import ablate

    return table_show.ablated(ablate(place, ablation, address, store, download=download), place, as_json)


@app.command()
def export(
    study: Annotated[str, typer.Argument(help="A study in the record.")],
    top: Annotated[int, typer.Option(min=1, help="How many configs.")] = 1,
    by: Annotated[str, typer.Option(help="score: the search's; confirmed: the mean score on fresh seeds.")] = "score",
    out: Annotated[Path | None, typer.Option(help="The folder to write to. [HOME/exports/STUDY]")] = None,
    model: Annotated[bool, typer.Option(help="The best config's model as well, trained again where need be.")] = True,
    register: Annotated[bool, typer.Option(help="Register the model in MLflow.")] = True,
    form: Annotated[str, typer.Option("--format", help="yaml; or json, argparse, optuna: the configs alone.")] = "yaml",
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: as recorded.")] = "auto",
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    as_json: JsonOption = False,
) -> int:
    """Write a study's best configs as files that `train` reruns to the same score, and the best one's model."""
    _quiet()
    from tuning.exports import export as writing
    from tuning.exports.exported import show
    from tuning.shell.home import Home

    place = Home.at(home, tracking_uri)
    folder = out or place.path / "exports" / study
    if form == "yaml":
        found = writing.export(place, study, top, folder, by=by, model=model, register=register, device=device)
    else:
        found = writing.export_configs(place.tracking_uri, study, top, folder, form, by)
    return show(found, as_json)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(metavar="EXPORT", help="What `export` wrote: the folder, or its model.pt2.")],
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.")],
    top: Annotated[int, typer.Option(min=1, help="How many of the likeliest classes.")] = 3,
    fit: Annotated[bool, typer.Option("--fit", help="Resize and convert images that are not as the model's.")] = False,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    as_json: JsonOption = False,
) -> int:
    """Classify images with an exported model, from its file alone."""
    from tuning.exports import predict as prediction

    return prediction.predict(model, images, top, fit, as_json)


@app.command()
def report(
    study: Annotated[str, typer.Argument(metavar="TABLE|STUDY", help="A paper's table, or a study in the record.")],
    kind: Annotated[str | None, typer.Option("--format", help="md, csv, latex or html. [the terminal's]")] = None,
    out: Annotated[Path | None, typer.Option(help="A folder for the report's files, of all formats or of one.")] = None,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    as_json: JsonOption = False,
) -> int:
    """A paper's table beside what was measured of it; or what a study found, what mattered and what it cost."""
    gc.disable()  # it has no garbage worth looking for, which takes a tenth of its time
    _quiet()
    from tuning.shell.home import Home

    place = Home.at(home, tracking_uri)
    if "/" in study:  # a table, then: studies have none in their names
        return _report_table(place, study, kind, out, as_json)
    from tuning.verbs import reporting

    return reporting.report(place, study, kind, out, as_json)


def _report_table(home: "Home", name: str, kind: str | None, out: Path | None, as_json: bool) -> int:
    """Report a table; what the record has of it is read beside, since MLflow takes as long to import as torch."""
    from tuning.shell.beside import Beside

    read = partial(_recorded_tables, home.tracking_uri, name)
    begun = {"mlflow", "torch"} & sys.modules.keys()  # nothing to gain, and threads, which no fork may have
    recorded = read if begun or "fork" not in get_all_start_methods() else Beside(read).result
    from tuning.verbs import table_reporting

    return table_reporting.report(home, name, kind, out, as_json, recorded)


def _recorded_tables(uri: str, name: str) -> "Sequence[RecordedTable]":
    from tuning.record.tables import recorded_tables

    return recorded_tables(uri, name)


@app.command()
def compare(
    names: Annotated[
        list[str], typer.Argument(metavar="A B ...", help="A study, a trial (demo-1/3), a config id, a file.")
    ],
    kind: Annotated[str | None, typer.Option("--format", help="md, csv, latex or html. [the terminal's]")] = None,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    as_json: JsonOption = False,
) -> int:
    """What differs between configs, and their results beside each other, paired over seeds."""
    _quiet()
    from tuning.shell.home import Home
    from tuning.verbs import reporting

    return reporting.compare(Home.at(home, tracking_uri), names, kind, as_json)


@app.command("show")
def show_(
    name: Annotated[
        str | None, typer.Argument(help="A config, space, table, dataset, loss ..., or a YAML file.")
    ] = None,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    as_json: JsonOption = False,
) -> int:
    """List what ships; or resolve a config, a space or a table, or a file of one's own; trains nothing."""
    from tuning.verbs import catalogue

    return catalogue.show(name, as_json)


@app.command("list")
def list_(home: HomeOption = None, tracking_uri: UriOption = None, as_json: JsonOption = False) -> int:
    """The studies and tables of this home, their state, and the command that goes on, or reports."""
    _quiet()
    from tuning.shell.home import Home
    from tuning.verbs import show

    return show.studies(Home.at(home, tracking_uri), as_json)


@app.command()
def sync(
    what: Annotated[str | None, typer.Argument(metavar="[STUDY|FILE]", help="[all logs of this home]")] = None,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    as_json: JsonOption = False,
) -> int:
    """Deliver to MLflow what could not be delivered, or was trained elsewhere: FILE is an events.jsonl."""
    _quiet()
    from tuning.record.sync import sync as deliver
    from tuning.shell.home import Home
    from tuning.verbs import show

    return show.synced(deliver(Home.at(home, tracking_uri), what), as_json)


@app.command()
def ui(
    study: Annotated[str | None, typer.Argument(help="[the newest]")] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the server.")] = 5000,
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    as_json: JsonOption = False,
) -> int:
    """The MLflow UI on the record, opened at a study, until Ctrl-C."""
    _quiet()
    from tuning.record import server
    from tuning.shell.home import Home

    return server.serve(Home.at(home, tracking_uri), study, port, browser, as_json)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def submit(
    context: typer.Context,
    address: DashboardOption = DASHBOARD,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    as_json: JsonOption = False,
) -> int:
    """Run a verb and its options as a job on a Ray cluster: lt-tune submit search SPACE ...

    Home and record are the job's, on its head; --json is not: what stands after -- is the job's alone.
    """
    _quiet()
    from tuning.verbs import jobs, show

    place = {"--home": home, "--tracking-uri": tracking_uri}
    given = [each for option, value in place.items() if value is not None for each in (option, str(value))]
    return show.submitted(jobs.submit(address, [*context.args, *given]), address, as_json)


@app.command()
def status(
    job: Annotated[str | None, typer.Argument(help="[all]")] = None,
    address: DashboardOption = DASHBOARD,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    as_json: JsonOption = False,
) -> int:
    """The jobs of a Ray cluster that `submit` started, the newest first."""
    _quiet()
    from tuning.verbs import jobs, show

    return show.jobs(jobs.status(address, job), as_json)


@app.command()
def logs(
    job: Annotated[str, typer.Argument()],
    follow: Annotated[bool, typer.Option("--follow", help="To its end.")] = False,
    address: DashboardOption = DASHBOARD,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    as_json: JsonOption = False,
) -> int:
    """What a job has printed."""
    _quiet()
    from tuning.verbs import jobs, show

    return show.logs(job, jobs.logs(address, job, follow), as_json)


@app.command()
def stop(
    job: Annotated[str, typer.Argument()],
    address: DashboardOption = DASHBOARD,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    as_json: JsonOption = False,
) -> int:
    """Interrupt a job, as Ctrl-C would; a search can go on afterwards."""
    _quiet()
    from tuning.verbs import jobs, show

    return show.jobs([jobs.stop(address, job)], as_json)


@app.command()
def doctor(
    address: Annotated[str | None, typer.Option(help="A running Ray cluster: auto or HOST:PORT.")] = None,
    store: Annotated[str | None, typer.Option(help="Checkpoints: a folder or URI that all nodes reach.")] = None,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    as_json: JsonOption = False,
) -> int:
    """Say what would fail before it does: exit code 1 when something would."""
    _quiet()
    from tuning.shell.home import Home
    from tuning.verbs import show
    from tuning.verbs.doctor import findings

    return show.findings(findings(Home.at(home, tracking_uri), address, store), as_json)


def _quiet() -> None:
    """Keep Ray's and MLflow's boxes, banners and telemetry away; before they are imported, which is when they look."""
    settings = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "1",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # Ray's snapshots are not used
    }
    for key, value in settings.items():
        os.environ.setdefault(key, value)


if __name__ == "__main__":
    main()
