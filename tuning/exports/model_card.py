"""The model card of an exported model, in Markdown: what it is for, what it was trained on, how well it does and where
it fails, how it was chosen. After Mitchell et al., Model Cards for Model Reporting, FAT* 2019.

Every number is read off the run or measured; nothing is judged here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lt_core import __version__
from lt_core.metrics import Evaluated, measures
from lt_core.sources import SOURCES
from lt_core.train import Run
from tuning.exports.program import About
from tuning.reports.grid import Grid

RESEARCH_ONLY = "non-commercial research and education only"
LICENCES = {
    "digits": "CC BY 4.0, as the UCI repository lists it (Alpaydin and Kaynak, 1998)",
    "mnist": "CC BY-SA 3.0 (LeCun and Cortes)",
    "mnist-4-9": "CC BY-SA 3.0 (LeCun and Cortes)",
    "cifar10": "none stated by its author, who asks to cite Krizhevsky, 2009",
    "cifar100": "none stated by its author, who asks to cite Krizhevsky, 2009",
    "tiny-imagenet": f"ImageNet's terms of access: {RESEARCH_ONLY}",
    "imagenet": f"ImageNet's terms of access: {RESEARCH_ONLY}",
    "imagenet-lt": f"ImageNet's terms of access: {RESEARCH_ONLY}",
    "inaturalist2017": f"the competition's terms of use: {RESEARCH_ONLY}",
    "inaturalist2018": f"the competition's terms of use: {RESEARCH_ONLY}",
}
UNKNOWN_LICENCE = "not known to lt-tune: ask whoever owns the images"
GROUPS = {
    "acc": "all images",
    "acc_macro": "mean over classes",
    "acc_worst": "worst class",
    "acc_head": "head: the largest third of the classes",
    "acc_tail": "tail: the smallest third of the classes",
    "acc_many": "many-shot classes",
    "acc_medium": "medium-shot classes",
    "acc_few": "few-shot classes",
    "recall_macro[majority]": "majority classes",
    "recall_macro[minority]": "minority classes",
}
SIZINGS = {
    "exact": "that size exactly; others are to be resized before",
    "squeezed": "any size, squeezed to a square",
    "centre": "any size; the shorter side is resized to 8/7 of it, then the centre is taken",
    "clip": "clips of 10 frames, each the centre of a frame, resized; blue first, as cv2 reads them",
}


@dataclass(frozen=True)
class Chosen:
    """How a config was chosen: sentences on its search, and on its confirmation where there was one."""

    study: str
    searched: str
    confirmed: str


def model_card(run: Run, about: About, test: Evaluated, chosen: Chosen) -> str:
    """The card of the network of a run's best validation epoch; `test` is what it does on the test part."""
    found = measures(test, run.parts.class_counts, run.config.evaluation.groups)
    sections = {
        "The model": _model(run, about),
        "Intended use": _intended_use(run),
        "How it was chosen": [chosen.searched, chosen.confirmed],
        "Data": _data(run),
        "Metrics": _metrics(run, test, found),
        "Classes": [_classes(run, test)],
        "Limits": [_bullets(_limits(run, test, found))],
    }
    title = f"# {run.config.method} on {_data_name(run)}, study {chosen.study}"
    return "\n\n".join([title, *(block for head, body in sections.items() for block in (f"## {head}", *body))]) + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    cells = list(rows)
    return Grid("", heads, cells, len(cells)).markdown()


def licence(dataset: str) -> str:
    """The licence of a dataset's images, as far as it is known."""
    return LICENCES.get(dataset, UNKNOWN_LICENCE)


def _model(run: Run, about: About) -> list[str]:
    parameters = sum(p.numel() for p in run.model.parameters())
    channels = "RGB" if about.channels == 3 else "greyscale"
    facts = {
        "network": f"{run.config.model.kind}, {parameters:,} parameters",
        "method": f"{run.config.method}; {len(run.config.used_phases)} phase(s), {run.config.epochs} epochs",
        "takes": f"uint8 [N, {', '.join(map(str, about.shape))}], {channels}, 0 to 255; it normalises them itself",
        "images": f"{about.image_size} x {about.image_size}: {SIZINGS[about.sizing]}",
        "gives": f"float32 [N, {len(about.classes)}], probabilities (softmax) in the order of the classes below",
        "weights": f"of epoch {_epoch(run)}",
        "config": f"{run.config.id}; data {run.parts.id}; the whole of it is in best.yaml",
        "made by": f"lt-tune {__version__}",
    }
    return [table(["", ""], list(facts.items()))]


def _epoch(run: Run) -> str:
    best = run.history[-1].best_epoch
    which = f"{best} of {run.config.epochs}, the best on the validation images"
    return which if best is not None else f"{run.epoch}, the last"


def _intended_use(run: Run) -> list[str]:
    kind = "clips" if run.config.model.clips else "images"
    return [
        f"Research on class imbalance, and classifying {kind} that come from where its training images came from into "
        f"the {run.parts.classes} classes below. Each of its answers is one of these classes, whatever it is shown.",
        "Not for decisions about people, nor for images of another origin, without an evaluation of one's own.",
    ]


def _data_name(run: Run) -> str:
    data = run.config.data
    if data.profile == "natural":
        return f"{data.path or data.name}, natural counts"
    return f"{data.path or data.name}, imbalance {data.imbalance:g} ({data.profile})"


def _data(run: Run) -> list[str]:
    data, parts, counts = run.config.data, run.parts, run.parts.class_counts
    sizes = {"training": parts.train, "validation": parts.val, "test": parts.test}
    if parts.meta is not parts.val and len(parts.meta):
        sizes["meta"] = parts.meta
    images = ", ".join(f"{len(part):,} {name}" for name, part in sizes.items())
    about = "The user's own images" if data.path else SOURCES[data.name].about
    return [
        f"{_data_name(run)}. {about}.",
        f"Images: {images}. The largest class has {max(counts):,} training images, the smallest {min(counts):,}; the "
        f"largest over the smallest is {max(counts) / max(1, min(counts)):.4g}. The counts of each class are below.",
        f"Licence of the images: {licence(data.name)}.",
    ]


def _metrics(run: Run, test: Evaluated, found: Mapping[str, float]) -> list[str]:
    rows = [(words, f"{found[name]:.4f}") for name, words in GROUPS.items() if name in found]
    rows += [("among the 5 likeliest", f"{found['top5']:.4f}")] if "top5" in found else []
    rows += [("expected calibration error (15 bins)", f"{test.ece:.4f}")]
    groups = run.config.evaluation.groups
    shots = f"Many-shot classes have more than {groups.many} training images, few-shot ones fewer than {groups.few}"
    majority = f", majority classes {groups.majority} or more" if groups.majority else ""
    return [
        f"Of this very model, on {int(test.confusion.sum()):,} test images, which chose nothing.{_on_val(run)}",
        table(["accuracy on test", "value"], rows),
        f"{shots}{majority}. One training: how much another seed changes is under How it was chosen.",
    ]


def _on_val(run: Run) -> str:
    """What it has on the images that chose it."""
    last = run.history[-1]
    if last.score is None or last.best_epoch is None:
        return ""
    micro = run.history[last.best_epoch - 1].val["acc"] == last.score
    what = "it has" if micro else "its mean over classes is"
    return f" On the validation images, which chose it, {what} {last.score:.4f}."


def _classes(run: Run, test: Evaluated) -> str:
    confusion = test.confusion
    rows = []
    for c, name in enumerate(run.parts.class_names):
        images, predicted, hits = int(confusion[c].sum()), int(confusion[:, c].sum()), int(confusion[c, c])
        recall = f"{hits / images:.4f}" if images else ""
        precision = f"{hits / predicted:.4f}" if predicted else ""
        rows.append((name, f"{run.parts.class_counts[c]:,}", f"{images:,}", recall, precision))
    return table(["class", "training images", "test images", "accuracy (recall)", "precision"], rows)


def _limits(run: Run, test: Evaluated, found: Mapping[str, float]) -> Iterable[str]:
    names, counts = run.parts.class_names, run.parts.class_counts
    recall = test.confusion.diagonal() / test.confusion.sum(1).clamp_min(1)
    tested = [c for c in range(len(names)) if test.confusion[c].sum()]
    worst = min(tested, key=lambda c: float(recall[c]))
    yield (
        f"It was trained on few images of some classes ({names[counts.index(min(counts))]}: {min(counts):,}). The "
        f"worst class on test is {names[worst]}, {recall[worst]:.4f}, with {counts[worst]:,} training images."
    )
    if "acc_head" in found and "acc_tail" in found:
        gap = 100 * (found["acc_head"] - found["acc_tail"])
        yield f"Head less tail: {gap:+.1f} points of test accuracy. Its errors are not spread evenly over the classes."
    yield "Its probabilities were not calibrated; losses and class weights that favour rare classes shift them."
    if run.config.precision == "bf16":
        yield "It was trained and chosen in bf16; the exported program runs in float32."
    if run.config.data.canonical().normalise_test is not None:
        yield "Its study normalised test images otherwise than training images, as a paper's code does; it does not."
    yield "Whether it does as well on images of another origin was not measured."


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)
