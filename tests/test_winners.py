from dataclasses import replace

import pytest
from exporting import RANKED, SETTINGS, night
from mlflow import MlflowClient
from recording import SPACE, STARTED, ask, database, deliver, epochs
from scipy import stats

from lt_core import InputError
from search_spaces import Study
from search_spaces.study import Constraint
from tuning.log.events import Event, Told
from tuning.record import reading as record
from tuning.reports.winners import summary, winners


def begun(**fields):
    """A study's start, which says what is searched."""
    return replace(STARTED, artifacts={"study.yaml": Study(space=SPACE, **fields).dump()})


BEGUN = begun()


def finished(trial, score, outcomes=None, **settings):
    told = Told(trial, "finished", outcomes=outcomes or {})
    return [ask(trial, **settings), *epochs(trial, None, None, score, score), told]


@pytest.fixture(scope="module")
def night_uri(tmp_path_factory):
    uri = database(tmp_path_factory.mktemp("night"))
    deliver(uri, night(fresh={1: 0.75, 2: 0.5, 3: 0.625}))
    return uri


def test_the_best_come_first_with_their_configs_and_scores(night_uri):
    found = winners(night_uri, "night", 99)
    assert [w.trial for w in found.best] == list(RANKED)
    assert [w.config for w in found.best] == [SPACE.config(SETTINGS[trial]) for trial in RANKED]
    scores = [w.score for w in found.best]
    assert scores == sorted(scores, reverse=True) and len(set(scores)) == 3
    assert [w.name for w in found.best] == ["best", "best-2", "best-3"]
    assert (found.study, found.study_id, found.experiment) == ("night", "id of night", "mine")
    parent = MlflowClient(night_uri).get_run(found.run_id)
    assert parent.data.tags["lt.kind"] == "study" and parent.info.experiment_id == found.experiment_id


def test_fresh_seeds_are_of_the_same_recipe(night_uri):
    best, *others = winners(night_uri, "night", 3).best
    assert best.fresh == {"score": {1: 0.75, 2: 0.5, 3: 0.625}, "test_acc": {1: 0.375, 2: 0.25, 3: 0.3125}}
    assert [other.fresh for other in others] == [{}, {}]
    document = best.document()
    assert document["confirmed"]["score"]["by_seed"] == {"1": 0.75, "2": 0.5, "3": 0.625}
    assert others[0].document()["confirmed"] is None
    assert document["seed"] == 0 and document["score"] == best.score
    assert best.settings["T1"] == 3 and best.settings["epsilon"] == 1e-5 and document["settings"] == best.settings


def confirming(number, seed, score, **settings):
    return [ask(number, "confirm", "best", seed, **settings), *epochs(number, None, score), Told(number, "finished")]


def test_configs_are_ranked_by_their_mean_on_fresh_seeds(uri):
    a, b, c = {"T1": 1}, {"T1": 2}, {"T1": 3}
    events = [*finished(0, 0.9, **a), *finished(1, 0.8, **b), *finished(2, 0.7, **c)]
    for number, (seed, score, settings) in enumerate(
        [(1, 0.5, a), (2, 0.5, a), (1, 0.5, b), (2, 0.75, b), (1, 0.99, c)], 3
    ):
        events += confirming(number, seed, score, **settings)
    deliver(uri, [BEGUN, *events])
    assert [w.trial for w in winners(uri, "mine-1", 9, "confirmed").best] == [1, 0]
    assert [w.trial for w in winners(uri, "mine-1", 1, "confirmed").best] == [1]
    assert [w.trial for w in winners(uri, "mine-1", 9).best] == [0, 1, 2]


def test_nothing_confirmed_cannot_be_ranked_by_it(uri):
    deliver(uri, [BEGUN, *finished(0, 0.9)])
    with pytest.raises(InputError, match=r"study mine-1 has no config that is confirmed on fresh seeds to export yet"):
        winners(uri, "mine-1", 1, "confirmed")
    with pytest.raises(InputError, match="there is no --by `means`; allowed: score, confirmed"):
        winners(uri, "mine-1", 1, "means")


def test_of_equals_the_earlier_is_before_and_each_config_stands_once(uri):
    events = [finished(i, score, T1=T1) for i, (score, T1) in enumerate([(0.5, 0), (0.75, 1), (0.75, 2), (0.75, 1)])]
    deliver(uri, [BEGUN, *(event for group in events for event in group)])
    assert [w.trial for w in winners(uri, "mine-1", 9).best] == [1, 2, 0]
    assert [w.trial for w in winners(uri, "mine-1", 1).best] == [1]


def test_only_trials_of_full_length_count(uri):
    stopped: list[Event] = [ask(0, T1=0), *epochs(0, 0.9), Told(0, "early_stopped")]
    failed: list[Event] = [ask(1, T1=1), *epochs(1, 0.9), Told(1, "failed", error="x")]
    deliver(uri, [BEGUN, *stopped, *failed])
    with pytest.raises(InputError, match="study mine-1 has no trial of full length to export yet"):
        winners(uri, "mine-1", 1)
    deliver(uri, [BEGUN, *stopped, *failed, *finished(2, 0.25, T1=2)])
    assert [w.trial for w in winners(uri, "mine-1", 5).best] == [2]


def test_the_newest_study_of_a_name_counts(uri):
    for time, score in ((2, 0.5), (3, 0.25), (1, 0.75)):
        deliver(uri, [replace(BEGUN, study_id=f"mine {time}", time=time), *finished(0, score)])
    assert [w.score for w in winners(uri, "mine-1", 9).best] == [0.25]


def test_those_outside_the_constraints_are_left_out(uri):
    started = begun(constraints=(Constraint(metric="val_acc_head", at_least=0.5),))
    tried = [(0.75, 0.25), (0.625, 0.5), (0.5, 0.75)]
    events = [finished(i, score, {"val_acc_head": head}, T1=i) for i, (score, head) in enumerate(tried)]
    deliver(uri, [started, *(event for group in events for event in group)])
    assert [w.trial for w in winners(uri, "mine-1", 1).best] == [1]
    assert [w.trial for w in winners(uri, "mine-1", 9).best] == [1, 2]


def test_none_within_the_constraints_is_told(uri):
    started = begun(constraints=(Constraint(metric="val_acc_head", at_least=0.5),))
    deliver(uri, [started, *finished(0, 0.75, {"val_acc_head": 0.25})])
    with pytest.raises(InputError, match=r"no trial of full length within val_acc_head >= 0\.5 to export yet"):
        winners(uri, "mine-1", 1)


def test_of_several_objectives_the_front_comes_by_the_first(uri):
    started = begun(objectives=("score", "val_acc_tail"))
    tried = [(0.5, 0.75), (0.75, 0.25), (0.625, 0.125), (0.625, 0.5), (0.25, 0.5)]
    events = [finished(i, score, {"val_acc_tail": tail}, alpha=20.0 + i) for i, (score, tail) in enumerate(tried)]
    deliver(uri, [started, *(event for group in events for event in group)])
    assert [w.trial for w in winners(uri, "mine-1", 9).best] == [1, 3, 0]
    assert [w.trial for w in winners(uri, "mine-1", 2).best] == [1, 3]


def test_the_first_objective_ranks(uri):
    started = begun(objectives=("val_acc_tail",))
    events = [finished(i, 0.75 - i / 8, {"val_acc_tail": 0.5 + i / 8}, T1=i) for i in range(3)]
    deliver(uri, [started, *(event for group in events for event in group)])
    assert [w.trial for w in winners(uri, "mine-1", 2).best] == [2, 1]


def test_no_more_of_a_large_study_is_read_than_is_needed(uri, monkeypatch):
    scores = [0.25, 0.75, 0.5, 0.75, 0.125, 0.625, 0.0625]
    events = [finished(i, score, alpha=20.0 + i) for i, score in enumerate(scores)]
    deliver(uri, [BEGUN, *(event for group in events for event in group)])
    monkeypatch.setattr(record, "PAGE", 2)
    read: list[int] = []
    search = MlflowClient.search_runs

    def counted(self, *arguments, **options):
        page = search(self, *arguments, **options)
        read.extend(int(run.data.tags["lt.trial"]) for run in page if run.data.tags["lt.kind"] == "trial")
        return page

    monkeypatch.setattr(MlflowClient, "search_runs", counted)
    assert [w.trial for w in winners(uri, "mine-1", 2).best] == [1, 3]
    assert sorted(read) == [1, 2, 3, 5]  # a page of the best, and one that shows that no other ties with them


def test_the_interval_is_students(night_uri):
    values = {1: 0.75, 2: 0.5, 3: 0.625}
    found = summary(values)
    low, high = stats.t.interval(0.95, 2, loc=0.625, scale=0.125 / 3**0.5)
    assert found["mean"] == 0.625 and found["std"] == pytest.approx(0.125)
    assert (found["low"], found["high"]) == pytest.approx((low, high))
    assert summary({4: 0.5}) == {"mean": 0.5, "by_seed": {"4": 0.5}}
    cut = summary({1: 0.9, 2: 1.0})
    assert cut["high"] == 1.0 and cut["low"] > 0


def test_a_study_that_is_not_there_is_refused(night_uri):
    with pytest.raises(InputError, match="the record has no study `none`"):
        winners(night_uri, "none", 1)


def test_seeds_that_drew_other_images_are_of_the_config_and_controls_are_not(uri):
    resampled = ask(1, "confirm", "best", seed=1, T1=1)
    resampled.tags["lt.recipe_id"] = "of other images"
    exact = ask(2, "confirm", "exact", seed=1, T1=1)
    told = [Told(n, "finished", {"test_acc": 0.5, "test_acc_last": 0.5}) for n in (1, 2)]
    whole = [*epochs(1, None, 0.5, 0.5, 0.75), told[0]], [*epochs(2, None, 0.5, 0.5, 0.875), told[1]]
    deliver(uri, [BEGUN, *finished(0, 0.75, T1=1), resampled, *whole[0], exact, *whole[1]])
    assert winners(uri, "mine-1", 1).best[0].fresh == {"score": {1: 0.75}, "test_acc": {1: 0.5}}


def test_fresh_seeds_that_diverged_are_told_apart_from_those_that_finished(uri):
    events = [BEGUN, *finished(0, 0.75, T1=1)]
    for number, (seed, how) in enumerate({1: "finished", 2: "diverged", 3: "failed"}.items(), 1):
        test = {"test_acc": 0.5} if how == "finished" else {}
        events += [ask(number, "confirm", "best", seed, T1=1), *epochs(number, None, 0.5, 0.5, 0.5)]
        events += [Told(number, how, test)]
    twin = ask(4, "confirm", "best", 4, T1=1)
    deliver(uri, [*events, twin, *epochs(4, None, 0.5, 0.5, 0.5), Told(4, "diverged", reused_from=2)])
    best = winners(uri, "mine-1", 1).best[0]
    assert (best.fresh, best.diverged) == ({"score": {1: 0.5}, "test_acc": {1: 0.5}}, (2, 4))
    assert best.document()["diverged"] == [2, 4]


def test_whole_trainings_taken_over_from_another_study_count_and_shorter_ones_do_not(uri):
    whole: list[Event] = [
        ask(0, T1=0),
        *epochs(0, None, 0.5, 0.5, 0.75),
        Told(0, "finished", reused_from="run of another"),
    ]
    stopped: list[Event] = [ask(1, T1=1), *epochs(1, None, 0.875), Told(1, "early_stopped", reused_from="another")]
    deliver(uri, [BEGUN, *whole, *stopped, *finished(2, 0.5, T1=2)])
    assert [w.trial for w in winners(uri, "mine-1", 9).best] == [0, 2]
