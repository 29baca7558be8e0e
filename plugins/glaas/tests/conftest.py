"""Real databases and real servers for the registry's tests: everything runs on both engines."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from stock import recorded as recorded
from stock import stock_client as stock_client

from roar_core.testing.forking import Forking, modules_of
from roar_core.testing.needs import leave_out
from roar_glaas.storage.database import Database, open_database, sqlite_address

# The servers of these tests say only what went wrong, and let one address ask as often as it likes.
os.environ |= {"GLAAS_LOG_REQUESTS": "off", "GLAAS_ATTEMPTS_PER_MINUTE": "0"}

# What a server imports as it starts, which is half of what that takes.
FROM_OTHERS = (
    *("alembic.command", "anyio._backends._asyncio", "litestar.plugins.pydantic"),
    *("prometheus_client", "psycopg"),
    *("uvicorn.lifespan.on", "uvicorn.loops.auto", "uvicorn.protocols.http.h11_impl"),
)
# Programs, which run when they are imported.
LEFT_OUT = ("roar_glaas.cli.__main__", "roar_glaas.storage.migrations.env")

POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The folder of the socket of a PostgreSQL server of this test process."""
    if not POSTGRESQL:
        leave_out("needs PostgreSQL: apt install postgresql")
    programs = POSTGRESQL[-1].parent
    # Not among pytest's: those are closed to other users again whenever another pytest starts.
    root = Path(tempfile.mkdtemp(prefix="glaas-postgresql-"))
    data = root / "data"
    # PostgreSQL refuses to run as root; Debian's package made this user.
    as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    if os.geteuid():
        as_owner = []
    else:
        shutil.chown(root, "postgres")
    run = [*as_owner, "env", "LC_ALL=C.UTF-8"]
    subprocess.run(
        [*run, programs / "initdb", "-D", data, "-U", "glaas", "-A", "trust", "-N", "-E", "UTF8"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    options = f"-k {root} -c listen_addresses= -c fsync=off -c max_connections=200"
    subprocess.run(
        [*run, programs / "pg_ctl", "-D", data, "-w", "-l", root / "log", "-o", options, "start"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    yield str(root)
    subprocess.run(
        [*run, programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    shutil.rmtree(root)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once of each engine."""
    return new_database(request, tmp_path)


def new_database(request: pytest.FixtureRequest, folder: Path, engine: str | None = None) -> str:
    if (engine or request.param) == "sqlite":
        return sqlite_address(folder / "glaas.db")
    import psycopg

    socket = request.getfixturevalue("postgresql")
    name = f"glaas_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"host={socket} user=glaas dbname=postgres", autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    return f"postgresql://glaas@/{name}?host={socket}"


@attrs.define
class Registry:
    """A server that runs, and a client for it."""

    url: str
    client: httpx.Client
    database_url: str
    data: Path

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Its database, open beside the server."""
        database = open_database(self.database_url)
        try:
            yield database
        finally:
            database.dispose()

    def glaas(self, *words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A command that looks after it."""
        where = ("--data", self.data, "--database", self.database_url)
        if not stdin:
            return glaas_commands().run([*words, *where])
        return subprocess.run(
            [sys.executable, "-m", "roar_glaas.cli", *words, *where],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def register(self, *, output: str = "b" * 64, uid: str = "1" * 32, **job: Any) -> str:
        """Register one job that read "a…" and wrote `output`; returns the session's hash."""
        opened = self.open()
        opened.post("jobs/batch", {"jobs": [job_body(uid, **job)]})
        opened.post(f"jobs/{uid}/inputs", {"artifacts": [{"hash": "a" * 64, "path": "/p/in"}]})
        opened.post(f"jobs/{uid}/outputs", {"artifacts": [{"hash": output, "path": "/p/out"}]})
        found = opened.post(
            "finalize",
            {"git_commit": "c" * 40, "expected": {"jobs": 1, "inputs": 1, "outputs": 1}},
        )
        return str(found["session_hash"])

    def open(self) -> Opened:
        answer = self.client.post(
            "/api/v1/registration-sessions", json={"mode": "anonymous_public"}
        )
        assert answer.status_code == 201, answer.text
        told = answer.json()
        return Opened(self, told["registration_session_id"], told["registration_session_token"])


@attrs.define
class Opened:
    """An open registration."""

    registry: Registry
    name: str
    token: str

    def answer(self, path: str, body: Any) -> httpx.Response:
        return self.registry.client.post(
            f"/api/v1/registration-sessions/{self.name}/{path}",
            json=body,
            headers={"Authorization": f"RegistrationSession {self.token}"},
        )

    def post(self, path: str, body: Any) -> dict[str, Any]:
        answer = self.answer(path, body)
        assert answer.is_success, answer.text
        return dict(answer.json())


def job_body(uid: str = "1" * 32, **more: Any) -> dict[str, Any]:
    return {
        "command": "python train.py",
        "timestamp": 1_700_000_000.25,
        "job_uid": uid,
        "step_number": 1,
        "duration_seconds": 1.5,
        "exit_code": 0,
        "metadata": '{"cwd": "/p"}',
    } | more


@pytest.fixture
def registry(database_url: str, tmp_path: Path) -> Iterator[Registry]:
    """A real server on a free port, on each of both databases."""
    with serving(database_url, tmp_path / "data") as found:
        yield found


@pytest.fixture(scope="session")
def serve() -> Callable[[str, Path], AbstractContextManager[Registry]]:
    """Starts a server over a database and a data directory: see `serving`."""
    return serving


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, registry: Registry, tmp_path: Path) -> str:
    """The URL of an empty database of the other engine than that of `registry`."""
    engine = "postgresql" if registry.database_url.startswith("sqlite") else "sqlite"
    (tmp_path / "elsewhere").mkdir()
    return new_database(request, tmp_path / "elsewhere", engine)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registry]:
    """One server on each database for all of a module, whose tests do not disturb each other."""
    folder = tmp_path_factory.mktemp("shared")
    with serving(new_database(request, folder), folder / "data") as found:
        yield found


@pytest.fixture(scope="module")
def asked_often(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A server that lets clients ask every second whether their log-in is approved."""
    root = tmp_path_factory.mktemp("server")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLAAS_DEVICE_INTERVAL_S", "1")
        with serving(sqlite_address(root / "glaas.db"), root / "data") as found:
            yield found


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A server for tests that register nothing: one for all of a module."""
    folder = tmp_path_factory.mktemp("refusing")
    with serving(sqlite_address(folder / "glaas.db"), folder) as found:
        yield found


@contextmanager
def serving(database_url: str, data: Path) -> Iterator[Registry]:
    """`glaas serve` until the block ends; it must then stop without a traceback."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as said, Path(os.devnull).open() as nothing:
        words = ("serve", "--port", "0", "--data", data, "--database", database_url)
        process = glaas_commands().start(words, (nothing.fileno(), 1, writing))
        os.close(writing)
        try:
            line = said.readline()
            assert " at http://" in line, line
            url = line.rpartition(" at ")[2].strip()
            # No connection outlives its request, and with it the test that made it.
            limits = httpx.Limits(max_keepalive_connections=0)
            with httpx.Client(base_url=url, timeout=30, limits=limits) as client:
                yield Registry(url, client, database_url, data)
        finally:
            process.kill(signal.SIGTERM)
            process.wait(30)
            rest = said.read()
    assert rest == ""


@functools.cache
def glaas_commands() -> Forking:
    """What commands of `glaas` are forked from; `forking_glaas` ends it."""
    return Forking("roar_glaas.cli:main", [*FROM_OTHERS, *modules_of("roar_glaas", LEFT_OUT)])


@pytest.fixture(scope="session", autouse=True)
def forking_glaas() -> Iterator[None]:
    """Begun before any test, each of which must leave no descriptor behind."""
    glaas_commands()
    yield
    glaas_commands().close()
