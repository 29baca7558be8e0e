"""What every request passes: names, addresses, rates, headers, time-outs; how a server ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from served import BODY, begun, in_the_end, served

from roar_glaas.errors import Misdirected
from roar_glaas.serving.hosts import Hosts
from roar_glaas.serving.peers import Networks, peer_of
from roar_glaas.serving.rates import Buckets, is_attempt
from roar_glaas.settings import Settings


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
