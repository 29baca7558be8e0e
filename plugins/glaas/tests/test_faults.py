"""What breaks beneath a registry or beside it: killed, full, away, several at once, cut off."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import httpx
import pytest
import sqlalchemy as sa

from roar_core.testing.needs import leave_out
from roar_glaas.log.appending import leaf_hash, node_hash
from roar_glaas.storage.database import open_database, sqlite_address
from roar_glaas.storage.tables import (
    artifact_fact,
    edge,
    job,
    leaf,
    node,
    record_bytes,
    session,
    staged,
)

JOBS = 12
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


@attrs.define
class Server:
    """`glaas serve`, to be ended in any way and started again over the same database."""

    database_url: str
    data: Path
    options: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None
    url: str = ""

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "roar_glaas.cli", "serve", "--port", "0"),
                *("--data", self.data, "--database", self.database_url, *self.options),
            ],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ
            | {
                "GLAAS_ANONYMOUS_JOBS_PER_DAY": "1000000",
                "GLAAS_ANONYMOUS_BYTES_PER_DAY": str(10**10),
            },
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert " at http://" in line, line + self.process.stderr.read()
        self.url = line.rpartition(" at ")[2].strip()

    def end(self, number: signal.Signals = signal.SIGTERM) -> str:
        """What it wrote to stderr besides where it was."""
        assert self.process is not None
        self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=60)
        self.process = None
        return rest


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[Server]:
    """A server that was started; it may have ended when the test does."""
    with running(Server(database_url, tmp_path / "data")) as found:
        yield found


@contextmanager
def running(server: Server) -> Iterator[Server]:
    server.start()
    yield server
    if server.process is not None:
        server.end()


@attrs.define
class Client:
    """Registers sessions one after the other, and remembers what was acknowledged."""

    url: str
    name: str
    acknowledged: list[str] = attrs.field(factory=list)
    error: Exception | None = None
    # The last registration's address and secret, to finish it after a fault.
    last: tuple[str, str] = ("", "")

    def register(self) -> str:
        start = "/api/v1/registration-sessions"
        with httpx.Client(base_url=self.url, timeout=60) as client:
            opened = _told(client.post(start, json={"mode": "anonymous_public"}))
            address = f"{start}/{opened['registration_session_id']}"
            secret = f"RegistrationSession {opened['registration_session_token']}"
            self.last = (address, secret)
            headers = {"Authorization": secret}
            for path, body in self.bodies():
                told = _told(client.post(f"{address}/{path}", json=body, headers=headers))
        self.acknowledged.append(told["session_hash"])
        return str(told["session_hash"])

    def bodies(self) -> Iterator[tuple[str, Any]]:
        """A session of JOBS jobs, each with an input and two outputs."""
        which = f"{self.name} {len(self.acknowledged)}"
        uids = [hashlib.sha256(f"{which} {n}".encode()).hexdigest()[:32] for n in range(JOBS)]
        yield "jobs/batch", {"jobs": [_job(uid, n) for n, uid in enumerate(uids)]}
        names = {
            uid: [hashlib.sha256(f"{uid} {n}".encode()).hexdigest() for n in (0, 1)] for uid in uids
        }
        links = [
            {
                "job_uid": uid,
                "inputs": [{"hash": "a" * 64, "path": "/in"}],
                "outputs": [{"hash": one, "path": f"/out/{one[:8]}"} for one in names[uid]],
            }
            for uid in uids
        ]
        yield "links/batch", {"links": links}
        described = [
            {"hashes": [{"algorithm": "blake3", "digest": one}], "size": 7}
            for some in names.values()
            for one in some
        ]
        yield "artifacts/batch", {"artifacts": described}
        yield "finalize", {"expected": {"jobs": JOBS, "inputs": JOBS, "outputs": 2 * JOBS}}

    def until(self, is_over: Callable[[], bool]) -> None:
        """Register until told, or until an error, which is kept."""
        try:
            while not is_over():
                self.register()
        except Exception as error:
            self.error = error


def _job(uid: str, number: int) -> dict[str, Any]:
    return {"command": "x", "timestamp": 1.0 + number, "job_uid": uid, "step_number": number + 1}


def _told(answer: httpx.Response) -> dict[str, Any]:
    assert answer.is_success, f"{answer.status_code} {answer.text}"
    return dict(answer.json())


def at_once(clients: list[Client], is_over: Callable[[], bool]) -> list[threading.Thread]:
    threads = [threading.Thread(target=client.until, args=(is_over,)) for client in clients]
    for thread in threads:
        thread.start()
    return threads


def check(database_url: str, acknowledged: list[str]) -> int:
    """Everything is whole and the log is consistent; returns how many sessions there are."""
    database = open_database(database_url)
    with database.read() as connection:
        rows = connection.execute(
            sa.select(
                leaf.c.index, leaf.c.hash, leaf.c.kind, record_bytes.c.salt, record_bytes.c.bytes
            )
            .join(record_bytes, record_bytes.c.leaf_index == leaf.c.index)
            .order_by(leaf.c.index)
        ).all()
        assert [row.index for row in rows] == list(range(len(rows)))
        assert all(leaf_hash(bytes(r.salt), bytes(r.bytes)) == bytes(r.hash) for r in rows)
        level, hashes = 0, [bytes(row.hash) for row in rows]
        nodes = {}
        while len(hashes) > 1:
            level += 1
            hashes = [node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=False)]
            nodes |= {(level, index): found for index, found in enumerate(hashes)}
        kept = connection.execute(sa.select(node)).all()
        assert {(row.level, row.index): bytes(row.hash) for row in kept} == nodes
        for table, kind in ((session, "session"), (job, "job"), (artifact_fact, "artifact")):
            indexes = set(connection.execute(sa.select(table.c.leaf_index)).scalars())
            assert indexes == {row.index for row in rows if row.kind == kind}
        found = {}
        for row in connection.execute(sa.select(session.c.id, session.c.hash)):
            links = connection.execute(
                sa.select(sa.func.count())
                .select_from(edge.join(job, job.c.id == edge.c.job_id))
                .where(job.c.session_id == row.id)
            ).scalar()
            found[bytes(row.hash).hex()] = links
        assert set(acknowledged) <= set(found)
        assert set(found.values()) <= {3 * JOBS}
    database.dispose()
    return len(found)


def test_a_server_that_is_killed_leaves_every_session_whole_or_absent(server: Server) -> None:
    clients = [Client(server.url, f"client {n}") for n in range(6)]
    threads = at_once(clients, lambda: False)
    while sum(len(client.acknowledged) for client in clients) < 12:
        assert any(thread.is_alive() for thread in threads), [client.error for client in clients]
        time.sleep(0.01)
    server.end(signal.SIGKILL)
    for thread in threads:
        thread.join()
    assert all(isinstance(client.error, httpx.TransportError) for client in clients)
    acknowledged = [name for client in clients for name in client.acknowledged]
    before = check(server.database_url, acknowledged)
    assert len(acknowledged) <= before <= len(acknowledged) + len(clients)
    server.start()
    for client in clients:  # who heard nothing asks again, and gets the same session or its first
        client.url = server.url
        client.register()
    acknowledged = [name for client in clients for name in client.acknowledged]
    assert check(server.database_url, acknowledged) == len(set(acknowledged))


def test_several_processes_serve_one_database(database_url: str, tmp_path: Path) -> None:
    """A server of two processes, and another server beside it."""
    # Both have the directory in which the key is that signs the log.
    first = Server(database_url, tmp_path / "data", ("--workers", "2"))
    second = Server(database_url, tmp_path / "data")
    with running(first), running(second):
        clients = [Client((first, second)[n % 2].url, f"client {n}") for n in range(6)]
        threads = [
            thread
            for client in clients
            for thread in at_once([client], lambda client=client: len(client.acknowledged) == 4)
        ]
        for thread in threads:
            thread.join()
        assert [client.error for client in clients] == [None] * len(clients)
        assert (first.end(), second.end()) == ("", "")
    acknowledged = [name for client in clients for name in client.acknowledged]
    assert check(database_url, acknowledged) == len(acknowledged) == 24
    database = open_database(database_url)
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(staged)).scalar() == 0
    database.dispose()


def test_a_process_that_dies_is_replaced_and_none_is_left_over(tmp_path: Path) -> None:
    url = sqlite_address(tmp_path / "glaas.db")
    with running(Server(url, tmp_path / "data", ("--workers", "2"))) as server:
        assert server.process is not None
        father = server.process.pid
        before = _children(father)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        while len(_children(father)) < 2 or before[0] in _children(father):
            time.sleep(0.01)
        for number in range(4):
            Client(server.url, f"after {number}").register()
        after = _children(father)
        assert server.end() == f"glaas: process {before[0]} ended with status -9\n"
        assert not any(Path(f"/proc/{pid}").exists() for pid in after)
        server.start()
        assert server.process is not None
        children = _children(server.process.pid)
        server.end(signal.SIGKILL)  # they notice that nobody looks after them
        while any(Path(f"/proc/{pid}").exists() for pid in children):
            time.sleep(0.01)


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    if os.geteuid():
        leave_out("needs root, to mount a small file system; run the tests with sudo")
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "none", small], capture_output=True, check=False
    )
    if mounted.returncode:
        leave_out("needs to be allowed to mount; run the tests outside of a container")
    try:
        with running(Server(sqlite_address(small / "glaas.db"), small)) as server:
            client = Client(server.url, "client")
            client.register()
            filling = small / "filling"
            with filling.open("wb") as file, pytest.raises(OSError, match="No space"):
                fill(file.fileno())
            refused = ""
            while not refused:  # what was free inside of its files may take some more
                client.until(lambda: False)
                refused = str(client.error)
            assert refused.startswith("503 ")
            assert "the registry's disk is full" in refused
            with httpx.Client(base_url=server.url) as http:
                for name in client.acknowledged:
                    path = f"/api/v1/public/sessions/{name}/reproduction"
                    assert len(_told(http.get(path))["jobs"]) == JOBS
            filling.unlink()
            client.register()
            assert check(server.database_url, client.acknowledged) == len(client.acknowledged)
            assert "disk is full" in server.end()
    finally:
        subprocess.run(["umount", small], check=True)


def fill(descriptor: int) -> None:
    while True:
        os.write(descriptor, b"x" * 4096)


@attrs.define
class Cluster:
    """A PostgreSQL server of one test's own, to be stopped and started."""

    root: Path

    def create(self) -> None:
        if not os.geteuid():
            shutil.chown(self.root, "postgres")
            for folder in self.root.parents:
                if folder.stat().st_uid == 0 and folder != Path("/"):
                    folder.chmod(folder.stat().st_mode | 0o011)
        self._run("initdb", "-U", "glaas", "-A", "trust", "-N", "-E", "UTF8")

    def start(self) -> None:
        options = f"-k {self.root} -c listen_addresses= -c fsync=off"
        self._run("pg_ctl", "-w", "-l", str(self.root / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def _run(self, program: str, *words: str) -> None:
        # PostgreSQL refuses to run as root; Debian's package made this user.
        as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        subprocess.run(
            [
                *([] if os.geteuid() else as_owner),
                *("env", "LC_ALL=C.UTF-8", PROGRAMS[-1] / program),
                *("-D", self.root / "data", *words),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd="/",
        )


def test_postgresql_may_go_away_and_come_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    if not PROGRAMS:
        leave_out("needs PostgreSQL: apt install postgresql")
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    cluster.create()
    cluster.start()
    url = f"postgresql://glaas@/postgres?host={cluster.root}"
    with running(Server(url, cluster.root / "server")) as server:
        client = Client(server.url, "client")
        client.register()
        cluster.stop()
        with httpx.Client(base_url=server.url, timeout=60) as http:
            for answer in (
                http.get("/ready"),
                http.get(f"/api/v1/artifacts/{'a' * 64}"),
                http.post("/api/v1/registration-sessions", json={"mode": "anonymous_public"}),
            ):
                assert answer.status_code == 503
                assert "database cannot be used now" in answer.json()["detail"]
            assert http.get("/api/v1/health").status_code == 200
            cluster.start()
            assert http.get("/ready").status_code == 200
        client.register()
        assert check(url, client.acknowledged) == 2
        assert "Traceback" not in server.end()
    cluster.stop()


@contextmanager
def half_a_request(server: Server, client: Client) -> Iterator[tuple[socket.socket, bytes]]:
    """A finalize whose headers the server is known to have read; and the body that it waits for."""
    address, secret = client.last
    parts = urlsplit(server.url)
    body = json.dumps({"git_commit": ""}).encode()
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        connection.sendall(
            f"POST {address}/finalize HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Authorization: {secret}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")
        yield connection, body


def test_a_request_in_hand_is_finished_before_the_server_ends(server: Server) -> None:
    client = Client(server.url, "client")
    name = client.register()
    with half_a_request(server, client) as (connection, body):
        connection.sendall(body[:3])  # and leaves: that does no harm
    with half_a_request(server, client) as (connection, body):
        assert server.process is not None
        server.process.terminate()
        # It takes nothing new, and so is known to have understood.
        while _is_listening(server.url):
            time.sleep(0.01)
        connection.sendall(body)
        answer = b""
        while more := connection.recv(4096):
            answer += more
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["session_hash"] == name
    _, rest = server.process.communicate(timeout=60)
    server.process = None
    assert rest == ""


def _is_listening(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=5).close()
    except OSError:
        return False
    return True
