import re
from importlib import metadata

from tuning.shell.environment import requirements, versions


def test_versions_are_those_that_are_installed():
    assert f"torch {metadata.version('torch')}, " in versions() and versions().startswith("lt-tune ")


def test_requirements_are_what_pip_reads():
    comments, packages = ([], [])
    for line in requirements().splitlines():
        (comments if line.startswith("#") else packages).append(line)
    assert comments[0].startswith("# Python 3.") and len(comments) == 2
    assert all(re.fullmatch(r"[a-z0-9._-]+==[^ ]+", line) for line in packages)
    names = [line.partition("==")[0] for line in packages]
    assert names == sorted(names) and f"ray=={metadata.version('ray')}" in packages
