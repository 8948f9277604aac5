import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import LtTune
from recording import SPACE, STARTED, ask, deliver, epochs
from test_reading import STUDY

from lt_core import InputError, TrainConfig, override
from search_spaces import CONFIGS
from search_spaces.controls import plain_cross_entropy
from tuning.log.events import Asked, Ended, Event, Told
from tuning.record.identity import Identity
from tuning.record.runs import RecordedRun
from tuning.reports.compare import Subject, comparison, decisive, differences, differing, sentences, subjects
from tuning.reports.statistics import differences_to

# --- configs ----------------------------------------------------------------------------------------

IB = SPACE.base
CE = plain_cross_entropy(IB)


def test_only_what_differs_is_named_by_path():
    other = override(IB, {"phases.1.loss.alpha": 20.0, "optimizer.lr": 0.2})
    assert differing([IB, other]) == {"optimizer.lr": [0.05, 0.2], "phases.1.loss.alpha": [1000.0, 20.0]}


def test_configs_that_train_identically_do_not_differ_nor_do_seeds():
    assert differing([IB, override(IB, {"seed": 7})]) == {}
    late = override(IB, {"phases.1.start": 9})
    assert differing([late, override(late, {"phases.1.loss.alpha": 2.0})]) == {}  # a phase without an epoch


def test_a_part_that_one_has_not_is_none_there():
    found = differing([IB, CE])
    assert found["phases.1.loss.kind"] == ["influence_balanced", None]
    assert found["phases.1.start"] == [IB.phases[1].start, None]


# --- values -----------------------------------------------------------------------------------------


def made(
    name: str, config=IB, kind: str = "confirm", data: str = "d", core: str = "c", **values: list[float]
) -> Subject:
    """A subject with runs on seeds 1, 2, ..."""
    tags = {"lt.kind": kind, "lt.data_id": data, "lt.core_id": core}
    count = max((len(each) for each in values.values()), default=0)
    runs = {
        seed: RecordedRun(
            "", tags, {}, {m: each[seed - 1] for m, each in values.items() if seed <= len(each)}, "finished"
        )
        for seed in range(1, count + 1)
    }
    return Subject(name, config, runs)


A = made("a", test_acc=[0.5, 0.5, 0.5], score=[0.6, 0.6, 0.6])
B = made("b", CE, test_acc=[0.6, 0.61, 0.62], score=[0.5, 0.5])


def test_differences_are_paired_over_seeds_to_the_first():
    assert differences([A, B], "test_acc") == differences_to(A.values("test_acc"), [B.values("test_acc")])
    (gap,) = differences([A, B], "score")
    assert gap is not None and (gap.n, gap.mean) == (2, -0.1)


def test_the_table_has_a_row_for_each_metric_and_a_column_for_each_config_and_difference():
    grid = comparison([A, B]).tables["results"]
    assert grid.heads == ["", "a", "b", "b - a"]
    assert [row[0] for row in grid.rows] == ["seeds", "score", "test_acc", "best epoch"]
    assert grid.rows[0] == ["seeds", "1, 2, 3", "1, 2, 3", ""]
    assert grid.rows[2][1:3] == ["50.00 ± 0.00", "61.00 ± 1.00"] and grid.rows[2][3].startswith("+11.00 [+8.52")


def test_the_table_of_differences_hides_what_a_missing_phase_would_have():
    paths = [row[0] for row in comparison([A, B]).tables["differing"].rows]
    assert paths[:2] == ["method", "recipe id"]
    assert {"phases.1.start", "phases.1.loss.kind"} <= set(paths) and "phases.1.loss.gamma" not in paths


def test_the_verdict_is_about_the_test_part_where_all_have_it():
    assert decisive([A, B]) == "test_acc"
    assert decisive([A, made("c", score=[0.5])]) == "score"
    macro = {"test_acc": [0.5], "test_acc_macro": [0.4]}
    assert decisive([made("d", **macro), made("e", **macro)]) == "test_acc_macro"
    (said,) = sentences([A, B])
    assert said.startswith(
        "b is better than a: +11.00 points of test accuracy, 95 % interval [+8.52, +13.48], 3 paired"
    )


def test_several_share_their_5_percent():
    said = sentences([A, B, made("c", CE, test_acc=[0.5, 0.6, 0.4])])
    assert ["Holm-corrected over 2 configs" in sentence for sentence in said] == [True, True]
    assert said[1].startswith("Undecided whether c is better than a")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (made("b", CE), ["b has no run of full length in the record."]),
        (made("b", CE, data="e", test_acc=[0.6, 0.7]), ["They were not all trained on the same data."]),
        (made("b", CE, core="e", test_acc=[0.6, 0.7]), ["They were not all trained by the same lt_core."]),
        (made("b", CE, "trial", score=[0.6, 0.7]), ["Scores that a search chose for being the best are too good."]),
        (made("b", test_acc=[0.6]), ["They train identically but for their seeds."]),
    ],
)
def test_what_stands_against_a_comparison_is_said(other, said):
    assert sentences([A, other])[-1:] == said


# --- out of the record ------------------------------------------------------------------------------


BEST, PAPER = {1: 0.75, 2: 0.8125}, {1: 0.5, 2: 0.75}  # test accuracies


def confirming(first: int, role: str, accuracies: dict[int, float], **settings: Any) -> list[Event]:
    events: list[Event] = []
    for seed, accuracy in accuracies.items():
        number, done = first + seed, Told(first + seed, "finished", {"test_acc": accuracy, "test_acc_last": 0.5})
        events += [ask(number, "confirm", role, seed=seed, **settings), *epochs(number, None, None, 0.5, 0.5), done]
    return events


EVENTS: list[Event] = [
    replace(STARTED, artifacts={"study.yaml": STUDY.dump()}),
    *(ask(0, role="paper"), *epochs(0, None, None, 0.5, 0.5), Told(0, "finished")),
    *(ask(1, alpha=20.5), *epochs(1, None, None, 0.75, 0.75), Told(1, "finished")),
    *(ask(2, alpha=30.5), *epochs(2, None, None, 0.625, 0.625), Told(2, "finished")),
    *(ask(3, alpha=40.5), *epochs(3, None, None, 0.1), Told(3, "early_stopped")),
    *confirming(10, "best", BEST, alpha=20.5),
    *confirming(20, "paper", PAPER),
    Ended("finished", artifacts={"study.yaml": STUDY.dump()}),
]


@pytest.fixture(scope="module")
def lt(lt_of_module: LtTune) -> LtTune:
    deliver(lt_of_module.uri, EVENTS)
    (lt_of_module.folder / "paper.yaml").write_text(SPACE.base.dump())
    return lt_of_module


def test_a_study_is_its_best_config_and_a_trial_a_file_an_id_what_they_say(lt, monkeypatch):
    monkeypatch.chdir(lt.folder)
    best, trial, file, by_id = subjects(lt.uri, ["mine-1", "mine-1/1", "paper.yaml", SPACE.base.id])
    assert best.config.id == trial.config.id == SPACE.config({"alpha": 20.5}).id
    assert file.config.id == by_id.config.id == SPACE.base.id
    assert [list(s.runs) for s in (best, trial, file, by_id)] == [[1, 2]] * 4
    assert best.values("test_acc") == BEST and file.values("test_acc") == PAPER
    assert subjects(lt.uri, ["demo", "mine-1"])[0].config == CONFIGS["demo"]


def test_runs_of_a_search_count_only_where_there_are_no_others(lt):
    best, trial = subjects(lt.uri, ["mine-1", "mine-1/2"])
    assert list(best.runs) == [0, 1, 2] and list(trial.runs) == [0]
    assert best.values("score")[0] == 0.75 and "test_acc" not in best.runs[0].metrics
    assert decisive([best, trial]) == "score"


def test_a_trial_that_was_stopped_has_no_values(lt):
    stopped = subjects(lt.uri, ["mine-1/3", "mine-1"])[0]
    assert stopped.runs == {} and stopped.config.phases[1].loss.plain()["alpha"] == 40.5


def told(lt: LtTune, *arguments: object) -> str:
    code, out, err = lt.here("compare", *arguments)
    assert (code, err) == (0, "")
    return out


def test_the_verb_prints_both_tables_and_the_verdict(lt):
    shown = told(lt, "mine-1", "paper.yaml")
    for words in ("What differs", "phases.1.loss.alpha", "20.5", "1000.0", "paper.yaml - mine-1", "Undecided whether"):
        assert words in shown
    assert told(lt, "mine-1", "mine-1/0", "--format", "md").startswith("# mine-1 and mine-1/0\n")
    assert told(lt, "mine-1", "mine-1/0", "--format", "csv").count("# ") == 2
    assert told(lt, "mine-1", "mine-1/0", "--format", "html").startswith("<!doctype html>")


def test_as_json_it_is_one_document(lt):
    found = json.loads(told(lt, "mine-1", "paper.yaml", "--json"))
    assert found["differing"] == {"phases.1.loss.alpha": [20.5, 1000.0]}
    assert found["compared"][0]["values"]["test_acc"] == {"1": 0.75, "2": 0.8125}
    assert found["differences"]["test_acc"]["paper.yaml"]["mean"] == -0.15625


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["mine-1"], "compare needs two or more different things, but got mine-1"),
        (["mine-1", "mine-1"], "compare needs two or more different things"),
        (["mine-1", "mine-2"], "the record has no study `mine-2` (did you mean `mine-1`?); compare also takes trials"),
        (["mine-1", "mine-1/99"], "study mine-1 has no trial 99"),
        (["mine-1", "0123456789ab"], "no run of full length of config 0123456789ab"),
        (["mine-1", "none.yaml"], "none.yaml cannot be read"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(lt, names, sentence):
    code, out, err = lt.here("compare", *names)
    assert (code, out) == (2, "") and err.startswith("error: ") and sentence in err and err.count("\n") == 1
    if len(set(names)) > 1:
        with pytest.raises(InputError):
            subjects(lt.uri, names)


# --- seeds that draw their own images, and seeds that diverge ---------------------------------------


def drawn(event: Event, subset_seed: int) -> Event:
    """A training that draws other images."""
    assert isinstance(event, Asked)
    config = override(TrainConfig.parse(event.config), {"data.subset_seed": subset_seed})
    return replace(event, config=config.plain(), tags={**event.tags, **Identity(Path()).tags(config)})


def resampled(first: int, role: str, accuracies: dict[int, float], **settings: Any) -> list[Event]:
    """As a study with --resample confirms: each seed on images of its own."""
    found = confirming(first, role, accuracies, **settings)
    return [drawn(e, e.trial - first) if isinstance(e, Asked) else e for e in found]


def compared(uri: str, *events: Event) -> list[Subject]:
    search = [e for e in EVENTS if getattr(e, "trial", 0) < 10 and not isinstance(e, Ended)]
    deliver(uri, [*search, *events, EVENTS[-1]])
    return subjects(uri, ["mine-1", "mine-1/0"])


def test_seeds_that_drew_images_of_their_own_are_paired(uri):
    best, paper = compared(uri, *resampled(10, "best", {**BEST, 3: 0.8}, alpha=20.5), *resampled(20, "paper", PAPER))
    assert best.values("test_acc") == {**BEST, 3: 0.8} and paper.values("test_acc") == PAPER
    (gap,) = differences([best, paper], "test_acc")
    assert gap is not None and gap.n == 2
    said = sentences([best, paper])
    assert "Seeds differ in their images, too." in said
    assert not any("same data" in sentence for sentence in said)


def test_of_a_seed_that_was_trained_on_several_draws_the_one_that_all_have_counts(uri):
    mixed = [*confirming(10, "best", BEST, alpha=20.5), *resampled(20, "best", {1: 0.25, 2: 0.25}, alpha=20.5)]
    best, paper = compared(uri, *mixed, *resampled(30, "paper", PAPER))
    assert best.values("test_acc") == {1: 0.25, 2: 0.25} and paper.values("test_acc") == PAPER
    assert best.identities("lt.data_id") == paper.identities("lt.data_id")


def test_a_config_that_diverged_on_a_seed_is_neither_better_nor_worse(uri):
    third = ask(33, "confirm", "paper", seed=3)
    lost = [third, *epochs(33, None, None, 0.5), Told(33, "diverged")]
    best, paper = compared(uri, *confirming(10, "best", BEST, alpha=20.5), *confirming(30, "paper", PAPER), *lost)
    assert (list(best.runs), list(best.lost), list(paper.runs), list(paper.lost)) == ([1, 2], [], [1, 2], [3])
    said = sentences([best, paper])
    assert said[0].startswith("Undecided whether mine-1/0 is better than mine-1, since seeds diverged: -15.62 points")
    assert said[1] == ("mine-1/0 diverged on 1 of 3 seeds (seed 3): its means are of the others, which survived.")


def test_runs_of_an_older_record_are_found_by_their_recipe(uri):
    events = [*confirming(10, "best", BEST, alpha=20.5), *confirming(30, "paper", PAPER)]
    for event in events:
        if isinstance(event, Asked):
            del event.tags["lt.any_split_id"]
    best, paper = compared(uri, *events)
    assert (best.values("test_acc"), paper.values("test_acc")) == (BEST, PAPER)
