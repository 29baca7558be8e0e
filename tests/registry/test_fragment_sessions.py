"""Fragments by way of a real registry: between machines that share nothing but its address."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
from between import standing_between
from plugins.glaas.tests.conftest import Registry
from registrants import somebody

from roar_core.errors import RegistryError, UnreachableError, UnregisteredError
from roar_core.fragment_sessions.pieces import packed
from roar_core.fragment_sessions.run_session import RunSession
from roar_core.fragment_sessions.sealing import Seal, token_of
from roar_core.fragment_sessions.sending import send
from roar_core.fragment_sessions.session import VARIABLE, Session
from roar_core.reports import Reports
from roar_core.testing.canaries import PLANTED
from roar_core.testing.needs import require_any_tracer
from roar_core.testing.processes import wait_for
from roar_glaas.storage.tables import fragment, fragment_session

RUN = """
import sys
from pathlib import Path
from roar_core.fragments import Attempt
from roar_core.reports import Reports
project, task, *command = sys.argv[1:]
sys.exit(Reports(Path("/no/such/shared/folder")).run(Attempt(task, tuple(command), project)))
"""


@attrs.frozen
class Driver:
    """The machine that submits: `folder` is what the run has for its backend."""

    registry: Registry
    folder: Path
    environ: dict[str, str]

    @property
    def session(self) -> Session:
        return RunSession(self.folder).open(self.folder, self.environ)

    def received(self) -> list[Any]:
        return [document for _, document in RunSession(self.folder).receive().documents]

    def change(self, statement: Any) -> None:
        """Do something to what the registry stores."""
        with self.registry.database() as database, database.write() as connection:
            connection.execute(statement)

    def stored(self) -> list[bytes]:
        with self.registry.database() as database, database.read() as connection:
            return [bytes(row.content) for row in connection.execute(sa.select(fragment))]


@pytest.fixture
def driver(shared: Registry, tmp_path: Path) -> Driver:
    """Of somebody with a token of the registry; `shared` is on SQLite, and on PostgreSQL."""
    return new_driver(shared, tmp_path / "driver")


@pytest.fixture
def on_sqlite(registry_on_sqlite: Registry, tmp_path: Path) -> Driver:
    return new_driver(registry_on_sqlite, tmp_path / "driver")


@pytest.fixture(scope="module")
def registry_on_sqlite(serve: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("sqlite")
    with serve(f"sqlite:///{folder / 'glaas.db'}", folder / "data") as found:
        yield found


def new_driver(registry: Registry, folder: Path) -> Driver:
    (folder / "home").mkdir(parents=True)
    told = {
        "HOME": str(folder / "home"),
        "ROAR_TOKEN": somebody(registry).secret,
        "ROAR_REGISTRY__URL": registry.url,
        "ROAR_FRAGMENTS__CARRIER": "registry",
    }
    return Driver(registry, folder, told)


def run_elsewhere(node: Path, session: Session, *command: str, task: str = "t") -> Any:
    """How a task ends on a machine with a home, and disks, of its own."""
    with start_elsewhere(node, session, *command, task=task) as process:
        out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def start_elsewhere(
    node: Path, session: Session, *command: str, task: str
) -> subprocess.Popen[str]:
    for name in ("home", "tmp", "project"):
        (node / name).mkdir(parents=True, exist_ok=True)
    environ = {"HOME": str(node / "home"), "TMPDIR": str(node / "tmp"), "PATH": os.environ["PATH"]}
    environ |= {VARIABLE: session.text, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    argv = (sys.executable, "-P", "-c", RUN, str(node / "project"), task, *command)
    pipe = subprocess.PIPE
    return subprocess.Popen(
        argv,
        cwd=node / "project",
        env=environ,
        stdout=pipe,
        stderr=pipe,
        text=True,
        start_new_session=True,
    )


def test_a_task_s_fragment_arrives_and_nobody_on_the_way_can_read_it(
    driver: Driver, tmp_path: Path
) -> None:
    require_any_tracer()
    reports = Reports(driver.folder)
    reports.ask_for_carrier(driver.folder, driver.environ)
    session = driver.session
    assert driver.session == session, "one session for all of a run"
    node = tmp_path / "node"
    script = f"env > seen; echo > {PLANTED[0]}; exit 3"
    ended = run_elsewhere(node, session, "sh", "-c", script, "--api-key", PLANTED[1])
    assert (ended.returncode, ended.stderr) == (3, "")
    assert VARIABLE not in (node / "project/seen").read_text(), "the program needs no secret"
    assert not list((node / "tmp").rglob("*.json")), "what was sent is not kept"
    stored = b"".join(driver.stored())
    assert stored
    for secret in (*PLANTED, str(node), "exit 3", session.secret.hex()):
        assert secret.encode() not in stored
    [found] = reports.fragments()
    assert (found.task, found.exit_code) == ("t", 3)
    assert PLANTED[1] not in str(found), "nor can who decrypts it"
    assert {Path(file.path).name for file in found.written} >= {"seen"}
    # As often as it is collected, and whatever is sent again, it is one.
    send(session, json.loads((driver.folder / "attempts/1.t/fragment.json").read_bytes()))
    assert [each.task for each in Reports(driver.folder).fragments()] == ["t"]
    assert (reports.coverage().known, reports.coverage().reasons) == (1, ())


def test_what_is_not_authentic_is_left_out_and_said(on_sqlite: Driver) -> None:
    session = on_sqlite.session
    send(session, {"task": "honest"})
    [honest] = on_sqlite.stored()[-1:]
    mine = sa.select(fragment_session.c.id).where(fragment_session.c.public_id == session.id)
    forged = Seal(session._replace(secret=bytes(32))).close(b"forged")
    strange = (bytes(len(honest)), honest[:-1] + bytes([honest[-1] ^ 1]), b"short", forged)
    for number, content in enumerate((*strange, honest)):
        row = {"sequence": number, "content": content, "content_hash": bytes([number]) * 32}
        on_sqlite.change(
            sa.insert(fragment).values(fragment_session_id=mine.scalar_subquery(), **row)
        )
    assert on_sqlite.received() == [{"task": "honest"}], "what is replayed is received once"
    [problem] = RunSession(on_sqlite.folder).problems
    assert problem.startswith(f"4 of the batches that {session.url} gave are not authentic")
    assert session.secret.hex() not in problem


def test_who_has_not_the_secret_gets_in_nowhere(on_sqlite: Driver, tmp_path: Path) -> None:
    session = on_sqlite.session
    stranger = session._replace(secret=bytes(32))
    with pytest.raises(UnregisteredError, match="no such fragment session") as refused:
        send(stranger, {"task": "t"})
    assert token_of(stranger) not in str(refused.value)
    (tmp_path / "other").mkdir()
    other = RunSession(tmp_path / "other")
    other.adopt(stranger)
    assert other.receive().documents == ()
    assert other.problems[0].endswith("what was sent there since, or not fetched before, is lost")


def test_the_numbers_that_a_registry_gives_do_not_matter(on_sqlite: Driver) -> None:
    document = {"files": [os.urandom(600).hex() for _ in range(2000)]}
    assert len(packed(document)) > 2 * (512 << 10)
    session = on_sqlite.session
    send(session, document)
    on_sqlite.change(sa.update(fragment).values(sequence=1))
    assert on_sqlite.received() == [document]
    mine = sa.select(fragment_session.c.id).where(fragment_session.c.public_id == session.id)
    is_mine = fragment.c.fragment_session_id == mine.scalar_subquery()
    first = sa.select(sa.func.min(fragment.c.content_hash)).where(is_mine).scalar_subquery()
    on_sqlite.change(sa.delete(fragment).where(is_mine, fragment.c.content_hash == first))
    assert on_sqlite.received() == []
    [problem] = RunSession(on_sqlite.folder).problems
    assert problem.startswith(f"1 of the reports that {on_sqlite.registry.url} gave are not whole")


def test_a_session_that_expired_is_renewed_by_either_side(driver: Driver) -> None:
    session = driver.session

    def expire() -> None:
        past = int((time.time() - 60) * 1e6)
        driver.change(sa.update(fragment_session).values(expires_at_us=past))

    def expires_at_us() -> int:
        wanted = sa.select(fragment_session.c.expires_at_us)
        with driver.registry.database() as database, database.read() as connection:
            mine = wanted.where(fragment_session.c.public_id == session.id)
            return int(connection.execute(mine).scalar_one())

    expire()
    send(session, {"task": "late"})
    assert expires_at_us() > time.time_ns() / 1000
    expire()
    assert driver.received() == [{"task": "late"}]
    assert expires_at_us() > time.time_ns() / 1000
    # Before it expires, too: who collects in time keeps it alive.
    state = json.loads((driver.folder / "fragment-session.json").read_bytes())
    state["expires_at_s"] = time.time() + 60
    (driver.folder / "fragment-session.json").write_text(json.dumps(state))
    soon = int((time.time() + 60) * 1e6)
    driver.change(sa.update(fragment_session).values(expires_at_us=soon))
    assert driver.received() == [{"task": "late"}]
    assert expires_at_us() > soon


def test_smaller_pieces_go_where_large_ones_are_refused(on_sqlite: Driver) -> None:
    document = {"files": [os.urandom(500).hex() for _ in range(300)]}
    with standing_between(on_sqlite.registry.url) as between:
        between.most_bytes = 100 << 10
        send(on_sqlite.session._replace(url=between.url), document)
        assert len(between.requests) > 3
        between.most_bytes = 100
        with pytest.raises(RegistryError, match="takes nothing this large"):
            send(on_sqlite.session._replace(url=between.url), document)
    assert on_sqlite.received() == [document]


def test_what_cannot_be_sent_is_kept_and_sent_by_the_next(
    on_sqlite: Driver, tmp_path: Path
) -> None:
    require_any_tracer()
    session, node = on_sqlite.session, tmp_path / "node"
    Reports(on_sqlite.folder).ask_for_carrier(on_sqlite.folder, on_sqlite.environ)
    with standing_between(on_sqlite.registry.url) as between:
        between.refuse_after = 0
        away = session._replace(url=between.url)
        ended = run_elsewhere(node, away, "sh", "-c", "kill -TERM $$", task="1")
        assert ended.returncode == -signal.SIGTERM
        assert ended.stderr.startswith("roar: task 1 could not report: http://127.0.0.1")
        assert "its report is kept in" in ended.stderr
        assert session.secret.hex() not in ended.stderr
    assert [each.task for each in Reports(on_sqlite.folder).fragments()] == []
    silence = Reports(on_sqlite.folder).coverage().reasons
    assert [reason.detail for reason in silence] == [
        "through the registry came nothing: tasks had no roar, or cannot reach it"
    ]
    assert run_elsewhere(node, session, "true", task="2").returncode == 0
    found = {each.task: each.signal for each in Reports(on_sqlite.folder).fragments()}
    assert found == {"1": "SIGTERM", "2": None}
    assert Reports(on_sqlite.folder).coverage().reasons == ()


def test_what_a_killed_observer_has_seen_is_sent_by_the_next(
    on_sqlite: Driver, tmp_path: Path
) -> None:
    require_any_tracer()
    session, node = on_sqlite.session, tmp_path / "node"
    Reports(on_sqlite.folder).ask_for_carrier(on_sqlite.folder, on_sqlite.environ)
    script = "echo > made; touch begun; exec sleep 600"
    with start_elsewhere(node, session, "sh", "-c", script, task="1") as killed:
        wait_for((node / "project/begun").exists)
        os.killpg(killed.pid, signal.SIGKILL)
    assert run_elsewhere(node, session, "true", task="2").returncode == 0
    first, second = sorted(Reports(on_sqlite.folder).fragments(), key=lambda each: each.task)
    assert (first.state, second.state) == ("interrupted", "succeeded")
    assert {Path(file.path).name for file in first.written} == {"made", "begun"}


def test_a_registry_that_does_not_answer_changes_nothing(on_sqlite: Driver, tmp_path: Path) -> None:
    """Nobody listens there: neither the task nor who submits waits for long, nor fails."""
    require_any_tracer()
    nowhere = {**on_sqlite.environ, "ROAR_REGISTRY__URL": "http://127.0.0.1:9"}
    run = RunSession(on_sqlite.folder)
    for _ in range(2):
        with pytest.raises(UnreachableError, match="fragments do not go through a registry: http"):
            run.open(on_sqlite.folder, nowhere)
    [problem] = run.problems
    assert "cannot be reached" in problem
    gone = Session.new("http://127.0.0.1:9")
    ended = run_elsewhere(tmp_path / "node", gone, "sh", "-c", "exit 4")
    assert ended.returncode == 4
    # A registry that a checkout brought gets to know nothing of who is not known there.
    (tmp_path / "roar.toml").write_text('[registry]\nurl = "http://127.0.0.1:9"\n')
    own = ("ROAR_TOKEN", "ROAR_REGISTRY__URL")
    nobody = {k: v for k, v in on_sqlite.environ.items() if k not in own}
    with pytest.raises(UnreachableError, match="named by a file of this project"):
        RunSession(tmp_path).open(tmp_path, nobody)


def test_a_signal_while_sending_ends_the_waiting_and_no_more(tmp_path: Path) -> None:
    require_any_tracer()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        session = Session.new(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with start_elsewhere(tmp_path, session, "sh", "-c", "exit 4", task="1") as process:
            connection, _ = silent.accept()  # it is sending now
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate()
            connection.close()
    assert process.returncode == 4
    assert "had not answered when this process was told to end; its report is kept" in said


@contextmanager
def hanging(said: bytes) -> Iterator[Session]:
    """A session at a registry that takes all calls, says this, and a byte a second from then on."""
    over = threading.Event()
    threads: list[threading.Thread] = []

    def begin(target: Callable[..., None], *arguments: socket.socket) -> None:
        threads.append(threading.Thread(target=target, args=arguments))
        threads[-1].start()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(said)
            while said and not over.wait(1):
                connection.sendall(b" ")
            over.wait()

    def take() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                begin(answer, connection)

    with socket.create_server(("127.0.0.1", 0)) as server:
        begin(take)
        try:
            yield Session.new(f"http://127.0.0.1:{server.getsockname()[1]}")
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)
            # The list grows until the first of them, which takes, has ended.
            for thread in threads:
                thread.join()


_DRIPPING = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"


@pytest.mark.slow
def test_a_registry_that_hangs_is_waited_for_as_long_as_is_said_and_no_longer(
    tmp_path: Path,
) -> None:
    """Silent, or with an answer that does not end: the task ends as its command did."""
    require_any_tracer()
    with ExitStack() as stack:
        running = []
        for number, said in enumerate((b"", _DRIPPING)):
            session = stack.enter_context(hanging(said))
            task = start_elsewhere(tmp_path / str(number), session, "sh", "-c", "exit 4", task="1")
            running.append(stack.enter_context(task))
            # Who submits waits for less.
            run = RunSession(tmp_path / str(number))
            mine = {"ROAR_REGISTRY__URL": session.url, "HOME": str(tmp_path)}
            with pytest.raises(UnreachableError, match="when this process had waited for 5 s"):
                run.open(tmp_path, mine)
        for process in running:
            _, said_of_it = process.communicate()
            assert process.returncode == 4
            assert "when this process had waited for" in said_of_it
            assert "its report is kept" in said_of_it
    for thread in threading.enumerate():
        if thread.name == "roar-asking":
            thread.join()  # its registry has let go of it
