import json
from pathlib import Path

from tuning.exports.exported import Exported, show
from tuning.exports.registered import Registered


def test_exported_files_are_listed(capsys):
    files = ["a b/best.yaml", "a b/model.pt2"]
    registered = Registered("lt-tune-demo", "3", "challenger", "0.5 against 0.6")
    found = Exported(tuple(map(Path, files)), registered, ("look",))
    assert show(found, as_json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["files"] == files and document["notes"] == ["look"]
    assert document["registered"]["uri"] == "models:/lt-tune-demo/3"
    assert document["registered"]["alias"] == "challenger"
    assert show(found, as_json=False) == 0
    out, err = capsys.readouterr()
    assert err == "note: look\n"
    assert out.splitlines() == [
        *files,
        "train it again: lt-tune train 'a b/best.yaml'",
        "classify with it: lt-tune predict 'a b' IMAGE_OR_FOLDER",
        "in MLflow: models:/lt-tune-demo/3, challenger (0.5 against 0.6)",
    ]


def test_an_export_whose_model_was_not_registered_has_failed(capsys):
    assert show(Exported((Path("best.yaml"),), failed=True), as_json=False) == 1
    assert show(Exported((Path("best.sh"),)), as_json=False) == 0
    assert capsys.readouterr().out == "best.yaml\ntrain it again: lt-tune train best.yaml\nbest.sh\n"
