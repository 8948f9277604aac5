import numpy as np
import pytest
from test_events import asked, epoch
from test_library import write

from lt_core import Data, InputError, override
from search_spaces import SPACES, Study
from tuning.engine.preparation import known_from, prepare, unseen
from tuning.log.events import StudyFolder, Told
from tuning.shell.home import Home


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("LT_DATA", raising=False)
    return Home.at(tmp_path, None)


def study(**fields):
    return Study.parse({"space": SPACES["demo"].plain(), **fields})


def test_an_objective_must_be_of_all_data_that_a_trial_may_have(home):
    base = override(SPACES["demo"].base, {"data.imbalance": 20.0})
    labels = {"20": {}, "2": {"data.imbalance": 2.0}}
    varied = {"name": "v", "base": base.plain(), "domains": {"rho": {"kind": "choice", "labels": labels}}}
    found = Study.parse({"space": varied, "objectives": ["score", "val_acc_few"]})
    with pytest.raises(InputError, match="objectives: there is no metric with a class in val `val_acc_few`"):
        prepare(found, home, download=False)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"objectives": ["score", "val_acc_many"]},
            "objectives: there is no metric with a class in val `val_acc_many`",
        ),
        ({"constraints": [{"metric": "val_acc_many", "at_least": 0.5}]}, "constraints: there is no metric"),
    ],
)
def test_what_no_class_gives_is_refused_before_training(home, fields, said):
    with pytest.raises(InputError) as caught:
        prepare(study(**fields), home, download=False)
    assert said in str(caught.value)


def test_metrics_of_groups_that_have_a_class_are_taken(home):
    metric = {"metric": "val_acc_head", "at_least": 0.7}
    prepare(study(objectives=["score", "val_acc_tail"], constraints=[metric]), home, download=False)


def test_classes_without_val_or_test_images_are_named(home, tmp_path):
    labels = np.repeat(range(3), 9)
    split = np.array((["train"] * 5 + ["val"] * 2 + ["test"] * 2) * 2 + ["train"] * 8 + ["test"])
    names = np.array(["cat", "dog", "emu"])
    images = np.zeros((27, 8, 8), np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=labels, split=split, class_names=names)
    path = str(tmp_path / "own.npz")
    assert list(unseen(Data(name="npz", path=path), home)) == [
        f"val of {path} has no image of 1 of 3 classes (emu): val accuracies are over the others"
    ]
    assert list(unseen(SPACES["demo"].base.data, home)) == []


def test_data_that_is_missing_is_refused(home):
    with pytest.raises(InputError, match="dataset cifar10 is missing"):
        prepare(Study(space=SPACES["ib2021-cifar10"]), home, download=False)


POINT = {"T1": 3, "epsilon": 1e-3, "alpha": 50.0}


def earlier(home, **settings):
    write(
        home.path,
        "night",
        asked(0, **{**POINT, **settings}),
        epoch(0, 1, 0.5),
        Told(0, "finished"),
        asked(1, **POINT),
        epoch(1, 1, 0.4),
        Told(1, "early_stopped"),
    )
    StudyFolder(home.path, "night").write_study(study().dump())


def test_finished_trials_of_an_earlier_study_are_known(home):
    earlier(home)
    (known,) = known_from(home, "night", study())
    assert (known.settings, known.values) == (POINT, (0.5,))
    assert known_from(home, "night", study(objectives=["score", "val_acc_tail"]))[0].values == (0.5, 0.5)


def test_an_earlier_trial_outside_the_space_is_refused_not_dropped(home):
    earlier(home, alpha=1e6)
    with pytest.raises(InputError, match=r"--warm-start: trial 0 of night is no point of this space: alpha: 1000000"):
        known_from(home, "night", study())


def test_an_earlier_study_must_be_there(home):
    earlier(home)
    with pytest.raises(InputError, match=r"--warm-start: there is no study nigt .*did you mean `night`"):
        known_from(home, "nigt", study())
