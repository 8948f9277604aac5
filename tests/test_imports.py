import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lt_core

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "lt_core": {"lt_core"},
    "search_spaces": {"lt_core", "search_spaces"},
    "tuning": {"lt_core", "search_spaces", "tuning"},
}
PACKAGES = ("log", "shell", "record", "engine", "reports", "tables", "exports", "verbs")  # each imports earlier ones


def imported(path: Path) -> set[str]:
    """Top-level names of all modules that a file imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).partition(".")[0])
    return found


def test_core_and_spaces_pull_in_no_service():
    code = (
        "import sys, lt_core, search_spaces, pkgutil, importlib\n"
        "for package in (lt_core, search_spaces):\n"
        "    for module in pkgutil.iter_modules(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(module.name)\n"
        "print(sorted({'ray', 'optuna', 'mlflow', 'tuning'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    "module", ["verbs.asked", "verbs.show", "verbs.table_show", "verbs.table_plan", "exports.origin"]
)
def test_what_plans_refuses_and_prints_waits_for_no_service_and_not_for_matplotlib(module):
    code = f"import sys, tuning.{module}; print(sorted({{'ray', 'optuna', 'mlflow', 'matplotlib'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_a_report_of_a_table_waits_for_neither_ray_nor_matplotlib_and_mlflow_is_beside():
    others = "{'ray', 'optuna', 'matplotlib', 'mlflow'}"
    code = f"import sys, tuning.verbs.table_reporting; print(sorted({others} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package):
    ours = set(MAY_IMPORT)
    wrong = {
        path.relative_to(ROOT).as_posix(): bad
        for path in (ROOT / package).rglob("*.py")
        if (bad := (imported(path) & ours) - MAY_IMPORT[package])
    }
    assert wrong == {}


def packages_of(path: Path) -> set[str]:
    """The packages of tuning that a file imports from, at any depth of its code and in either form."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        found |= {parts[1] for name in names if (parts := f"{module}{name}".split("."))[0] == "tuning" and parts[1:]}
    return found


@pytest.mark.parametrize(
    "form", ["from tuning.verbs import x", "from tuning import verbs", "import tuning.verbs.x as y"]
)
def test_every_form_of_import_is_seen(tmp_path, form):
    (tmp_path / "m.py").write_text(f"def f():\n    {form}\n")
    assert packages_of(tmp_path / "m.py") == {"verbs"}


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_of_tuning_import_earlier_ones_only(package):
    earlier = set(PACKAGES[: PACKAGES.index(package) + 1])
    wrong = {
        path.name: later for path in (ROOT / "tuning" / package).glob("*.py") if (later := packages_of(path) - earlier)
    }
    assert wrong == {}


def test_every_module_of_tuning_lies_in_a_package():
    folders = {path.name for path in (ROOT / "tuning").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(PACKAGES)
    assert {path.stem for path in (ROOT / "tuning").glob("*.py")} == {"__init__", "cli"}


def test_the_walk_sees_imports_inside_functions():
    assert {"lt_core", "torchvision", "torch"} <= imported(ROOT / "lt_core" / "sources.py")


def test_all_names_everything_public_and_all_of_it_can_be_had():
    stub = ast.parse((ROOT / "lt_core" / "__init__.pyi").read_text(encoding="utf-8"))
    public = {alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    told = next(ast.literal_eval(node.value) for node in stub.body if isinstance(node, ast.Assign))
    assert set(lt_core.__all__) == set(told) == public
    assert all(getattr(lt_core, name).__name__ == name for name in public)


@pytest.mark.parametrize("module", ["lt_core.value", "tuning.record.tables", "tuning.shell.beside"])
def test_what_reads_the_record_of_a_table_does_not_wait_for_torch(module):
    code = f"import sys, {module}; print(sorted({{'torch', 'search_spaces'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
