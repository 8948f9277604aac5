import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lt_core import InputError
from lt_core.metrics import Evaluated, Groups, accuracies, calibration_error, confusion_matrix, evaluated, measures

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


def test_the_thresholds_are_fields():
    found = accuracies(CONFUSION, [101, 100, 20], Groups(many=20, few=20))
    assert found["acc_many"] == pytest.approx(0.7) and found["acc_medium"] == pytest.approx(0.5)
    assert "acc_few" not in found


def test_few_is_not_above_many():
    assert Groups(many=20, few=20).few == 20
    with pytest.raises(InputError, match="few must not be above many, 20, but is 21"):
        Groups.parse({"many": 20, "few": 21})


def test_a_class_without_images_in_the_part_is_left_out():
    found = accuracies(torch.tensor([[2, 1, 1], [0, 3, 1], [0, 0, 0]]), [300, 200, 9])
    expected = {"acc": 5 / 8, "acc_worst": 0.5, "acc_macro": 0.625, "acc_head": 0.5, "acc_many": 0.625}
    assert found == pytest.approx(expected)  # and neither tail nor few


# --- every value that an evaluation gives --------------------------------------------------------------

EGTEA = [429, 779, 1421, 822, 129, 1335, 130, 308, 223, 249, 54, 54, 139, 42, 78, 117, 26, 15, 22]


def of(confusion, top5=None, ece=0.0):
    return Evaluated(confusion, top5, ece, finite=True)


def test_measures_by_hand():
    found = measures(of(CONFUSION, ece=0.25), [500, 100, 19], Groups(majority=100))
    assert found == pytest.approx(
        {
            **accuracies(CONFUSION, [500, 100, 19]),
            "ece": 0.25,
            "acc[0]": 0.8,
            "acc[1]": 0.6,
            "acc[2]": 0.5,
            "recall_macro": 1.9 / 3,
            "recall_macro[majority]": 0.7,
            "recall_macro[minority]": 0.5,
            "precision_macro": (8 / 11 + 3 / 4 + 1 / 2) / 3,
            "precision_macro[majority]": (8 / 11 + 3 / 4) / 2,
            "precision_macro[minority]": 1 / 2,
        }
    )


def test_top5_is_a_measure_where_there_is_one():
    assert measures(of(CONFUSION, top5=0.75), [3, 2, 1])["top5"] == 0.75
    assert "top5" not in measures(of(CONFUSION), [3, 2, 1])


def test_the_precision_of_a_class_that_is_never_predicted_is_zero():
    found = measures(of(torch.tensor([[3, 0], [1, 0]])), [3, 1])
    assert found["precision_macro"] == pytest.approx((0.75 + 0) / 2)


def test_majority_and_minority_are_measured_only_with_a_threshold_and_a_class():
    assert not [name for name in measures(of(CONFUSION), [500, 100, 19]) if "[m" in name]
    found = measures(of(CONFUSION), [500, 100, 19], Groups(majority=501))
    assert "recall_macro[minority]" in found and "recall_macro[majority]" not in found


@pytest.mark.parametrize(("threshold", "majority"), [(400, 5), (601, 4)])
def test_egtea_has_five_majority_classes_in_the_paper_and_four_in_the_code(threshold, majority):
    confusion = torch.eye(19, dtype=torch.int64)
    worst_first = torch.tensor(EGTEA).argsort(descending=True)[:majority]
    confusion[worst_first] = confusion[worst_first].roll(1, dims=1)  # every majority image is taken for another class
    found = measures(of(confusion), EGTEA, Groups(majority=threshold))
    assert (found["recall_macro[majority]"], found["recall_macro[minority]"]) == (0, 1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(2, 9), st.randoms(use_true_random=False))
def test_measures_do_not_depend_on_the_numbering_of_the_classes(classes, random):
    confusion = torch.tensor([[random.randrange(4) for _ in range(classes)] for _ in range(classes)])
    confusion += torch.eye(classes, dtype=torch.int64)
    counts = random.sample(range(1, 600), classes)
    order = random.sample(range(classes), classes)
    groups = Groups(majority=200)
    ours = measures(of(confusion), counts, groups)
    theirs = measures(of(confusion[order][:, order]), [counts[c] for c in order], groups)
    for new, old in enumerate(order):
        assert theirs.pop(f"acc[{new}]") == ours.pop(f"acc[{old}]")
    assert theirs == pytest.approx(ours)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(2, 9), st.integers(0, 1000))
def test_precision_is_the_recall_of_the_transposed_matrix(classes, seed):
    confusion = torch.randint(1, 9, (classes, classes), generator=torch.Generator().manual_seed(seed))
    counts = list(range(100, 100 + classes))
    ours, theirs = (measures(of(m), counts, Groups(majority=101)) for m in (confusion, confusion.T))
    for group in ("", "[majority]", "[minority]"):
        assert ours[f"precision_macro{group}"] == pytest.approx(theirs[f"recall_macro{group}"])
    assert ours["recall_macro"] == pytest.approx(ours["acc_macro"])
    assert ours["acc_worst"] <= ours["acc_macro"] <= max(ours[f"acc[{c}]"] for c in range(classes))


# --- logits and targets --------------------------------------------------------------------------------


def scores(classes, n=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, classes, generator=generator), torch.randint(classes, (n,), generator=generator)


@pytest.mark.parametrize("classes", [6, 20])
def test_an_evaluation_is_the_same_however_the_images_are_cut(classes):
    logits, targets = scores(classes)
    whole = evaluated([(logits, targets)], classes)
    cut = evaluated(zip(logits.split(7), targets.split(7), strict=True), classes)
    assert torch.equal(whole.confusion, cut.confusion)
    assert (whole.top5, whole.ece, whole.finite) == (cut.top5, cut.ece, cut.finite)


def test_an_evaluation_by_hand():
    logits = torch.tensor([[9.0, 8, 7, 6, 5, 4, 3], [1, 2, 3, 4, 5, 6, 7], [0, 0, 0, 0, 0, 1, 0]])
    found = evaluated([(logits, torch.tensor([4, 1, 5]))], 7)
    assert found.top5 == pytest.approx(2 / 3)
    assert {tuple(cell) for cell in found.confusion.nonzero().tolist()} == {(4, 0), (1, 6), (5, 5)}
    assert found.confusion.dtype == torch.int64 and found.confusion.sum() == 3


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(6, 30), st.integers(0, 1000))
def test_top5_counts_the_five_largest_logits(classes, seed):
    logits, targets = scores(classes, seed=seed)
    found = evaluated([(logits, targets)], classes)
    larger = (logits > logits.gather(1, targets[:, None])).sum(1)
    assert found.top5 == pytest.approx((larger < 5).double().mean().item())
    assert found.top5 >= found.confusion.diagonal().sum().item() / 40


@pytest.mark.parametrize(("classes", "given"), [(2, False), (5, False), (6, True)])
def test_top5_needs_six_classes(classes, given):
    logits, targets = scores(classes)
    assert (evaluated([(logits, targets)], classes).top5 is not None) == given


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_an_evaluation_tells_that_a_logit_is_not_finite(wrong):
    logits, targets = scores(6)
    assert evaluated([(logits, targets)], 6).finite
    logits[20, 3] = wrong
    found = evaluated(zip(logits.split(7), targets.split(7), strict=True), 6)
    assert not found.finite and found.confusion.sum() == 40


# --- calibration ---------------------------------------------------------------------------------------


def test_the_calibration_error_by_hand():
    confidence = torch.tensor([0.95, 0.96, 0.52, 0.53, 0.2])
    correct = torch.tensor([True, False, True, True, False])
    expected = (abs(1 - 1.91) + abs(2 - 1.05) + 0.2) / 5
    assert calibration_error(confidence, correct) == pytest.approx(expected)


def test_within_a_bin_errors_cancel_and_across_bins_they_do_not():
    correct = torch.tensor([True, False])
    assert calibration_error(torch.tensor([0.5, 0.5]), correct) == 0
    assert calibration_error(torch.tensor([0.4, 0.6]), correct) == pytest.approx(0.6)
    assert calibration_error(torch.tensor([0.4, 0.6]), correct, bins=1) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize(("confidence", "same"), [((0.2, 0.21), False), ((0.19, 0.2), True), ((0.999, 1.0), True)])
def test_a_bin_holds_its_upper_edge(confidence, same):
    """A fifth is the edge between the third and the fourth of 15 bins."""
    found = calibration_error(torch.tensor(confidence, dtype=torch.float64), torch.tensor([True, False]))
    together = abs(1 - sum(confidence)) / 2
    apart = (1 - confidence[0] + confidence[1]) / 2
    assert found == pytest.approx(together if same else apart)


def test_the_confidence_is_the_largest_softmax():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    p = logits.softmax(1)
    expected = (1 - p[0, 0] + p[1, 1]).item() / 2
    assert evaluated([(logits, torch.tensor([0, 0]))], 2).ece == pytest.approx(expected)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 200), st.integers(0, 1000))
def test_the_calibration_error_is_that_of_the_definition(n, seed):
    generator = torch.Generator().manual_seed(seed)
    confidence, correct = torch.rand(n, generator=generator), torch.rand(n, generator=generator) < 0.5
    expected = 0.0
    for b in range(15):
        inside = (confidence > b / 15) & (confidence <= (b + 1) / 15)
        if inside.any():
            gap = correct[inside].double().mean() - confidence[inside].double().mean()
            expected += inside.sum().item() / n * abs(gap.item())
    assert calibration_error(confidence, correct) == pytest.approx(expected, abs=1e-6)
