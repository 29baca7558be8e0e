"""What every request passes: names, addresses, rates, headers, time-outs, logs and figures."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from roar_glaas.errors import GlaasError, Misdirected
from roar_glaas.serving.hosts import Hosts
from roar_glaas.serving.logs import set_up_logs
from roar_glaas.serving.peers import Networks, peer_of
from roar_glaas.serving.rates import Buckets, is_attempt
from roar_glaas.settings import Settings, read_settings


@attrs.define
class Served:
    """A server whose stderr goes to a file."""

    process: subprocess.Popen[bytes]
    url: str
    stderr: Path

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    def lines(self) -> list[dict[str, Any]]:
        """The log's lines, once the server has stopped."""
        return [json.loads(line) for line in self.stderr.read_text().splitlines() if line[0] == "{"]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@contextmanager
def served(data: Path, toml: str = "", *options: str, **environ: str) -> Iterator[Served]:
    """`glaas serve` with a settings file, on a free port."""
    data.mkdir(exist_ok=True)
    (data / "glaas.toml").write_text(toml)
    file = data.parent / f"{data.name}.stderr"
    own = {key: value for key, value in os.environ.items() if not key.startswith("GLAAS_")}
    # A port of our own: with a public_url the server does not tell its port.
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with file.open("wb") as stderr:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "roar_glaas.cli", "serve"),
                *("--port", port, "--data", data, *options),
            ],
            stderr=stderr,
            env=own | environ,
        )
    try:
        found = Served(process, f"http://127.0.0.1:{port}", file)
        for _ in range(3000):
            assert process.poll() is None, file.read_text()
            if "glaas: serving" in file.read_text():
                break
            time.sleep(0.01)
        yield found
    finally:
        process.terminate()
        process.wait(30)


def asked_as(name: str, **settings: Any) -> bool:
    """Whether a server with these settings answers to a name."""
    hosts = Hosts(Settings(data=Path("/nowhere"), **settings))
    try:
        hosts.check([(b"host", name.encode("latin-1"))])
    except Misdirected:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "settings", "is_answered"),
    [
        ("127.0.0.1:8000", {}, True),
        ("localhost", {}, True),
        ("[::1]:8000", {}, True),
        ("rebound.example:8000", {}, False),
        ("127.0.0.1.rebound.example", {}, False),
        ("10.1.2.3", {}, False),
        ("", {}, False),
        ("10.1.2.3:80", {"host": "0.0.0.0"}, True),
        ("[2001:db8::1]", {"host": "::"}, True),
        ("rebound.example", {"host": "0.0.0.0"}, False),
        ("Glaas.Example", {"public_url": "https://glaas.example"}, True),
        ("glaas.example.", {"public_url": "https://glaas.example/"}, True),
        ("inner:8000", {"allowed_hosts": ("inner",)}, True),
        ("10.1.2.3", {"host": "10.1.2.3"}, True),
        ("localhost", {"host": "10.1.2.3"}, False),
    ],
)
def test_it_answers_to_its_own_names_alone(
    host: str, settings: dict[str, Any], is_answered: bool
) -> None:
    assert asked_as(host, **settings) is is_answered


def test_a_rebound_name_is_told_how_to_be_allowed(refusing: Any) -> None:
    answer = refusing.client.get("/api/v1/health", headers={"Host": "evil.example"})
    assert answer.status_code == 421
    assert "allowed_hosts" in answer.json()["detail"]


def peer(client: str, trusted: str, *headers: tuple[bytes, bytes]) -> tuple[str, str, bool]:
    scope = {"client": (client, 1), "scheme": "http", "headers": list(headers)}
    return attrs.astuple(peer_of(scope, Networks.parse(trusted.split(), "trusted_proxies")))


@pytest.mark.parametrize(
    ("trusted", "forwarded", "expected"),
    [
        ("", b"1.2.3.4", "10.0.0.1"),  # nobody is trusted
        ("10.0.0.2", b"1.2.3.4", "10.0.0.1"),  # another is
        ("10.0.0.1", b"1.2.3.4", "1.2.3.4"),
        ("10.0.0.0/24", b"6.6.6.6, 1.2.3.4", "1.2.3.4"),  # the left is what the client says
        ("10.0.0.0/24", b"1.2.3.4, 10.0.0.9", "1.2.3.4"),  # two proxies
        ("10.0.0.1", b"[2001:db8::7]:443", "2001:db8::7"),
        ("10.0.0.1", b"::ffff:1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", b"1.2.3.4:5678", "1.2.3.4"),
        ("10.0.0.1", b"' OR 1=1 --", "10.0.0.1"),
        ("10.0.0.1", b"1.2.3.4, unknown", "10.0.0.1"),
        ("10.0.0.1", b"", "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_say_for_whom_they_ask(
    trusted: str, forwarded: bytes, expected: str
) -> None:
    found = peer("10.0.0.1", trusted, (b"x-forwarded-for", forwarded))
    assert found[0] == expected


def test_only_trusted_proxies_say_that_a_connection_is_encrypted() -> None:
    proto = (b"x-forwarded-proto", b"https")
    assert peer("10.0.0.1", "10.0.0.1", proto) == ("10.0.0.1", "https", False)
    assert peer("10.0.0.1", "", proto) == ("10.0.0.1", "http", True)
    assert peer("10.0.0.1", "10.0.0.1", (b"x-forwarded-proto", b"gopher"))[1] == "http"


def test_a_bucket_gives_as_many_as_it_holds_and_says_when_there_is_more(tmp_path: Path) -> None:
    buckets = Buckets(tmp_path)
    assert [buckets.take("a", 3) for _ in range(3)] == [0, 0, 0]
    assert 19 < buckets.take("a", 3) <= 20
    assert buckets.take("b", 3) == 0
    buckets.give_back("a", 3)
    assert buckets.take("a", 3) == 0
    assert {buckets.take("a", 0) for _ in range(10)} == {0}


_TAKE = """
import sys
from pathlib import Path
from roar_glaas.serving.rates import Buckets
buckets = Buckets(Path(sys.argv[1]))
print(sum(buckets.take("shared", 500) == 0 for _ in range(500)))
"""


def test_processes_share_their_buckets(tmp_path: Path) -> None:
    run = [sys.executable, "-c", _TAKE, tmp_path]
    processes = [subprocess.Popen(run, stdout=subprocess.PIPE) for _ in range(3)]
    taken = sum(int(process.communicate()[0]) for process in processes)
    # As many as it holds, what came back meanwhile, and what two took at the very same moment.
    assert 500 <= taken < 1000
    assert [path.name for path in tmp_path.iterdir()] == ["rates"]


def test_a_table_from_before_a_restart_does_no_harm(tmp_path: Path) -> None:
    Buckets(tmp_path)
    file = tmp_path / "rates"
    file.write_bytes(b"\xff" * file.stat().st_size)
    assert Buckets(tmp_path).take("a", 3) == 0
    file.write_bytes(b"short")
    assert Buckets(tmp_path).take("a", 3) == 0


def test_what_counts_as_an_attempt() -> None:
    assert is_attempt("POST", "/api/v1/auth/device/start")
    assert not is_attempt("POST", "/api/v1/auth/device/token")
    assert not is_attempt("GET", "/api/v1/auth/me")
    assert not is_attempt("POST", "/api/v1/registration-sessions")


def test_who_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    toml = "requests_per_minute = 5\nattempts_per_minute = 2\ntrusted_proxies = ['127.0.0.1']\n"
    with served(tmp_path / "data", toml) as server, httpx.Client(base_url=server.url) as client:

        def ask(address: str, path: str = "/api/v1/artifacts/aaaaaaaa") -> httpx.Response:
            return client.get(path, headers={"X-Forwarded-For": address})

        assert [ask("192.0.2.1").status_code for _ in range(5)] == [404] * 5
        refused = ask("192.0.2.1")
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 13
        assert refused.json()["error"] == "too_many_requests"
        assert ask("192.0.2.2").status_code == 404
        assert ask("192.0.2.1", "/api/v1/health").status_code == 200
        assert ask("192.0.2.1", "/ready").status_code == 200
        # One network of IPv6 is one client.
        several = [ask(f"2001:db8::{n}").status_code for n in range(1, 7)]
        assert several == [404] * 5 + [429]

        tries = [
            client.post("/api/v1/auth/refresh", json={}, headers={"X-Forwarded-For": "192.0.2.3"})
            for _ in range(3)
        ]
        assert tries[-1].status_code == 429
        assert "attempts to sign in" in tries[-1].json()["detail"]


def test_every_answer_has_the_headers(tmp_path: Path) -> None:
    toml = "public_url = 'https://glaas.example'\n"
    with served(tmp_path / "data", toml) as server, httpx.Client(base_url=server.url) as client:
        paths = ["/", "/api/v1/health", "/nothing/here", "/artifacts/00000000", "/metrics"]
        answers = [client.get(path) for path in paths]
        answers.append(client.get("/", headers={"Host": "evil.example"}))
        answers.append(client.post("/api/v1/registration-sessions", content=b"{"))
        for answer in answers:
            told = answer.headers
            assert told["x-content-type-options"] == "nosniff"
            assert told["referrer-policy"] == "no-referrer"
            assert told["cross-origin-resource-policy"] == "same-origin"
            assert told["strict-transport-security"] == "max-age=31536000"
            assert "default-src 'none'" in told["content-security-policy"]
            assert len(told["x-request-id"]) == 16
            assert "server" not in told
        assert len({answer.headers["x-request-id"] for answer in answers}) == len(answers)


def test_more_than_it_can_hold_is_told_to_come_back(tmp_path: Path) -> None:
    toml = "max_requests_in_hand = 1\n"
    with served(tmp_path / "data", toml) as server, httpx.Client(base_url=server.url) as client:
        with begun(server):
            refused = in_the_end(lambda: client.get("/api/v1/artifacts/aaaaaaaa"), 503)
            assert refused.headers["retry-after"] == "1"
            assert client.get("/ready").status_code == 200
        in_the_end(lambda: client.get("/api/v1/artifacts/aaaaaaaa"), 404)


BODY = json.dumps({"mode": "anonymous_public"}).encode()


@contextmanager
def begun(server: Served) -> Iterator[socket.socket]:
    """A request whose body has come half."""
    with socket.create_connection(server.address) as connection:
        connection.sendall(
            b"POST /api/v1/registration-sessions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY[:9]
        )
        yield connection


def in_the_end(ask: Any, status: int) -> httpx.Response:
    """An answer with this status, asked for until it comes."""
    for _ in range(3000):
        answer: httpx.Response = ask()
        if answer.status_code == status:
            return answer
    raise AssertionError(answer.text)


def test_a_request_that_never_arrives_whole_is_given_up(tmp_path: Path) -> None:
    with served(tmp_path / "data", "receive_timeout_s = 1\n") as server:
        with begun(server) as connection:
            answer = read_all(connection)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b"did not arrive in time" in answer
        with socket.create_connection(server.address) as connection:
            connection.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            assert read_all(connection) == b""
        with socket.create_connection(server.address) as connection:  # says nothing at all
            assert read_all(connection) == b""


def read_all(connection: socket.socket) -> bytes:
    connection.settimeout(30)
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def test_it_finishes_what_it_has_in_hand_and_closes_the_database(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with served(data) as server, begun(server) as connection:
        with httpx.Client(base_url=server.url) as client:
            assert client.get("/ready").status_code == 200
        assert (data / "glaas.db-wal").exists()
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionRefusedError):  # noqa: PT012 - until it takes no more
            for _ in range(3000):
                socket.create_connection(server.address).close()
                time.sleep(0.01)
        connection.sendall(BODY[9:])
        assert read_all(connection).startswith(b"HTTP/1.1 201 ")
        assert server.process.wait(30) in (0, -signal.SIGTERM)
    # SQLite removes its log when the last connection is closed.
    assert not (data / "glaas.db-wal").exists()


def test_requests_are_logged_without_what_they_say(tmp_path: Path) -> None:
    canary = "c4n4ry0123456789"
    with served(tmp_path / "data") as server, httpx.Client(base_url=server.url) as client:
        told = {"Authorization": f"Bearer {canary}", "Cookie": f"session={canary}"}
        told |= {"X-Request-Id": canary, "User-Agent": canary, "X-Roar-Version": canary}
        client.get(f"/search?q={canary}", headers=told)
        client.get(f"/{canary}/nothing?x={canary}", headers=told)
        client.get(f"/api/v1/artifacts/{canary}?x={canary}", headers=told)
        client.get("/ready", headers={"Host": canary})
        client.post("/api/v1/registration-sessions", json={"mode": canary}, headers=told)
        client.post(f"/api/v1/registration-sessions/{canary}/finalize", content=canary.encode())
        client.request(canary, "/")
        last = client.get("/ready")
        with begun(server):
            pass  # leaves in the middle
        server.stop()
        text = server.stderr.read_text()
        assert canary not in text
        assert BODY.decode()[:9] not in text
        lines = server.lines()
    routes = [(line["method"], line["route"], line["status"]) for line in lines]
    assert ("GET", "/search", 401) in routes
    assert ("GET", "(none)", 404) in routes
    assert ("GET", "/api/v1/artifacts/{reference}", 401) in routes
    assert ("POST", "/api/v1/registration-sessions", 499) in routes
    found = next(line for line in lines if line["request_id"] == last.headers["x-request-id"])
    assert set(found) == {
        *("time", "level", "method", "route", "status", "duration_ms", "caller", "request_id")
    }


def test_a_failure_is_logged_under_its_request_without_what_was_sent(tmp_path: Path) -> None:
    import sqlite3

    data = tmp_path / "data"
    with served(data) as server, httpx.Client(base_url=server.url) as client:
        with sqlite3.connect(data / "glaas.db") as vandal:
            vandal.execute("DROP TABLE registration")
        vandal.close()
        body = {"mode": "anonymous_public"}
        version = {"X-Roar-Version": "c4n4ry0123456789"}
        answer = client.post("/api/v1/registration-sessions", json=body, headers=version)
        assert answer.status_code in (500, 503)
        server.stop()
        (line,) = [line for line in server.lines() if line["level"] == "ERROR"]
        assert line["request_id"] == answer.headers["x-request-id"]
        assert "no such table" in json.dumps(line)
        assert "c4n4ry" not in server.stderr.read_text()


def test_the_log_for_people_has_the_same_facts(tmp_path: Path) -> None:
    with served(tmp_path / "data", "", "--log-format", "text") as server:
        answer = httpx.get(f"{server.url}/api/v1/artifacts/{'a' * 64}?secret=c4n4ry")
        server.stop()
        line = server.stderr.read_text().splitlines()[-1]
    assert " 404 GET /api/v1/artifacts/{reference} " in line
    assert line.endswith(f" - {answer.headers['x-request-id']}")


def test_an_account_is_named_in_the_log_and_has_a_limit_of_its_own(tmp_path: Path) -> None:
    data = tmp_path / "data"
    run = [sys.executable, "-m", "roar_glaas.cli"]
    subprocess.run([*run, "user", "add", "ada", "--data", data], check=True, capture_output=True)
    made = subprocess.run(
        [*run, "token", "create", "--user", "ada", "--json", "--data", data],
        check=True,
        capture_output=True,
    )
    token = json.loads(made.stdout)["access_token"]
    with served(data, "account_requests_per_minute = 2\n") as server:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=server.url, headers=headers) as client:
            path = "/api/v1/artifacts/aaaaaaaa"
            assert [client.get(path).status_code for _ in range(3)] == [404, 404, 429]
        assert httpx.get(f"{server.url}{path}").status_code == 404
        server.stop()
        assert [line["caller"] for line in server.lines()] == ["ada", "ada", "ada", ""]
        assert token not in server.stderr.read_text()


def figures(text: str) -> dict[str, float]:
    pairs = [line.rpartition(" ") for line in text.splitlines() if line[0] != "#"]
    return {name: float(value) for name, _, value in pairs}


def test_the_figures_count_requests_and_what_is_kept(registry: Any) -> None:
    registry.register()
    registry.open()
    registry.client.get("/api/v1/artifacts/aaaaaaaa")
    registry.client.get("/api/v1/artifacts/bbbbbbbb")
    answer = registry.client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = figures(answer.text)
    route = 'method="GET",route="/api/v1/artifacts/{reference}"'
    assert found[f'glaas_requests_total{{{route},status="200"}}'] == 2
    assert found[f"glaas_request_duration_seconds_count{{{route}}}"] == 2
    assert found["glaas_open_registrations"] == 1
    assert found["glaas_log_size"] == 3  # the key, the session and its job
    assert found["glaas_database_up"] == 1
    assert found["glaas_database_errors_total"] == 0


def test_several_processes_count_together(tmp_path: Path) -> None:
    with served(tmp_path / "data", "", "--workers", "2") as server:
        for _ in range(40):
            httpx.get(f"{server.url}/api/v1/artifacts/aaaaaaaa")
        labels = 'method="GET",route="/api/v1/artifacts/{reference}",status="404"'
        for _ in range(4):  # whichever answers
            found = figures(httpx.get(f"{server.url}/metrics").text)
            assert found[f"glaas_requests_total{{{labels}}}"] == 40


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_errors_of_the_database_are_counted_and_told(database_url: str, tmp_path: Path) -> None:
    import psycopg

    folder = database_url.partition("host=")[2]
    name = database_url.partition("@/")[2].partition("?")[0]
    options = ("--database", database_url)
    with served(tmp_path / "data", "", *options) as server, httpx.Client(base_url=server.url) as it:
        with psycopg.connect(f"host={folder} user=glaas dbname=postgres", autocommit=True) as admin:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            assert it.get("/ready").status_code == 503
            away = figures(it.get("/metrics").text)
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert away["glaas_database_up"] == 0
        assert "glaas_log_size" not in away
        assert it.get("/ready").status_code == 200
        back = figures(it.get("/metrics").text)
    assert back["glaas_database_up"] == 1
    assert back["glaas_database_errors_total"] >= 1


def test_the_figures_are_not_for_the_public(tmp_path: Path) -> None:
    toml = "trusted_proxies = ['127.0.0.1']\nmetrics_from = ['127.0.0.0/8', '10.0.0.7']\n"
    with served(tmp_path / "data", toml) as server:

        def status(**headers: str) -> int:
            return httpx.get(f"{server.url}/metrics", headers=headers).status_code

        assert status() == 200
        assert status(**{"X-Forwarded-For": "10.0.0.7"}) == 200
        assert status(**{"X-Forwarded-For": "192.0.2.1"}) == 403
    with served(tmp_path / "other") as server:
        # A proxy on this machine that nobody trusts asks for somebody else.
        assert status() == 200
        assert status(**{"X-Forwarded-For": "127.0.0.1"}) == 403
        assert status(Via="1.1 proxy") == 403


def test_a_network_that_makes_no_sense_is_named_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "glaas.toml").write_text("trusted_proxies = ['proxy.example']\n")
    assert "trusted_proxies: 'proxy.example'" in start("--data", tmp_path, "--port", "0")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("public_url", "glaas.example"),
        ("allowed_hosts", "one"),
        ("allowed_hosts", [1]),
        ("port", 70000),
        ("requests_per_minute", -1),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path, key: str, value: Any) -> None:
    (tmp_path / "glaas.toml").write_text(f"{key} = {json.dumps(value)}\n")
    with pytest.raises(GlaasError, match=key):
        Hosts(read_settings(tmp_path, {}))


def test_a_log_has_one_of_two_formats() -> None:
    with pytest.raises(GlaasError, match="text or json"):
        set_up_logs("xml")


def test_lists_come_from_files_and_variables(tmp_path: Path) -> None:
    (tmp_path / "glaas.toml").write_text("allowed_hosts = ['a', 'b']\n")
    assert read_settings(tmp_path, {}).allowed_hosts == ("a", "b")
    found = read_settings(tmp_path, {"GLAAS_ALLOWED_HOSTS": "c, d"})
    assert found.allowed_hosts == ("c", "d")
    (tmp_path / "glaas.toml").write_text("allowed_hosts = 'a'\n")
    with pytest.raises(GlaasError, match="list of strings"):
        read_settings(tmp_path, {})


def start(*options: str | Path) -> str:
    """What `glaas serve` says when it cannot: one line."""
    run: list[Any] = [sys.executable, "-m", "roar_glaas.cli", "serve", *options]
    told = subprocess.run(run, capture_output=True, text=True, timeout=60)
    assert told.returncode == 1, told.stderr
    (line,) = told.stderr.splitlines()
    return line


def test_it_does_not_start_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be the data directory" in start("--port", "0", "--data", tmp_path / "file")


def test_it_does_not_start_on_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"cannot listen on 127.0.0.1 port {port}" in start(
            "--port", port, "--data", tmp_path
        )


def test_it_does_not_start_on_the_database_of_a_newer_one(tmp_path: Path) -> None:
    import sqlite3

    with served(tmp_path / "data"):
        pass
    with sqlite3.connect(tmp_path / "data" / "glaas.db") as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.close()
    told = start("--port", "0", "--data", tmp_path / "data")
    assert "schema 9999" in told
    assert "install a newer roar-glaas" in told
