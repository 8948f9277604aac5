import pytest
import torch

from lt_core.metrics import accuracies, confusion_matrix

CONFUSION = torch.tensor([[8, 1, 1], [2, 3, 0], [1, 0, 1]])  # per class 0.8, 0.6, 0.5


def test_confusion_has_the_true_class_by_row():
    predicted, targets = torch.tensor([0, 1, 1, 2, 1]), torch.tensor([0, 0, 1, 2, 2])
    assert confusion_matrix(predicted, targets, 4).tolist() == [
        [1, 1, 0, 0],
        [0, 1, 0, 0],
        [0, 1, 1, 0],
        [0, 0, 0, 0],
    ]


def test_accuracies_by_hand():
    assert accuracies(CONFUSION, [500, 100, 19]) == pytest.approx(
        {
            "acc": 12 / 17,
            "acc_worst": 0.5,
            "acc_macro": 1.9 / 3,
            "acc_head": 0.8,
            "acc_tail": 0.5,
            "acc_many": 0.8,
            "acc_medium": 0.6,
            "acc_few": 0.5,
        }
    )


def test_many_is_above_100_and_few_below_20():
    assert accuracies(CONFUSION, [101, 100, 20])["acc_medium"] == pytest.approx(0.55)
    assert accuracies(CONFUSION, [101, 100, 20])["acc_many"] == pytest.approx(0.8)
    assert "acc_few" not in accuracies(CONFUSION, [101, 100, 20])
    assert accuracies(CONFUSION, [100, 19, 19])["acc_few"] == pytest.approx(0.55)


def test_a_group_without_a_class_is_left_out():
    found = accuracies(CONFUSION, [200, 200, 200])
    assert "acc_many" in found and not {"acc_medium", "acc_few"} & set(found)


def test_head_and_tail_go_by_count_not_by_class_number():
    found = accuracies(CONFUSION, [5, 50, 500])
    assert (found["acc_head"], found["acc_tail"]) == pytest.approx((0.5, 0.8))


def test_head_and_tail_are_thirds():
    confusion = torch.diag(torch.arange(10)) + torch.diag(9 - torch.arange(9), 1)
    confusion[9, 0] = 0
    found = accuracies(confusion, [10 - c for c in range(10)])
    assert found["acc_head"] == pytest.approx((0 + 1 + 2) / 27)
    assert found["acc_tail"] == pytest.approx((7 / 9 + 8 / 9 + 1) / 3)


def test_head_and_tail_exist_with_two_classes_and_with_equal_counts():
    found = accuracies(torch.tensor([[1, 1], [0, 4]]), [7, 7])
    assert (found["acc_head"], found["acc_tail"]) == (0.5, 1.0)


def test_a_class_without_images_counts_as_wrong():
    assert accuracies(torch.tensor([[2, 0], [0, 0]]), [9, 9])["acc_worst"] == 0
