import json

import optuna
import pytest
from exporting import BEST, SETTINGS, night
from recording import database, deliver

from lt_core import InputError, TrainConfig
from tuning.exports.config_formats import ENDINGS, ending, text
from tuning.reports.winners import winners


@pytest.fixture(scope="module")
def winner(tmp_path_factory):
    uri = database(tmp_path_factory.mktemp("night"))
    deliver(uri, night())
    return winners(uri, "night", 1).best[0]


def test_yaml_and_json_are_the_config(winner):
    assert TrainConfig.load(text(winner, "night", "yaml")) == BEST
    assert TrainConfig.parse(json.loads(text(winner, "night", "json"))) == BEST


def test_argparse_is_a_command_line_or_a_sentence(winner):
    assert text(winner, "night", "argparse").startswith("# no official command line: the scripts of LDAM and IB train")


def test_optuna_takes_the_params_into_a_study_of_its_own(winner):
    found = json.loads(text(winner, "night", "optuna"))
    assert found["params"].keys() == {"T1", "epsilon", "alpha"}
    assert {name: found["params"][name] for name in SETTINGS[2]} == SETTINGS[2]
    study = optuna.create_study(direction=found["direction"])
    study.enqueue_trial(found["params"], user_attrs=found["user_attrs"])
    trial = study.ask()
    assert trial.suggest_int("T1", 0, 4) == 3 and trial.suggest_float("epsilon", 1e-8, 0.1, log=True) == 1e-5
    study.tell(trial, found["value"])
    assert study.best_trial.user_attrs["config_id"] == BEST.id


def test_an_unknown_format_is_refused():
    assert [ending(form) for form in ENDINGS] == [".yaml", ".json", ".sh", ".optuna.json"]
    with pytest.raises(InputError, match=r"there is no format `jsn` \(did you mean `json`\?\)"):
        ending("jsn")
