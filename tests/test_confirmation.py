from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest
from scipy import stats
from test_events import asked, epoch
from test_results import PAPER, TRIALS, results, trial

from lt_core import override
from search_spaces.controls import plain_cross_entropy
from search_spaces.demo import DEMO
from tuning.log.events import Event, Told
from tuning.log.results import classes
from tuning.reports.confirmation import (
    Confirmed,
    class_grid,
    confirmed,
    confirmed_grid,
    differences,
    exact_grid,
    failures,
    sentences,
    shortfalls,
)
from tuning.reports.statistics import differences_to, paired_difference, seeds_to_decide

# --- confirming runs to test with, here and elsewhere -----------------------------------------------

SETTINGS = {"best": {**PAPER, "T1": 2}, "best-2": {**PAPER, "T1": 4}, "paper": PAPER, "CE": {}}


def confirming(number: int, role: str, seed: int, score: float, test: float, how: str = "finished") -> list[Event]:
    settings = SETTINGS[role]
    config = DEMO.config(settings or PAPER).model_copy(update={"seed": seed})
    config = plain_cross_entropy(config) if role == "CE" else config
    event = asked(number, config, "confirm", role, **settings)
    tests = {"test_acc": test, "test_acc_last": test} if how == "finished" else {}
    return [event, epoch(number, 16, score), Told(number, how, tests)]


def test_a_confirming_run_that_failed_is_told_until_it_was_trained():
    lost = confirming(20, "best", 1, 0.0, 0.0, "failed")
    lost[-1] = Told(20, "failed", error="OutOfMemoryError: 2 GiB")
    (said,) = failures(results(*TRIALS, *lost))
    assert said == "The confirming run of best on seed 1 failed, which --resume trains again: OutOfMemoryError: 2 GiB"
    again = confirming(21, "best", 1, 0.5, 0.5)
    assert failures(results(*TRIALS, *lost, *again)) == []


def test_fewer_confirmed_configs_than_asked_for_are_told():
    found = results(*TRIALS, *confirming(20, "best", 1, 0.5, 0.5))
    assert (len(found.top), found.study.confirm_top) == (2, 3)
    (said,) = shortfalls(found)
    assert said.startswith("Only 2 of the 3 configs to confirm were found")
    asked_for = replace(found, study=found.study.model_copy(update={"confirm_top": 2}))
    assert shortfalls(asked_for) == shortfalls(results(*TRIALS)) == []


def confirm(
    *runs: tuple[str, int, float, float], failed: tuple[str, int] = ("", 0), diverged: Collection[tuple[str, int]] = ()
) -> list[Confirmed]:
    """The groups of a study whose best trial is number 2, and second best number 4."""
    events = [*TRIALS]
    for number, (role, seed, score, test) in enumerate(runs, 10):
        how = "diverged" if (role, seed) in diverged else "failed" if (role, seed) == failed else "finished"
        events += confirming(number, role, seed, score, test, how)
    return confirmed(results(*events))


THREE = [
    ("best", 1, 0.75, 0.875),
    ("paper", 1, 0.5, 0.5),
    ("CE", 1, 0.25, 0.25),
    ("best", 2, 0.5, 0.625),
    ("paper", 2, 0.625, 0.5),
    ("CE", 2, 0.25, 0.125),
]
SECOND = [("best-2", 1, 0.75, 0.5), ("best-2", 2, 0.75, 0.75)]


# --- groups -----------------------------------------------------------------------------------------


def test_confirming_runs_are_grouped_by_role_with_scores_and_test_values_by_seed():
    best, paper, ce = confirm(*THREE)
    assert best == Confirmed("best", SETTINGS["best"], {1: 0.75, 2: 0.5}, {1: 0.875, 2: 0.625}, searched=0.8125)
    assert paper == Confirmed("paper", PAPER, {1: 0.5, 2: 0.625}, {1: 0.5, 2: 0.5})
    assert ce == Confirmed("CE", {}, {1: 0.25, 2: 0.25}, {1: 0.25, 2: 0.125})


def test_those_found_come_first_by_rank_whichever_was_asked_for_first():
    assert [group.role for group in confirm(*reversed([*THREE, *SECOND]))] == ["best", "best-2", "paper", "CE"]


def test_macro_accuracies_are_kept_where_they_were_measured():
    event, done, told = confirming(10, "best", 1, 0.75, 0.5)
    assert isinstance(told, Told)
    (best,) = confirmed(results(*TRIALS, event, done, replace(told, test={**told.test, "test_acc_macro": 0.25})))
    assert (best.test, best.macro, best.compared) == ({1: 0.5}, {1: 0.25}, {1: 0.25})


def test_a_study_that_was_not_confirmed_has_no_groups():
    assert confirm() == []
    assert sentences([]) == []


def test_an_extended_study_shows_its_last_best():
    runs = [event for number, run in enumerate([*THREE, *SECOND], 10) for event in confirming(number, *run)]
    before = [*TRIALS, *runs]
    better = [*before, *trial(7, 0.95)]
    assert [group.role for group in confirmed(results(*better))] == ["paper", "CE"]  # the old ones moved down
    new = DEMO.config({**PAPER, "T1": 7}).model_copy(update={"seed": 1})
    settings = results(*better).top[0].settings
    again = [replace(asked(20, new, "confirm", "best"), settings=settings), epoch(20, 16, 0.5)]
    groups = confirmed(results(*better, *again, Told(20, "finished", {"test_acc": 0.75})))
    assert [group.role for group in groups] == ["best", "paper", "CE"]
    assert (groups[0].settings, groups[0].test, groups[0].searched) == (settings, {1: 0.75}, 0.95)


# --- the table --------------------------------------------------------------------------------------


def test_the_confirmed_table_has_means_deviations_and_the_paired_difference_to_the_paper_s():
    grid = confirmed_grid(confirm(*THREE))
    assert grid.heads == ["config", "val score", "test acc", "seeds", "test acc: this - paper"]
    interval = stats.ttest_rel([0.25, 0.125], [0.5, 0.5]).confidence_interval()
    assert grid.rows == [
        ["best (T1=2, epsilon=0.001, alpha=1000)", "62.50 ± 17.68", "75.00 ± 17.68", "2", grid.rows[0][4]],
        ["paper (T1=8, epsilon=0.001, alpha=1000)", "56.25 ± 8.84", "50.00 ± 0.00", "2", ""],
        ["CE", "25.00 ± 0.00", "18.75 ± 8.84", "2", f"-31.25 [{100 * interval.low:+.2f}, {100 * interval.high:+.2f}]"],
    ]
    assert grid.rows[0][4].startswith("+25.00 [")
    assert grid.title == "Confirmed on fresh seeds (%: mean ± std, [95 % interval])"


def test_the_table_says_whether_the_seeds_had_training_images_of_their_own():
    title = confirmed_grid(confirm(*THREE), resampled=True).title
    assert title.startswith("Confirmed on fresh seeds, each with training images of its own (%")


def test_several_configs_share_their_5_percent_and_the_control_has_its_own():
    groups = confirm(*THREE, *SECOND)
    best, second, paper, ce = groups
    expected = differences_to(paper.test, [best.test, second.test])
    assert differences(groups) == {
        "best": expected[0],
        "best-2": expected[1],
        "CE": paired_difference(ce.test, paper.test),
    }
    assert confirmed_grid(groups).title.endswith(", Holm-corrected over 2 configs, CE's uncorrected)")


def test_where_val_is_unbalanced_the_macro_accuracy_is_shown_and_compared():
    seeds = {1: 0.5, 2: 0.75}
    best, paper = (
        Confirmed(role, {}, seeds, seeds, macro)
        for role, macro in (("best", {1: 0.5, 2: 0.5}), ("paper", {1: 0.25, 2: 0.375}))
    )
    grid = confirmed_grid([best, paper])
    assert grid.heads == ["config", "val score", "test acc", "macro test acc", "seeds", "macro test acc: this - paper"]
    assert grid.rows[0][:5] == ["best", "62.50 ± 17.68", "62.50 ± 17.68", "50.00 ± 0.00", "2"]
    assert grid.rows[0][5].startswith("+18.75 [")
    assert ": +18.75 points of macro accuracy on test, 95 % interval [" in sentences([best, paper])[0]


def test_the_literature_s_exact_subset_stands_apart():
    config = override(DEMO.config(SETTINGS["best"]), {"data.val_per_class": 0, "seed": 1})
    event = asked(30, config, "confirm", "exact", **SETTINGS["best"])
    told = Told(30, "finished", {"test_acc": 0.625, "test_acc_last": 0.625})
    runs = [event for number, run in enumerate(THREE, 10) for event in confirming(number, *run)]
    groups = confirmed(results(*TRIALS, *runs, event, epoch(30, 16), told))
    assert [group.role for group in groups] == ["best", "paper", "CE", "exact"]
    grid = exact_grid(groups)
    assert grid is not None and grid.rows == [["exact (T1=2, epsilon=0.001, alpha=1000)", "62.50", "1"]]
    assert confirmed_grid(groups) == confirmed_grid(groups[:3]) and sentences(groups) == sentences(groups[:3])
    assert exact_grid(groups[:3]) is None


def test_a_failed_seed_is_left_out_of_its_group_and_of_the_pairs():
    more = [("best", 3, 0.5, 0.5), ("paper", 3, 0.5, 0.5), ("CE", 3, 0.5, 0.5)]
    groups = confirm(*THREE, *more, failed=("paper", 1))
    assert [list(group.test) for group in groups] == [[1, 2, 3], [2, 3], [1, 2, 3]]
    assert [row[3] for row in confirmed_grid(groups).rows] == ["3", "2", "3"]
    found = differences(groups)["best"]
    assert found is not None and (found.n, found.mean) == (2, 0.0625)


def test_a_group_of_which_nothing_finished_is_shown_as_such():
    groups = confirm(*THREE[:2], failed=("best", 1))
    grid = confirmed_grid(groups)
    assert grid.rows[0][1:] == ["none finished", "none finished", "0", ""]
    assert grid.rows[1][1:] == ["50.00", "50.00", "1", ""]
    assert sentences(groups) == [
        "The best config against the paper's setting: undecided, fewer than two seeds finished."
    ]


def test_without_the_paper_s_setting_there_is_nothing_to_compare_to():
    best = Confirmed("best", {}, {1: 0.5}, {1: 0.5})
    assert differences([best]) == {} and sentences([best]) == []
    assert confirmed_grid([best]).rows == [["best", "50.00", "50.00", "1", ""]]


BY_CLASS = {
    10: {"class_acc": [0.5, 1.0, None]},
    11: {"class_acc": [0.25, 0.5, None]},
    13: {"class_acc": [1.0, 0.75, None]},
}


def evaluated(number: int) -> dict[str, Any]:
    test = {"last": {"class_acc": [0.0, 0.0, None]}, "best_val": BY_CLASS[number]}
    return {"classes": ["a", "b", "c"], "train_images": [5, 20, 10], "test": test}


def test_accuracies_by_class_are_those_of_each_seed_at_the_epoch_that_val_chose():
    events = [*TRIALS]
    for number, run in enumerate(THREE, 10):
        event, done, told = confirming(number, *run)
        assert isinstance(told, Told)
        events += [event, done, replace(told, evaluations=evaluated(number) if number in BY_CLASS else {})]
    found = results(*events)
    groups = confirmed(found)
    assert [group.by_class for group in groups] == [((0.5, 1.0), (1.0, 0.75), ()), ((0.25,), (0.5,), ()), ()]
    grid = class_grid(found, groups)
    assert grid is not None and grid.heads == ["class", "training images", "best", "paper"]
    best = {"b": "87.50 ± 17.68", "a": "75.00 ± 35.36"}
    assert grid.rows == [["b", "20", best["b"], "50.00"], ["c", "10", "", ""], ["a", "5", best["a"], "25.00"]]
    assert class_grid(results(*TRIALS), confirm(*THREE)) is None


def test_an_evaluation_without_val_is_that_of_the_last_epoch():
    last = {**evaluated(10), "test": {"last": {"class_acc": [0.5, 0.5, 0.5]}}}
    found = classes({3: last, 4: {}})
    assert found is not None and found.accuracy == {3: (0.5, 0.5, 0.5)}
    assert classes({4: {}}) is None


# --- in words ---------------------------------------------------------------------------------------


def groups_of(**tests: list[float]) -> list[Confirmed]:
    return [Confirmed(role.replace("_", "-"), {}, {}, dict(enumerate(values))) for role, values in tests.items()]


def test_sentences_say_what_the_intervals_say():
    paper, ce = sentences(groups_of(best=[0.5, 0.6, 0.7], paper=[0.4, 0.7, 0.75], CE=[0.3, 0.41, 0.5]))
    assert paper.startswith("Undecided whether the best config is better than the paper's setting: -1.67 points")
    assert ce.startswith("The best config is better than plain CE: +19.67 points of test accuracy, 95 % interval [+18.")
    assert ce.endswith("], 3 paired seeds.")
    (worse,) = sentences(groups_of(best=[0.3, 0.4, 0.5], paper=[0.5, 0.6, 0.71]))
    assert worse.startswith("The best config is not better than the paper's setting: -20.33 points")


def test_a_study_whose_best_is_the_paper_s_setting_says_so_and_compares_that():
    first, second = sentences(groups_of(paper=[0.5, 0.6], CE=[0.5, 0.6]))
    assert first == "No trial scored above the paper's setting."
    assert second.startswith("The paper's setting is not better than plain CE: +0.00 points")


def test_configs_that_scored_below_the_paper_s_setting_are_said_to():
    groups = groups_of(best=[0.5, 0.6], paper=[0.5, 0.6])
    best, paper = (replace(group, searched=score) for group, score in zip(groups, (0.7, 0.75), strict=True))
    assert sentences([best, paper])[0] == (
        "No trial scored above the paper's setting; it leads and is exported, and the best config below is the best of "
        "the others."
    )
    assert not sentences([replace(best, searched=0.8), paper])[0].startswith("No trial")


def test_each_config_found_is_compared_to_the_paper_s_setting_and_the_winner_to_plain_ce():
    found = sentences(
        groups_of(best=[0.5, 0.6, 0.7], best_2=[0.6, 0.71, 0.8], paper=[0.4, 0.5, 0.61], CE=[0.4, 0.5, 0.61])
    )
    assert [sentence.split(":")[0] for sentence in found] == [
        "The best config is better than the paper's setting",
        "Config best-2 is better than the paper's setting",
        "The best config is better than plain CE",
    ]
    assert ["Holm-corrected over 2 configs" in sentence for sentence in found] == [True, True, False]


@pytest.mark.parametrize(
    ("best", "said"),
    [
        ([0.50, 0.53, 0.52, 0.53, 0.50], " About 10 seeds would decide it, if the difference is as large as it looks."),
        (
            [0.5001, 0.52, 0.48, 0.51, 0.4901],
            " Over 1,000 seeds would be needed to tell so small a difference from none.",
        ),
        ([0.51, 0.51, 0.51, 0.51, 0.51], " More seeds are needed to know the spread."),
        ([0.52, 0.48, 0.50, 0.51, 0.49], ", 5 paired seeds."),
    ],
)
def test_what_is_undecided_says_how_many_seeds_would_decide(best, said):
    (sentence,) = sentences(groups_of(best=best, paper=[0.5] * 5))
    assert sentence.startswith("Undecided whether") and sentence.endswith(said)


def test_how_much_of_the_search_s_score_was_luck_is_said():
    best = Confirmed("best", {}, {1: 0.5, 2: 0.75}, {1: 0.5, 2: 0.5}, searched=0.875)
    assert sentences([best]) == [
        "The best config scored 87.50 in the search, 62.50 ± 17.68 on fresh seeds: "
        "25.00 points of its score were the luck of the search, which these seeds do not tell from none, "
        "95 % interval [-133.83, +183.83]."
    ]
    one = replace(best, score={1: 0.5})
    assert sentences([one])[0].endswith(
        "50.00 on fresh seeds: how much of its score was the luck of the search, one seed cannot tell."
    )
    assert sentences([replace(best, searched=0.5)])[0].endswith(": its search score shows no luck.")
    assert sentences([replace(best, by_score=False)]) == []
    assert sentences([replace(best, score={})]) == []


def test_another_config_that_fresh_seeds_prefer_is_named():
    best, second = (Confirmed(role, {}, {1: score}, {1: 0.5}) for role, score in (("best", 0.5), ("best-2", 0.75)))
    assert sentences([best, second]) == [
        "On fresh seeds, best-2 has the best mean val score of the configs found; "
        "`lt-tune export --by confirmed` ranks by that mean, the paper's setting among them."
    ]
    assert sentences([second]) == []


# --- what diverged ----------------------------------------------------------------------------------

FIVE = [(role, k, 0.5 + x, 0.5 + x) for k in range(1, 6) for role, x in (("best", 0.25 + k / 64), ("paper", 0.0))]


def test_a_config_that_diverged_on_a_fresh_seed_is_not_said_to_be_better():
    assert sentences(confirm(*FIVE))[0].startswith("The best config is better than the paper's setting: +")
    groups = confirm(*FIVE, diverged={("best", 1), ("best", 3), ("best", 4)})
    assert (groups[0].diverged, list(groups[0].test)) == ((1, 3, 4), [2, 5])
    first, second = sentences(groups)[:2]
    assert first.startswith(
        "Undecided whether the best config is better than the paper's setting, since seeds diverged"
    )
    assert first.endswith("2 paired seeds.")
    assert second == (
        "The best config diverged on 3 of 5 fresh seeds (seeds 1, 3 and 4): "
        "its means are of the others, which survived."
    )
    assert confirmed_grid(groups).rows[0][3] == "2 (3 diverged)"
    found = differences(groups)["best"]
    assert found is not None and (found.verdict, found.n, seeds_to_decide(found)) == ("undecided", 2, None)


def test_nor_is_one_better_than_a_rival_that_diverged():
    groups = confirm(*FIVE, diverged={("paper", 2)})
    first, second = sentences(groups)[:2]
    assert first.startswith("Undecided whether") and second.startswith("The paper's setting diverged on 1 of 5 fresh ")


def test_of_a_config_all_of_whose_seeds_diverged_nothing_is_left():
    groups = confirm(*FIVE, diverged={("best", seed) for seed in range(1, 6)})
    assert confirmed_grid(groups).rows[0][1:] == ["none finished", "none finished", "0 (5 diverged)", ""]
    assert sentences(groups)[1].endswith("on 5 of 5 fresh seeds (seeds 1, 2, 3, 4 and 5): none is left.")


def test_fresh_seeds_prefer_no_config_that_diverged_and_a_search_s_luck_is_not_told_of_it():
    one, two, three = (
        Confirmed(role, {}, {1: score}, {1: 0.5}, searched=0.9, diverged=diverged)
        for role, score, diverged in (("best", 0.5, (2,)), ("best-2", 0.6, ()), ("best-3", 0.75, (3,)))
    )
    said = sentences([one, two, three])
    assert said[-1].startswith(
        "On fresh seeds, best-2 has the best mean val score of the configs found that did not di"
    )
    assert not any("luck" in sentence for sentence in said)
