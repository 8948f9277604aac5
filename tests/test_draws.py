import torch

from lt_core.draws import class_balanced, generator, instance_balanced

LABELS = torch.tensor([0] * 900 + [1] * 90 + [2] * 10)


def test_draws_depend_on_seed_epoch_and_purpose():
    keys = [(0, 1, "order"), (1, 1, "order"), (0, 2, "order"), (0, 1, "mask")]
    drawn = [torch.rand(3, generator=generator(*key)) for key in keys]
    assert torch.equal(drawn[0], torch.rand(3, generator=generator(*keys[0])))
    assert all(not torch.equal(drawn[0], other) for other in drawn[1:])


def test_instance_balanced_visits_each_image_once():
    assert sorted(instance_balanced(LABELS, generator(0, 1, "order")).tolist()) == list(range(1000))


def test_class_balanced_visits_each_class_as_often():
    order = class_balanced(LABELS, generator(0, 1, "order"))
    assert len(order) == 1000
    counts = LABELS[order].bincount()
    assert all(280 < n < 390 for n in counts.tolist())  # 333 expected, deviation 15
    assert len(set(order[LABELS[order] == 2].tolist())) == 10
