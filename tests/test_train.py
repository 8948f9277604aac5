import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from lt_core import SGD, Data, InputError, Run, SmallCNN, TrainConfig, fit, override
from lt_core.images import Images
from lt_core.losses import Loss
from lt_core.models import Model
from lt_core.weights import Weights

ROOT = Path(__file__).parent.parent
BASE = TrainConfig(
    data=Data(name="digits", imbalance=20, val_per_class=20),
    model=SmallCNN(),
    optimizer=SGD(lr=0.05, warmup_epochs=1),
    batch_size=32,
    epochs=3,
)
IB = {
    "start": 2,
    "loss": {"kind": "influence_balanced"},
    "weights": {"kind": "inverse_frequency"},
    "lr_scale": 0.01,
    "warmup": False,
}


def config(**changes: object) -> TrainConfig:
    return override(BASE, {path.replace("__", "."): new for path, new in changes.items()})


def small(**changes: object) -> TrainConfig:
    """242 images in 4 batches, 100 for val: enough to compare bits."""
    return config(data__imbalance=100, data__val_per_class=10, batch_size=64, **changes)


def kinds(union: Any) -> list[str]:
    return [cls().kind for cls in get_args(get_args(union)[0])]


def trained(config: TrainConfig, epochs: int | None = None, **settings: Any) -> Run:
    run = Run(config, **settings)
    while not run.finished and run.epoch != epochs:
        run.step()
    return run


def trained_on(run: Run) -> Run:
    while not run.finished:
        run.step()
    return run


def saved(run: Run) -> bytes:
    stream = io.BytesIO()
    run.save(stream)
    return stream.getvalue()


def state(data: bytes) -> dict[str, Any]:
    """All that a checkpoint holds, but for the seconds."""
    found = torch.load(io.BytesIO(data), weights_only=True)
    for result in found["history"]:
        del result["seconds"]
    return found


def same(a: Any, b: Any) -> bool:
    """Bit for bit."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def results(run: Run) -> list[Any]:
    return [replace(result, seconds=0) for result in run.history]


# --- it learns --------------------------------------------------------------------------------------


def test_plain_cross_entropy_learns_the_digits():
    run = trained(config(epochs=16))
    assert run.history[-1].score >= 0.88
    assert run.history[-1].train_loss < 0.5 * run.history[0].train_loss
    assert run.test()["test_acc"] > 0.8


def test_fit_yields_each_epoch_in_turn():
    history = list(fit(config()))
    assert [result.epoch for result in history] == [1, 2, 3]
    assert [result.lr for result in history] == [config().learning_rate(e) for e in (1, 2, 3)]
    assert all(result.seconds > 0 and not result.diverged for result in history)
    assert {"acc", "acc_macro", "acc_worst", "acc_head", "acc_tail"} <= set(history[0].val)


def test_fit_can_be_left_early():
    epochs = fit(config(epochs=1000))
    assert [next(epochs).epoch, next(epochs).epoch] == [1, 2]


def test_fit_tells_missing_data_before_it_trains(tmp_path):
    with pytest.raises(InputError, match=r"cifar10 is missing: no file .*cifar-10-batches-py"):
        fit(TrainConfig(data=Data(name="cifar10"), model=SmallCNN()), tmp_path)


@pytest.mark.parametrize("kind", kinds(Loss))
def test_every_loss_trains(kind):
    loss = {"kind": kind, "lambda": 0.05} if "equalization" in kind else {"kind": kind}
    head = "cosine" if kind == "ldam" else "linear"
    run = trained(config(model__head=head, phases=[{}, {"start": 2, "loss": loss, "lr_scale": 0.01}]))
    assert run.history[-1].score > 0.2
    assert run.history[-1].train_loss > 0 and not run.history[-1].diverged


@pytest.mark.parametrize("kind", kinds(Weights))
def test_every_weighting_trains(kind):
    run = trained(config(data__meta_source="val", phases=[{"weights": {"kind": kind}}]))
    assert run.history[-1].score > 0.25


@pytest.mark.parametrize("kind", [cls().kind for cls in get_args(get_args(Model)[0]) if not cls.clips])
def test_every_model_trains(kind):
    run = trained(small(model__kind=kind, epochs=2))
    assert run.history[1].train_loss < run.history[0].train_loss


def test_the_training_loss_is_the_mean_over_the_images():
    run = Run(config(optimizer__lr=1e-30, batch_size=7, phases=[{"weights": {"kind": "inverse_frequency"}}]))
    weights = config(phases=[{"weights": {"kind": "inverse_frequency"}}]).phases[0].weights(run.parts.class_counts)
    images = run.parts.train
    x = (images.pixels / 255 - run.parts.normalise.mean[0]) / run.parts.normalise.std[0]
    losses = torch.nn.functional.cross_entropy(run.model(x).logits, images.labels, reduction="none")
    expected = (weights[images.labels] * losses).mean().item()
    assert run.step().train_loss == pytest.approx(expected, rel=1e-4)


def test_every_epoch_draws_anew():
    run = trained(small(optimizer__lr=1e-30, data__augment="crop_flip"))
    assert len({result.train_loss for result in run.history}) == 3


def test_the_weights_follow_the_images_that_are_left():
    assert Run(config(data__imbalance=1, data__val_per_class=60)).parts.class_counts != (100,) * 10


# --- a run that was interrupted is the run that was not -----------------------------------------------

GO_ON = """
import sys, torch
from pathlib import Path
from lt_core import Run, TrainConfig
folder, threads = Path(sys.argv[1]), sys.argv[2]
torch.set_num_threads(int(threads))
for path in folder.glob("*-stopped-?"):
    kind = path.name.split("-")[0]
    run = Run(TrainConfig.load((folder / f"{kind}.yaml").read_text()))
    with path.open("rb") as stream:
        run.load(stream)
    for _ in run.epochs():
        pass
    with (folder / f"{path.name}-by-{threads}").open("wb") as stream:
        run.save(stream)
"""


def test_a_run_stopped_anywhere_goes_on_bit_for_bit_in_another_process(tmp_path):
    uninterrupted = {}
    for kind in ("resnet32", "small_cnn"):
        full = small(model__kind=kind, data__augment="crop_flip", phases=[{}, {**IB, "start": 1}])
        (tmp_path / f"{kind}.yaml").write_text(full.dump())
        uninterrupted[kind] = state(saved(trained(full)))
        for epoch in range(3):
            (tmp_path / f"{kind}-stopped-{epoch}").write_bytes(saved(trained(full, epoch)))
    others = [
        subprocess.Popen(
            [sys.executable, "-c", GO_ON, str(tmp_path), threads],
            env={**os.environ, "OMP_NUM_THREADS": threads, "PYTHONPATH": str(ROOT)},
        )
        for threads in ("1", "4")
    ]
    assert [other.wait(timeout=120) for other in others] == [0, 0]
    ended = {path.name: state(path.read_bytes()) for path in tmp_path.glob("*-by-*")}
    assert len(ended) == 2 * 3 * 2
    assert [n for n, found in ended.items() if not same(found, uninterrupted[n.split("-")[0]])] == []
    assert [result["epoch"] for result in uninterrupted["resnet32"]["history"]] == [1, 2, 3]


META = {"data__meta_source": "heldout", "data__meta_per_class": 3}
CRT = {"start": 2, "train": "classifier", "sampler": "class_balanced", "restart": {"optimizer": {"lr": 0.1}}}
GOES_ON = {
    "restart of the classifier": {"phases": [{}, CRT]},
    "deferred re-sampling": {"phases": [{}, {"start": 2, "sampler": "class_balanced"}]},
    "class difficulty": {
        "data__meta_source": "val",
        "phases": [{"weights": {"kind": "class_difficulty", "tau": {"kind": "paper"}}}],
    },
    "l2rw": {**META, "phases": [{"reweighting": {"kind": "l2rw"}}]},
    "meta-weight-net": {**META, "phases": [{"reweighting": {"kind": "meta_weight_net", "lr": 0.1}}]},
    "meta-weight-net in a second phase": {
        **META,
        "phases": [{}, {"start": 1, "reweighting": {"kind": "meta_weight_net", "lr": 0.1, "batch_size": 7}}],
    },
    "masks of equalization": {"phases": [{"loss": {"kind": "equalization", "lambda": 0.2}}]},
    "mixup": {"data__mixup": 0.4},
    "warm-up by step": {"optimizer__warmup": "per_step", "optimizer__warmup_epochs": 2},
    "test every epoch": {"evaluation__test_every_epoch": True},
}


@pytest.mark.parametrize("changes", GOES_ON.values(), ids=GOES_ON)
def test_whatever_a_phase_holds_a_saved_run_goes_on_bit_for_bit(changes):
    whole = trained(small(**changes))
    for epoch in (1, 2):
        resumed = Run(small(**changes))
        resumed.load(io.BytesIO(saved(trained(small(**changes), epoch))))
        while not resumed.finished:
            resumed.step()
        assert same(state(saved(resumed)), state(saved(whole)))
        assert resumed.test() == whole.test()


@pytest.mark.parametrize("changes", GOES_ON.values(), ids=GOES_ON)
def test_what_a_phase_holds_has_an_effect(changes):
    if "evaluation__test_every_epoch" in changes:
        pytest.skip("it changes no parameter")
    plain = {name: new for name, new in changes.items() if name in META or name == "data__meta_source"}
    a, b = (trained(small(**c)).model.state_dict() for c in (changes, plain))
    assert not same(dict(a), dict(b))


def test_classifier_re_training_leaves_the_rest_alone_and_draws_a_new_head():
    run = trained(small(model__kind="resnet32", epochs=3, phases=[{}, CRT]), 2)
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    rate = run.config.learning_rate(3)
    run.step()
    after = run.model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"classifier.weight", "classifier.bias"}
    assert rate == pytest.approx(0.1 / 5)  # the first epoch of its own warm-up


def test_meta_images_steer_but_are_not_trained_on():
    found = []
    for wrong in (0, 1):
        run = Run(small(**META, phases=[{"reweighting": {"kind": "l2rw"}}]))
        assert run.parts.meta.labels.bincount().tolist() == [3] * 10
        pixels = [{image.numpy().tobytes() for image in part.pixels} for part in (run.parts.train, run.parts.meta)]
        assert not pixels[0] & pixels[1]
        run._meta_batches._epochs.labels.copy_((run.parts.meta.labels + wrong) % 10)
        found.append(dict(trained_on(run).model.state_dict()))
    assert not same(*found)


def test_difficulty_weighs_after_the_first_epoch_what_was_hard_in_it():
    changes = {"data__meta_source": "val", "phases": [{"weights": {"kind": "class_difficulty"}}]}
    first, plain = (trained(small(**c), 1) for c in (changes, {"data__meta_source": "val"}))
    assert same(dict(first.model.state_dict()), dict(plain.model.state_dict()))
    found = first.config.phases[0].weights(first.parts.class_counts, first._class_accuracy)
    assert found.sum().item() == pytest.approx(10)
    assert found[first._class_accuracy.argmin()] == found.max() > found.min()


@pytest.mark.parametrize("weights", ["none", "class_difficulty"])
def test_post_hoc_steps_change_the_evaluation_and_not_the_training(weights):
    changes = {"epochs": 6, "data__meta_source": "val", "phases": [{"weights": {"kind": weights}}]}
    adjusted = {"evaluation__post_hoc": {"kind": "logit_adjustment"}}
    plain, stepped = trained(config(**changes)), trained(config(**changes, **adjusted))
    assert same(dict(plain.model.state_dict()), dict(stepped.model.state_dict()))
    assert stepped.history[-1].val != plain.history[-1].val


def test_top_5_is_recorded_where_the_config_asks_for_it():
    run = trained(config(evaluation__top5=True))
    assert all(result.val["acc"] <= result.val["top5"] <= 1 for result in run.history)
    assert run.history[-1].val["top5"] > run.history[-1].val["acc"]
    assert run.test()["test_top5"] > run.test()["test_acc"]


def test_an_earlier_state_can_be_loaded_into_a_run_that_went_on():
    settings = small(phases=[{}, CRT])
    whole, run = trained(settings), trained(settings)
    run.load(io.BytesIO(saved(trained(settings, 1))))
    while not run.finished:
        run.step()
    assert same(state(saved(run)), state(saved(whole)))


def own_data(folder: Path, sizes: list[int], **changes: object) -> TrainConfig:
    draw = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    images = (draw.integers(0, 60, (len(labels), 8, 8, 1)) + 60 * labels[:, None, None, None]).astype(np.uint8)
    np.savez(folder / "own.npz", images=images, labels=labels)
    own = Data(**{"name": "npz", "path": "own.npz", "val_fraction": 0.2, "test_fraction": 0.2, **changes})
    return TrainConfig(data=own, model=SmallCNN(), batch_size=8, epochs=2, optimizer=SGD(lr=0.01))


def test_difficulty_needs_a_meta_image_of_each_class(tmp_path):
    base = own_data(tmp_path, [60, 20, 4], meta_source="val")
    hard = override(base, {"phases.0.weights": {"kind": "class_difficulty"}})
    with pytest.raises(InputError, match=r"meta_source is val, which leaves class 2 without a meta image"):
        Run(hard, tmp_path)
    assert not trained(base, root=tmp_path).history[-1].diverged


def test_data_without_test_images_are_refused_before_training(tmp_path):
    with pytest.raises(InputError, match=r"data.test_fraction is 0, but own.npz has no test images of its own"):
        Run(own_data(tmp_path, [60, 20], test_fraction=0.0), tmp_path)


def test_the_best_test_epoch_is_reported_where_the_config_asks_for_it():
    run = trained(config(evaluation__test_every_epoch=True))
    assert len(run.test_series) == 3
    found = run.test()
    assert found["test_acc_best_test"] == max(run.test_series) >= found["test_acc"]
    assert run.test_series[int(found["best_test_epoch"]) - 1] == max(run.test_series)
    assert run.test_series[-1] == found["test_acc_last"]
    assert {s: e.accuracy for s, e in run.evaluations().items()} == {
        "last": found["test_acc_last"],
        "best_val": found["test_acc"],
        "best_test": found["test_acc_best_test"],
    }
    assert set(trained(config()).test()) == {"test_acc", "test_acc_last"}


def test_where_val_is_not_balanced_the_macro_accuracy_chooses(tmp_path):
    run = trained(own_data(tmp_path, [60, 20, 10], val_fraction=0.3), root=tmp_path)
    assert run.history[-1].score == max(result.val["acc_macro"] for result in run.history)
    assert run.parts.val.labels.bincount().tolist() == [18, 6, 3]


def test_where_val_is_not_balanced_the_best_epoch_by_its_micro_accuracy_is_kept_as_well(tmp_path):
    unlike = own_data(tmp_path, [120, 60, 20], val_fraction=0.3).replaced(epochs=6, optimizer=SGD(lr=0.001), seed=2)
    run = trained(unlike, root=tmp_path)
    micro, macro = ([result.val[name] for result in run.history] for name in ("acc", "acc_macro"))
    assert micro.index(max(micro)) != macro.index(max(macro)), "else this shows nothing"
    found = run.test()
    for values, selection in ((micro, "best_val_micro"), (macro, "best_val")):
        there = trained(unlike, values.index(max(values)) + 1, root=tmp_path)
        assert run.evaluations()[selection].confusion.equal(there.evaluations()["last"].confusion)
    assert found["test_acc_best_val_micro"] == run.evaluations()["best_val_micro"].accuracy
    assert found["test_acc"] == run.evaluations()["best_val"].accuracy
    resumed = Run(unlike, tmp_path)
    resumed.load(io.BytesIO(saved(trained(unlike, 5, root=tmp_path))))
    list(resumed.epochs())
    assert resumed.test() == found


def test_the_comparison_of_states_can_fail():
    run = trained(config(), 1)
    before = state(saved(run))
    next(run.model.parameters()).data.view(-1)[0] += 1e-6
    assert same(before, before) and not same(before, state(saved(run)))


def test_two_runs_interleaved_in_one_process_equal_the_separate_ones():
    first, second = (
        small(data__augment="crop_flip"),
        small(seed=1, model__kind="resnet32", phases=[{}, IB], epochs=3),
    )
    apart = [state(saved(trained(c))) for c in (first, second)]
    together = [Run(first), Run(second)]
    for _ in range(3):
        for run in together:
            run.step()
    assert [same(state(saved(run)), alone) for run, alone in zip(together, apart, strict=True)] == [
        True,
        True,
    ]


def test_a_run_neither_reads_nor_moves_the_global_generators():
    states = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        states.append(state(saved(trained(small(data__augment="crop_flip"), 1))))
        assert torch.equal(torch.get_rng_state(), before)
    assert same(*states)


def test_the_callers_thread_count_changes_nothing():
    ambient = torch.get_num_threads()
    states = []
    for threads in (1, 4):
        torch.set_num_threads(threads)
        states.append(state(saved(trained(small(model__kind="resnet32"), 1))))
    torch.set_num_threads(ambient)
    assert same(*states)


@pytest.mark.parametrize("change", [{"seed": 1}, {"data__subset_seed": 1}, {"data__augment": "crop_flip"}])
def test_seed_subset_and_augmentation_change_the_result(change):
    first, second = (state(saved(trained(c, 1))) for c in (small(), small(**change)))
    assert first["history"] != second["history"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"phases": [{}, {**IB, "start": 3}]}, {}),
        ({"phases": [{"loss": {"kind": "focal"}}, {**IB, "start": 0}]}, {"phases": [{**IB, "start": 0}]}),
        ({"optimizer__warmup_epochs": 0}, {}),
        (
            {"optimizer__warmup_epochs": 2, "phases": [{}, {"start": 1}]},
            {"optimizer__warmup_epochs": 2, "phases": [{}, {"start": 1, "warmup": False}]},
        ),
        ({"optimizer__schedule": {"kind": "step", "milestones": [1], "gamma": 1}}, {}),
    ],
)
def test_configs_with_one_id_train_identically(first, second):
    assert small(**first).id == small(**second).id
    assert same(*(state(saved(trained(small(**changes)))) for changes in (first, second)))


# --- what may be loaded -------------------------------------------------------------------------------


def test_a_checkpoint_of_another_config_is_refused():
    with pytest.raises(InputError, match=f"config_id is {config().id}, but this run's is {config(seed=1).id}"):
        Run(config(seed=1)).load(io.BytesIO(saved(Run(config()))))


def test_a_checkpoint_of_other_data_is_refused():
    run, other = Run(config()), Run(config())
    pixels = run.parts.test.pixels.clone()
    pixels[0, 0, 0, 0] ^= 1
    other.parts = replace(run.parts, test=Images(pixels, run.parts.test.labels))
    with pytest.raises(InputError, match=f"data_id is {other.parts.id}, but this run's is {run.parts.id}"):
        run.load(io.BytesIO(saved(other)))


def test_a_refused_checkpoint_leaves_the_run_as_it_was():
    run = trained(config(), 1)
    before = state(saved(run))
    with pytest.raises(InputError):
        run.load(io.BytesIO(saved(trained(config(seed=1), 1))))
    assert same(state(saved(run)), before)


def test_a_checkpoint_of_an_equal_config_in_other_words_is_taken():
    run = Run(config(phases=[{}, {**IB, "start": 3}]))
    run.load(io.BytesIO(saved(trained(config(), 2))))
    assert run.epoch == 2


# --- score and test -----------------------------------------------------------------------------------

WRECKED = {"start": 3, "lr_scale": 20}


def test_the_score_is_of_the_last_phase_only():
    run = trained(config(epochs=6, phases=[{}, WRECKED]))
    accuracy = [result.val["acc"] for result in run.history]
    assert not run.history[-1].diverged
    assert max(accuracy[:3]) > max(accuracy[3:]) + 0.1
    assert [result.score for result in run.history[:3]] == [None] * 3
    assert [result.score for result in run.history[3:]] == [max(accuracy[3 : e + 1]) for e in (3, 4, 5)]
    assert run.history[-1].best_epoch > 3


def test_an_empty_last_phase_does_not_take_the_score():
    run = trained(config(phases=[{}, {**IB, "start": 3}]))
    assert run.history[0].best_epoch == 1 and run.history[-1].score > 0


def test_the_score_runs_as_the_best_so_far_and_the_first_of_equals_counts():
    run = trained(small(epochs=12))
    accuracy = [result.val["acc"] for result in run.history]
    for e, result in enumerate(run.history, 1):
        assert result.score == max(accuracy[:e])
        assert result.best_epoch == accuracy.index(result.score) + 1


def test_test_reads_the_model_of_the_best_epoch():
    run = trained(config(epochs=6, optimizer__schedule={"kind": "step", "milestones": [3], "gamma": 20}))
    best = run.history[-1].best_epoch
    assert best <= 3
    found = run.test()
    assert found["test_acc"] == trained(run.config, best).test()["test_acc_last"]
    assert found["test_acc"] > found["test_acc_last"] + 0.1


def test_test_leaves_the_run_as_it_was():
    steps = {"kind": "step", "milestones": [3], "gamma": 20}
    run, undisturbed = (trained(config(epochs=6, optimizer__schedule=steps), 4) for _ in range(2))
    before = state(saved(run))
    run.test()
    assert same(state(saved(run)), before)
    assert run.history[-1].best_epoch < 4
    for each in (run, undisturbed):
        each.step()
    assert same(state(saved(run)), state(saved(undisturbed)))


def test_the_best_model_is_a_copy_that_training_does_not_change():
    run = trained(config(), 1)
    best = state(saved(run))["best_models"]["best_val"]
    run.step()
    assert state(saved(trained(config(), 1)))["best_models"]["best_val"].keys() == best.keys()
    assert not same(state(saved(run))["model"], best)
    assert same(state(saved(trained(config(), 1)))["best_models"]["best_val"], best)


def test_without_val_images_there_is_no_score():
    run = trained(config(data__val_per_class=0))
    assert {(result.score, result.best_epoch) for result in run.history} == {(None, None)}
    assert all(result.val == {} for result in run.history)
    found = run.test()
    assert found["test_acc"] == found["test_acc_last"] > 0.3


# --- divergence ---------------------------------------------------------------------------------------


def test_a_run_that_diverges_at_once_ends_without_a_score():
    history = list(fit(config(optimizer__lr=1e20)))
    assert [(r.epoch, r.diverged, r.score, r.best_epoch) for r in history] == [(1, True, None, None)]


def test_a_run_that_diverges_later_keeps_what_it_had():
    steps = {"kind": "step", "milestones": [2], "gamma": 1e20}
    run = trained(config(epochs=9, optimizer__schedule=steps))
    assert [result.diverged for result in run.history] == [False, False, True]
    assert run.finished and list(run.epochs()) == []
    assert (run.history[2].score, run.history[2].best_epoch) == (
        run.history[1].score,
        run.history[1].best_epoch,
    )
    best = state(saved(run))["best_models"]["best_val"]
    assert all(tensor.isfinite().all() for tensor in best.values())
    assert run.test()["test_acc"] == trained(run.config, run.history[1].best_epoch).test()["test_acc_last"]


def test_divergence_is_seen_without_val_images():
    assert list(fit(config(data__val_per_class=0, optimizer__lr=1e20)))[-1].diverged


def test_a_last_phase_that_diverges_at_once_has_no_score():
    run = trained(config(phases=[{}, {"start": 2, "lr_scale": 1e20}]))
    assert run.history[-1].diverged and run.history[-1].score is None


# --- precision and layout -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["resnet32", "small_cnn"])
def test_bf16_trains_close_to_fp32_but_not_alike(kind):
    plain, low = (trained(small(model__kind=kind, precision=p), 1) for p in ("fp32", "bf16"))
    assert low.history[0].train_loss == pytest.approx(plain.history[0].train_loss, rel=0.05)
    assert low.history[0].train_loss != plain.history[0].train_loss
    assert {tensor.dtype for tensor in low.model.parameters()} == {torch.float32}


def test_channels_last_trains_and_stays_channels_last():
    run = trained(small(model__kind="resnet32", channels_last=True), 1)
    again = Run(run.config)
    again.load(io.BytesIO(saved(run)))
    for model in (run.model, again.model):
        assert model.stem.weight.shape[1] == 1
        assert model.blocks[0].conv1.weight.is_contiguous(memory_format=torch.channels_last)
    plain = trained(small(model__kind="resnet32"), 1)
    assert run.history[0].train_loss == pytest.approx(plain.history[0].train_loss, rel=1e-3)
    assert plain.model.blocks[0].conv1.weight.is_contiguous()
