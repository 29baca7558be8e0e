"""What a server tells of itself: logs without what was sent, and figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from served import BODY, begun, served

from roar_glaas.errors import GlaasError
from roar_glaas.serving.logs import set_up_logs


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


def test_a_log_has_one_of_two_formats() -> None:
    with pytest.raises(GlaasError, match="text or json"):
        set_up_logs("xml")
