"""A run that continues another one's saved state: the core's part of it."""

import io

import pytest

from lt_core import InputError, Run, TrainConfig, override
from lt_core.config import prefix_id
from lt_core.weights import FixedTau
from search_spaces.baselines import ldam, ldam_drw
from search_spaces.cdb2020 import class_difficulty
from search_spaces.ib2021 import ce_with_drop, ib, influence_balanced
from search_spaces.presets import cifar_lt, digits_lt, literature

CE = literature(digits_lt(imbalance=20).replaced(epochs=6))
IB = influence_balanced(CE, T1=3)


def saved(config: TrainConfig, epochs: int) -> io.BytesIO:
    run = Run(config)
    for _ in range(epochs):
        run.step()
    stream = io.BytesIO()
    run.save(stream)
    stream.seek(0)
    return stream


def whole(config: TrainConfig) -> Run:
    run = Run(config)
    for _ in run.epochs():
        pass
    return run


def facts(run: Run) -> list[tuple[object, ...]]:
    return [(r.epoch, r.train_loss, r.lr, r.val, r.score, r.best_epoch) for r in run.history]


@pytest.mark.parametrize("val", [0, 30])
def test_a_run_from_a_trunk_is_the_run_that_was_trained_alone(val):
    ce, ib_ = (override(config, {"data.val_per_class": val}) for config in (CE, IB))
    run = Run(ib_)
    run.load(saved(ce, 3), trunk=ce)
    for _ in run.epochs():
        pass
    alone = whole(ib_)
    assert facts(run) == facts(alone)
    assert run.test() == alone.test() and run.test_series == alone.test_series


def test_a_cosine_head_and_a_deferred_phase_branch_off_as_well():
    drw, plain = ldam_drw(CE, start=4), ldam(CE)
    assert prefix_id(drw, 4) == prefix_id(plain, 4) != prefix_id(CE, 4)
    run = Run(drw)
    run.load(saved(plain, 4), trunk=plain)
    for _ in run.epochs():
        pass
    assert facts(run) == facts(whole(drw))


def test_what_agrees_up_to_an_epoch():
    base = cifar_lt("cifar10", imbalance=100)
    other = influence_balanced(base, T1=80)
    assert prefix_id(base, 100) == prefix_id(ib(base), 100) == prefix_id(ce_with_drop(base), 100)
    assert prefix_id(base, 101) != prefix_id(ib(base), 101)
    assert prefix_id(ib(base), 80) == prefix_id(other, 80) and prefix_id(ib(base), 81) != prefix_id(other, 81)
    for changes in ({"seed": 1}, {"optimizer.lr": 0.2}, {"data.subset_seed": 1}, {"precision": "bf16"}):
        assert prefix_id(override(base, changes), 100) != prefix_id(base, 100)
    late = override(base, {"optimizer.schedule.milestones": [180, 190]})
    assert prefix_id(late, 160) == prefix_id(base, 160) and prefix_id(late, 161) != prefix_id(base, 161)


def test_a_cosine_schedule_agrees_with_its_own_length_only():
    short = override(CE, {"optimizer.schedule": {"kind": "cosine"}})
    assert prefix_id(short, 3) != prefix_id(short.replaced(epochs=8), 3)
    assert prefix_id(short, 3) == prefix_id(influence_balanced(short, T1=3), 3)


def test_a_method_that_reads_difficulties_has_a_trunk_of_its_own():
    base = override(CE, {"data.val_per_class": 30, "data.meta_source": "val"})
    late = base.replaced(phases=(base.phases[0], class_difficulty(base, FixedTau()).phases[0].replaced(start=3)))
    assert prefix_id(late, 3) != prefix_id(base, 3)


def test_a_state_that_is_no_trunk_is_refused():
    run = Run(IB)
    with pytest.raises(InputError, match="is not what this run"):
        run.load(saved(CE, 4), trunk=CE)
    with pytest.raises(InputError, match="may branch off before its last phase only, but 2 epochs are done"):
        Run(CE).load(saved(CE.replaced(epochs=7), 2), trunk=CE.replaced(epochs=7))
    with pytest.raises(InputError, match="the checkpoint's config_id"):
        run.load(saved(CE, 3))


def test_influences_are_of_every_training_image():
    run = Run(CE)
    run.step()
    found = run.influences()
    assert found.shape == (len(run.parts.train),) and (found >= 0).all() and found.std() > 0
