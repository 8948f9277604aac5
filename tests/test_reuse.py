"""What a study takes over of what its home has trained."""

import pytest


@pytest.mark.slow
def test_a_second_study_takes_over_what_the_first_has_trained(lt):
    study = ("search", "demo", "--epochs", 3, "--trials", 2, "--confirm", 1, "--confirm-top", 1)
    first, second = lt.document(*study), lt.document(*study)
    assert [study["study"] for study in (first, second)] == ["demo-1", "demo-2"]
    assert second["confirmed"] == first["confirmed"]
    assert sum(epoch["result"]["seconds"] for epoch in lt.events("demo-2", "EpochDone")) == 0

    def runs(name):
        found = [run for run in lt.runs() if run.data.tags["lt.study"] == name and run.data.tags["lt.trial"] != "none"]
        return {run.data.tags["lt.trial"]: run for run in found}

    trained, reused = runs("demo-1"), runs("demo-2")
    assert {run.data.tags["lt.stop_reason"] for run in reused.values()} == {"reused"}
    assert [run.data.tags["lt.reused_from"] for run in reused.values()] == [r.info.run_id for r in trained.values()]
    for number, run in reused.items():
        assert lt.series(run, "val_acc") == lt.series(trained[number], "val_acc")
        assert (run.data.metrics["epochs_trained"], run.data.metrics["epochs_reused"]) == (0, 3)
        assert ("test_acc" in run.data.metrics) == (run.data.tags["lt.kind"] == "confirm")
        assert run.data.metrics.get("test_acc") == trained[number].data.metrics.get("test_acc")


@pytest.mark.slow
def test_the_same_command_gives_the_same_trials_in_a_home_that_has_them_whole(lt, tmp_path):
    study = ("search", "demo", "--trials", 5, "--confirm", 0, "--concurrent", 1)
    lt.document(*study, "--rungs", "none")
    full, empty = lt.document(*study), lt.document(*study, "--home", tmp_path / "empty")
    assert [trial | {"reused": False} for trial in full["trials"]] == empty["trials"]
    assert any(trial["reused"] and trial["stop_reason"] == "early_stopped" for trial in full["trials"])
    assert "reused" in {run.data.tags["lt.stop_reason"] for run in lt.runs("trial")}
