"""The same record on every kind of server, and no secret of its address anywhere."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient
from recording import ENDED, EVENTS, Server, deliver, free_port, snapshot, undisturbed, until

from lt_core import InputError
from tuning.record.tracking import check_answers

pytestmark = pytest.mark.usefixtures("quick")
PASSWORD = "s3cret/@"  # which a URI must escape
ESCAPED = "s3cret%2F%40"


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return snapshot(undisturbed())


class Postgres:
    """A PostgreSQL server of its own, on a free port; never run by root, which it refuses."""

    def __init__(self) -> None:
        self._folder = Path(mkdtemp(prefix="postgres-"))
        self._user = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        shutil.chown(self._folder, self._user)
        self.port = free_port()
        (self._folder / "password").write_text(PASSWORD)
        (self._folder / "password").chmod(0o644)
        password = f"--pwfile={self._folder / 'password'}"
        self._run("initdb", "-U", "lt", "-A", "scram-sha-256", password, "-D", f"{self._folder}/data").wait()
        place = ["-p", str(self.port), "-k", str(self._folder), "-h", "127.0.0.1"]
        self._process = self._run("postgres", "-D", f"{self._folder}/data", *place, "-F")
        until(lambda: (self._folder / f".s.PGSQL.{self.port}").exists())

    def database(self) -> str:
        """The URI of a fresh database."""
        name = f"lt_{secrets.token_hex(4)}"
        command = ["createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "lt", name]
        until(lambda: subprocess.run(command, env={**os.environ, "PGPASSWORD": PASSWORD}, check=False).returncode == 0)
        return f"postgresql://lt:{ESCAPED}@127.0.0.1:{self.port}/{name}"

    def close(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen([program, *arguments], cwd=self._folder, user=self._user, **quiet)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    if not shutil.which("initdb") or not shutil.which("postgres"):
        pytest.skip("PostgreSQL is not installed: its programs initdb and postgres are not found")
    if find_spec("psycopg") is None:
        pytest.skip("PostgreSQL's driver psycopg is not installed: pip install 'lt-tune[postgresql]'")
    running = Postgres()
    yield running
    running.close()


def started(folder: Path, *options: str, **given: str) -> Iterator[Server]:
    server = Server(folder, *options, **given)
    yield server
    server.kill()


# --- PostgreSQL -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_postgresql_database_holds_the_record(postgres, expected):
    uri = postgres.database()
    check_answers(uri)
    deliver(uri, EVENTS[:9])
    deliver(uri, [*EVENTS, ENDED])
    assert snapshot(uri) == expected


@pytest.mark.slow
def test_a_server_on_postgresql_holds_the_record(postgres, expected, tmp_path):
    for server in started(tmp_path, store=postgres.database()):
        deliver(server.uri, EVENTS[:9])
        deliver(server.uri, [*EVENTS, ENDED])
        assert snapshot(server.uri) == expected
        assert "s3cret" not in (tmp_path / "server.log").read_text()


@pytest.mark.slow
def test_no_secret_of_a_database_is_written_or_shown(postgres, lt):
    uri = postgres.database()
    done = lt.run("train", "demo-ce", "--epochs", 2, "--tracking-uri", uri)
    assert done.returncode == 0, done.stderr
    client = MlflowClient(uri)
    (run,) = client.search_runs([e.experiment_id for e in client.search_experiments()])
    shown = f"--tracking-uri postgresql://***@127.0.0.1:{postgres.port}/{uri.rpartition('/')[2]}"
    assert run.data.tags["lt.command"].endswith(shown)
    page = lt.start("ui", "--port", free_port(), "--no-browser", "--tracking-uri", uri)
    assert "the record is at http://127.0.0.1" in page.stdout.readline()
    for process in psutil.Process(page.pid).children(recursive=True):
        assert "s3cret" not in " ".join(process.cmdline())
    _, out, err = lt.end(page, signal.SIGINT)
    written = "".join(path.read_text(errors="replace") for path in lt.home.rglob("*") if path.is_file())
    assert "s3cret" not in done.stdout + done.stderr + out + err + written + str(run.to_dictionary())


def test_a_wrong_password_is_said_without_it(postgres):
    uri = postgres.database().replace("s3cret", "wr0ng")
    with pytest.raises(InputError) as caught:
        check_answers(uri)
    assert "password authentication failed" in str(caught.value) and "wr0ng" not in str(caught.value)


# --- basic auth -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory) -> Iterator[Server]:
    if find_spec("flask_wtf") is None:
        pytest.skip("MLflow's basic auth is not installed: pip install 'mlflow[auth]'")
    secret = {"MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD + "-long-enough", "MLFLOW_FLASK_SERVER_SECRET_KEY": "k"}
    folder = tmp_path_factory.mktemp("guarded")
    yield from started(folder, "--app-name", "basic-auth", secret=f"admin:{ESCAPED}-long-enough@", **secret)


@pytest.mark.slow
def test_a_server_with_basic_auth_holds_the_record(guarded, expected):
    check_answers(guarded.uri)
    deliver(guarded.uri, [*EVENTS, ENDED])
    assert snapshot(guarded.uri) == expected


@pytest.mark.slow
def test_a_server_that_does_not_know_the_user_is_said_so(guarded):
    with pytest.raises(InputError) as caught:
        check_answers(guarded.uri.replace("s3cret", "wr0ng"))
    assert "wr0ng" not in str(caught.value) and "admin" not in str(caught.value)
    assert "not authenticated" in str(caught.value)


# --- a path prefix ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_server_behind_a_path_prefix_holds_the_record(tmp_path, expected):
    for server in started(tmp_path, "--static-prefix", "/team/mlflow", prefix="/team/mlflow"):
        check_answers(server.uri)
        deliver(server.uri, [*EVENTS, ENDED])
        assert snapshot(server.uri) == expected
