import os
import re
import time
from dataclasses import replace

import pytest

from lt_core import InputError
from search_spaces import SPACES, Int, Space, Study
from tuning.log.events import Asked, Ended, EventLog, Started, StudyFolder, Told
from tuning.shell.home import Home
from tuning.verbs.asked import Changes, Opened, build, is_over, load, notes, open_study, other_task, plan, state, stored
from tuning.verbs.asked import opened as asked_for

DEMO = SPACES["demo"]
FIELDS = ("trials", "concurrent", "sampler", "rungs", "seed", "confirm", "cpus", "gpus", "first")


def changes(scale=None, epochs=None, overrides=(), fixed=(), ranges=(), **fields):
    """As the command line makes them: None for a field that is not given."""
    given = {name: fields.get(name) for name in FIELDS}
    return Changes(scale, epochs, dict(overrides), dict(fixed), dict(ranges), given)


@pytest.fixture
def home(tmp_path):
    return Home.at(tmp_path / "home", None)


def kept(home, name, study=None, *events):
    """A study's folder as a start of it leaves it."""
    folder = StudyFolder(home.path, name)
    folder.path.mkdir(parents=True)
    folder.write_study((study or Study(space=DEMO)).dump())
    log = EventLog(folder.events_file, lambda event: None)
    for event in (Started(name, "lt-tune search", {}), *events):
        log.emit(event)
    return folder


def opened(home, *, name=None, resume=False, study=None, source=None, **given):
    asked = changes(**given)
    return open_study(home, source or Study(space=DEMO), study or build(Study(space=DEMO), asked), name, resume, asked)


def state_of(folder):
    return state(stored(folder), folder.history())


def refusal(call, *arguments, **fields):
    with pytest.raises(InputError) as caught:
        call(*arguments, **fields)
    return str(caught.value)


# --- what is asked for ------------------------------------------------------------------------------


def test_a_shipped_space_makes_a_study_with_the_defaults():
    assert build(Study(space=DEMO), changes()) == Study(space=DEMO)


def test_fields_override_the_defaults():
    study = build(Study(space=DEMO), changes(trials=3, seed=7, confirm=0, rungs={"epochs": []}, first=[{"T1": 3}]))
    assert (study.trials, study.seed, study.confirm, study.sampler) == (3, 7, 0, "tpe")
    assert study.effective_rungs.epochs == ()
    assert [point["T1"] for point in study.points] == [8, 3]


@pytest.mark.parametrize(("rungs", "kept"), [({"epochs": []}, ()), ({"epochs": [1], "since": "switch"}, (1,))])
def test_rungs_and_points_of_the_command_line_replace_a_file_s_before_it_is_scaled(rungs, kept):
    space = build(Study(space=DEMO), changes(epochs=8, ranges={"T1": (3, 5)}, fixed={})).space
    short = changes(epochs=4, rungs=rungs, first=[{"T1": 2}])
    file = Study.parse({"space": space.plain(), "rungs": {"epochs": [6, 7]}, "trials": 3, "first": [{"T1": 5}]})
    assert "a rung at epoch 3 cannot compare" in refusal(build, file, changes(epochs=4))
    study = build(file, short)
    assert (study.effective_rungs.epochs, study.first) == (kept, ({"T1": 2},))


def test_what_is_set_fixed_and_bounded_is_in_the_space():
    asked = changes(overrides={"optimizer.lr": 0.1}, fixed={"T1": 2}, ranges={"alpha": (100, 2000)})
    space = build(Study(space=DEMO), asked).space
    assert (space.base.optimizer.lr, space.base.phases[1].start) == (0.1, 2)
    assert list(space.domains) == ["epsilon", "alpha"]
    assert space.domains["alpha"] == DEMO.domains["alpha"].ranged(100, 2000)


@pytest.mark.parametrize("asked", [changes(scale=2), changes(epochs=32)])
def test_scaling_scales_the_base_and_the_domains(asked):
    space = build(Study(space=DEMO), asked).space
    assert (space.base.epochs, space.base.phases[1].start) == (32, 16)
    assert space.domains["T1"] == Int(path="phases.1.start", low=0, high=20)


def test_files_hold_a_space_or_a_study(tmp_path):
    study = Study(space=DEMO, trials=5, seed=3)
    (tmp_path / "space.yaml").write_text(DEMO.dump())
    (tmp_path / "study.yml").write_text(study.dump())
    assert build(load(str(tmp_path / "space.yaml")), changes()) == Study(space=DEMO)
    assert build(load(str(tmp_path / "study.yml")), changes()) == study
    assert build(load(str(tmp_path / "study.yml")), changes(trials=9)) == Study(space=DEMO, trials=9, seed=3)


# --- names and folders ------------------------------------------------------------------------------


def test_a_study_without_a_name_takes_the_first_free_number(home):
    assert opened(home)[0].name == "demo-1"
    kept(home, "demo-1")
    kept(home, "demo-3")
    assert opened(home)[0].name == "demo-2"


def test_opening_writes_nothing(home):
    folder, _ = opened(home, name="night")
    assert not folder.path.exists()


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "-x", "a b", "ä", "x" * 101])
def test_what_is_no_name_is_refused(home, name):
    assert f"--name `{name}` is no study name" in refusal(opened, home, name=name)


def test_a_name_in_use_shows_both_ways_on(home):
    kept(home, "night")
    said = refusal(opened, home, name="night")
    assert "--resume" in said and "another --name" in said


def claimed(home, folder, *, name=None, resume=False, **given):
    asked = changes(**given)
    study = build(Study(space=DEMO), asked)
    return Opened(home, "demo", Study(space=DEMO), study, asked, name, resume, folder, study).claimed()


def test_two_searches_that_start_at_once_take_a_number_each(home):
    first, second, third = (opened(home)[0] for _ in range(3))
    assert {first.name, second.name, third.name} == {"demo-1"}
    running, _ = claimed(home, first)
    running.write_study(Study(space=DEMO).dump())
    also_running, _ = claimed(home, second)
    assert (running.name, also_running.name) == ("demo-1", "demo-2")
    del running, first  # its process ends
    assert claimed(home, third)[0].name == "demo-3"


def test_a_name_that_another_search_took_meanwhile_is_refused(home):
    first, second = (opened(home, name="night")[0] for _ in range(2))
    running, _ = claimed(home, first, name="night")
    assert "is being run by another process" in refusal(claimed, home, second, name="night")
    running.write_study(Study(space=DEMO).dump())
    del running, first
    assert "study night exists" in refusal(claimed, home, second, name="night")
    assert second.study_file.read_text() == Study(space=DEMO).dump()


def test_a_study_that_another_process_extended_meanwhile_goes_on_as_it_is_now(home):
    folder = kept(home, "night", Study(space=DEMO, trials=5))
    opened(home, name="night", resume=True)
    folder.write_study(Study(space=DEMO, trials=8).dump())
    assert claimed(home, StudyFolder(home.path, "night"), name="night", resume=True)[1].trials == 8


def test_a_folder_with_a_log_alone_is_no_place_for_another_study(home):
    kept(home, "demo-1").study_file.unlink()
    assert opened(home)[0].name == "demo-2"


# --- going on ---------------------------------------------------------------------------------------


def test_resume_takes_the_newest_unfinished_study_of_the_space(home):
    other = Space.parse(DEMO.plain() | {"name": "other"})
    finished = Ended("finished")
    studies = [("a", DEMO, ()), ("b", DEMO, (Ended("interrupted"),)), ("c", DEMO, (finished,)), ("d", other, ())]
    now = time.time()
    for age, (name, space, events) in enumerate(reversed(studies)):
        file = kept(home, name, Study(space=space), *events).study_file
        os.utime(file, (now - age, now - age))
    assert opened(home, resume=True)[0].name == "b"
    assert opened(home, resume=True, name="a")[0].name == "a"
    assert "no unfinished study of third" in refusal(
        opened, home, resume=True, study=Study(space=Space.parse(DEMO.plain() | {"name": "third"}))
    )


@pytest.mark.parametrize("damaged", ["study.yaml", "events.jsonl"])
def test_resume_passes_over_what_cannot_be_read_and_names_it(home, capsys, damaged):
    old, new = kept(home, "old"), kept(home, "new")
    os.utime(old.study_file, (1, 1))
    (new.path / damaged).write_text('{"event": "Nope"}\n')
    assert opened(home, resume=True)[0].name == "old"
    assert f"note: study new is passed over: {new.path / damaged}" in capsys.readouterr().err
    assert str(new.path / damaged) in refusal(state_of, new)


def test_a_study_goes_on_as_it_was_started(home):
    own = Study(space=DEMO, trials=5, seed=3, sampler="random")
    kept(home, "night", own)
    assert opened(home, name="night", resume=True)[1] == own


def test_trials_confirmation_and_resources_may_change(home):
    own = Study(space=DEMO, trials=5, seed=3)
    kept(home, "night", own)
    given = {"trials": 9, "confirm": 2, "concurrent": 4, "cpus": 2.0, "gpus": 0.5}
    _, study = opened(home, name="night", resume=True, **given)
    assert study == own.model_copy(update=given)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"seed": 1}, "`seed` (0, now 1)"),
        ({"sampler": "random"}, "`sampler` (tpe, now random)"),
        ({"rungs": {"epochs": [12]}}, "another setting of `rungs.epochs.0` (none, now 12),"),
        ({"rungs": {"epochs": []}}, "another setting of `rungs.epochs` (none, now []),"),
        ({"first": [{"T1": 1}]}, "another setting of `first.0.T1` (none, now 1):"),
        ({"overrides": {"batch_size": 32}}, "`space.base.batch_size` (16, now 32)"),
        ({"fixed": {"T1": 1}}, "`space.domains.T1"),
        ({"ranges": {"T1": (0, 9)}}, "`space.domains.T1.high` (10, now 9)"),
        ({"epochs": 8}, "`space.base.epochs` (16, now 8)"),
    ],
)
def test_what_makes_another_study_is_refused_by_name(home, given, named):
    kept(home, "night")
    said = refusal(opened, home, name="night", resume=True, **given)
    assert named in said and "another study takes a new --name" in said


def test_a_file_that_changed_since_is_refused_with_the_difference(home):
    begun = Study(space=DEMO)
    kept(home, "night").write_source(begun.dump())
    changed = Study(space=DEMO.overridden({"batch_size": 64}))
    said = refusal(opened, home, name="night", resume=True, source=changed, study=changed)
    assert "`space.base.batch_size` (16, now 64)" in said
    more = begun.replaced(trials=40, concurrent=2)
    found = opened(home, name="night", resume=True, source=more, study=more)[1]
    assert (found.trials, found.concurrent) == (40, 2)


def test_a_study_with_options_goes_on_from_its_file_and_from_its_own_description(home):
    own = build(Study(space=DEMO), changes(epochs=8))
    kept(home, "night", own).write_source(Study(space=DEMO).dump())
    for source in (Study(space=DEMO), own):
        assert opened(home, name="night", resume=True, source=source, study=source)[1] == own


def test_the_same_settings_given_again_go_on(home):
    given = {"seed": 4, "epochs": 8, "fixed": {"T1": 1}, "overrides": {"batch_size": 32}}
    kept(home, "night", build(Study(space=DEMO), changes(**given)))
    assert opened(home, name="night", resume=True, trials=2, **given)[1].trials == 2


def test_a_study_is_not_cut_below_what_it_has(home):
    asked = [Asked(number, "trial", "", {}, DEMO.base.plain(), {}, {}) for number in range(4)]
    kept(home, "night", Study(space=DEMO, trials=4), *asked)
    said = refusal(opened, home, name="night", resume=True, trials=3)
    assert said == "study night has 4 trials: it can be extended, not cut to 3"
    assert opened(home, name="night", resume=True, trials=4)[1].trials == 4


def test_a_refused_seed_is_named_before_what_the_space_lacks(home):
    kept(home, "night", build(Study(space=DEMO), changes(epochs=6)))
    said = refusal(opened, home, name="night", resume=True, seed=5)
    assert said.startswith("study night was started with another setting of `seed` (0, now 5), `space.")


def test_another_space_is_named_first_and_what_is_not_named_is_counted(home):
    kept(home, "night", Study(space=SPACES["ib2021-cifar10"]))
    said = refusal(opened, home, name="night", resume=True, seed=5, sampler="random", first=[{"T1": 1}])
    assert "another setting of `space.name` (ib2021-cifar10, now demo), `sampler` (tpe, now random)," in said
    assert re.search(r", \d+ more: repeat", said)


def test_scores_of_other_data_or_of_another_length_are_named(home):
    kept(home, "short", build(Study(space=DEMO), changes(epochs=8)))
    for name, said in (("short", ["--warm-start: the scores of short are of other length"]), ("same", [])):
        if name == "same":
            kept(home, name)
        asked = replace(changes(), warm_start=name)
        study = Study(space=DEMO)
        folder = StudyFolder(home.path, "new")
        assert other_task(Opened(home, "demo", study, study, asked, None, False, folder, study)) == said


def test_a_plan_says_what_this_machine_lacks_and_times_nothing_then(tmp_path):
    home = Home.at(tmp_path / "home", None)
    found = asked_for(home, "demo", changes(cpus=512.0), None, False)
    assert any("a trial needs 512 CPU, but this machine has" in said for said in plan(found, False, None)[1])
    assert not any("512 CPU" in said for said in plan(found, False, "auto")[1])
    assert "--calibrate times epochs on this machine: a trial needs 512 CPU" in refusal(plan, found, True, None)


def test_a_domain_that_is_gone_is_named_whole(home):
    kept(home, "night")
    assert "`space.domains.T1` (there, now none)" in refusal(opened, home, name="night", resume=True, fixed={"T1": 3})


def test_a_point_with_a_fixed_symbol_is_refused():
    said = refusal(build, Study(space=DEMO), changes(fixed={"T1": 4}, first=[{"T1": 5}]))
    assert said == "--try gives T1, which --fix sets to 4: leave out one of them"


def test_a_study_of_another_space_is_refused(home):
    kept(home, "night", Study(space=SPACES["ib2021-cifar10"]))
    assert "`space.name` (ib2021-cifar10, now demo)" in refusal(opened, home, name="night", resume=True)


# --- its state --------------------------------------------------------------------------------------


def test_a_study_is_over_once_it_ended_by_itself_and_nothing_followed(home):
    asked = Asked(0, "trial", "paper", {}, DEMO.base.plain(), {}, {})
    folder = kept(home, "a", Study(space=DEMO, trials=2), asked, Told(0, "finished"), Ended("finished"))
    assert is_over(folder.history()) and state_of(folder) == "finished, 1 of 2 trials"
    assert stored(folder).trials == 2
    EventLog(folder.events_file, lambda event: None).emit(Asked(1, "trial", "", {}, DEMO.base.plain(), {}, {}))
    assert not is_over(folder.history()) and state_of(folder) == "unfinished, 1 of 2 trials"
    assert not is_over(kept(home, "b", None, Ended("interrupted")).history())
    assert not is_over(StudyFolder(home.path, "c").history())


def test_notes_say_what_is_not_searched_not_stopped_and_empty():
    assert notes(build(Study(space=DEMO), changes()), "demo") == []
    said = notes(build(Study(space=DEMO), changes(overrides={"epochs": 10}, fixed={"T1": 10})), "demo")
    assert "T1 is not searched: demo has it fixed here" in said
    assert "phase 2 (IB) holds no epoch of 10" in said
    assert any(
        note.startswith("no early stopping") for note in notes(build(Study(space=DEMO), changes(epochs=2)), "demo")
    )


def test_a_range_of_a_fixed_symbol_is_refused():
    said = refusal(build, Study(space=DEMO), changes(fixed={"alpha": 500}, ranges={"alpha": (100, 1000)}))
    assert said == "--range gives alpha, which --fix sets to 500: leave out one of them"
