"""The README of an exported folder: what is in it, and the commands that use it."""

from collections.abc import Iterator

from tuning.exports.model_card import Chosen
from tuning.exports.program import ABOUT, About, has_onnx
from tuning.exports.registered import Registered
from tuning.exports.trained import Network
from tuning.reports.confirmation import diverging
from tuning.reports.grid import Grid
from tuning.reports.statistics import CONFIDENCE
from tuning.reports.winners import Winner, Winners, summary


def readme(found: Winners, trained: Network | None, registered: Registered | None, tracking_uri: str) -> str:
    """As Markdown. registered: the model's place in the record at a tracking URI."""
    best = found.best[0]
    blocks = [
        f"# {best.config.method} on {best.run.params['dataset']}: the best of study {found.study}",
        " ".join(_about(best)),
        "```\n" + "\n".join(_commands(best, trained)) + "\n```",
        _files(found, trained),
    ]
    if trained:
        about = About.of(trained.run)
        blocks += _with_torch(about)
        blocks += _with_mlflow(about, registered, tracking_uri) if registered else []
    return "\n\n".join(blocks) + "\n"


def chosen(found: Winners) -> Chosen:
    """How the best config was chosen, in sentences."""
    best = found.best[0]
    score = f"{best.score:.4f} of the validation images at epoch {best.best_epoch}, with seed {best.config.seed}"
    searched = (
        f"Trial {best.trial} of study {found.study} (space {found.experiment}) {_place(found)}. Its score is {score}. "
        "The same images chose it, so that this number flatters it."
    )
    return Chosen(found.study, searched, " ".join(_confirmed(best)))


def _place(found: Winners) -> str:
    """What made it the best."""
    within = f" within {' and '.join(found.constraints)}" if found.constraints else ""
    first = found.objectives[0]
    if found.by == "confirmed":
        return f"had the best mean score on fresh seeds of the configs that were confirmed{within}"
    if len(found.objectives) > 1:
        return f"is the best in {first} on the Pareto front of {', '.join(found.objectives)}{within}"
    return f"had the best {first} of all its trials of full length{within}"


def _about(best: Winner) -> Iterator[str]:
    yield f"Config {best.identity('config_id')}, score {best.score:.4f} in the search."
    yield from _confirmed(best)
    yield "All of it in numbers: scores.json. What it is good for and where it fails: model_card.md."


def _confirmed(best: Winner) -> Iterator[str]:
    """What the recipe came to on fresh seeds."""
    if best.diverged:
        yield diverging("It", best.diverged, len(best.fresh.get("score", {})))
    elif not best.fresh:
        yield "It was not trained again on fresh seeds."
    names = {"score": "validation accuracy", "test_acc": "test accuracy", "test_acc_macro": "macro test accuracy"}
    for metric, values in best.fresh.items():
        found = summary(values)
        interval = f", {CONFIDENCE:.0%} interval [{found['low']:.4f}, {found['high']:.4f}]" if "low" in found else ""
        yield f"On {len(values)} fresh seeds its {names[metric]} is {found['mean']:.4f} on average{interval}."


def _commands(best: Winner, trained: Network | None) -> Iterator[str]:
    yield f"lt-tune train best.yaml               # trains it again, to score {best.score:.4f}"
    if trained:
        yield "lt-tune predict . IMAGE_OR_FOLDER     # classifies images; --json, --top 5, --fit"
    yield "sha256sum --check SHA256SUMS          # whether the files are as they were written"


def _files(found: Winners, trained: Network | None) -> str:
    rows = [
        ("best.yaml" if winner.rank == 1 else f"{winner.name}.yaml", f"trial {winner.trial}, score {winner.score:.4f}")
        for winner in found.best
    ]
    if trained:
        rows += [("model.pt2", "the network of best.yaml as a program of torch.export")]
        rows += [("model.onnx", "the same as ONNX")] if has_onnx() else []
        rows += [("model_card.md", "what it is for, its data, its values by group and class, its limits")]
    rows += [("scores.json", "scores, fresh seeds with interval, test values, identities")]
    return Grid("", ("file", "what it is"), rows, len(rows)).markdown()


def _with_torch(about: About) -> list[str]:
    """How to use model.pt2 without lt-tune."""
    shape = ", ".join(map(str, about.shape))
    lines = [
        "import json, torch",
        f'extra = {{"{ABOUT}": ""}}',
        'program = torch.export.load("model.pt2", extra_files=extra).module()',
        f'classes = json.loads(extra["{ABOUT}"])["classes"]',
        f"probabilities = program(pixels)  # uint8 [N, {shape}] in 0..255 -> float32 [N, {len(about.classes)}]",
    ]
    onnx = "" if has_onnx() else " (model.onnx was not written: onnx and onnxscript were not installed.)"
    said = (
        f"With torch alone; N is free, the pixels are normalised inside. Of floats in [0, 1]: `(255 * x).byte()`.{onnx}"
    )
    return [said, "```python\n" + "\n".join(lines) + "\n```"]


def _with_mlflow(about: About, registered: Registered, tracking_uri: str) -> list[str]:
    """How to load and serve the registered model; lt-tune is not needed for it."""
    shape = ", ".join(map(str, about.shape))
    nested = f"{'[' * len(about.shape)}0, 255, ...{']' * len(about.shape)}"
    load = [
        "import mlflow",
        f'mlflow.set_tracking_uri("{tracking_uri}")',
        f'model = mlflow.pyfunc.load_model("{registered.uri}")  # or mlflow.pytorch.load_model',
        f"probabilities = model.predict(pixels)  # numpy uint8 [N, {shape}]",
        'classes = model.metadata.metadata["classes"]',
    ]
    serve = [
        f"export MLFLOW_TRACKING_URI='{tracking_uri}'",
        f"mlflow models serve -m {registered.uri} --env-manager local --port 5001",
        "curl http://127.0.0.1:5001/invocations -H 'Content-Type: application/json' \\",
        f"  -d '{{\"inputs\": [{nested}]}}'",
    ]
    return [
        f"In MLflow it is version {registered.version} of the model {registered.name}, alias {registered.alias} "
        f"({registered.why}). `models:/{registered.name}@champion` is the best so far.",
        "```python\n" + "\n".join(load) + "\n```",
        f"`inputs` are nested lists [N, {shape}] of whole numbers from 0 to 255; the answer is "
        f'`{{"predictions": [[probability of each class], ...]}}`, one list for each image.',
        "```\n" + "\n".join(serve) + "\n```",
    ]
