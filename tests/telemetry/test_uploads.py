"""What docs/telemetry.md promises of the network: who sends, what, where, and what is kept."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from roar_core.telemetry import suppression

if TYPE_CHECKING:
    from tests.telemetry.conftest import Endpoint, Machine

Eventually = Callable[[Callable[[], bool]], None]


def try_again(machine: Machine) -> None:
    """Forget that sending failed a moment ago."""
    (machine.folder / "backoff.json").unlink(missing_ok=True)


# --- no foreground network -----------------------------------------------------------------------


def test_a_milestone_is_sent_by_a_detached_process(
    machine: Machine, endpoint: Endpoint, eventually: Eventually
) -> None:
    machine.disclose()
    machine.ok("run", "true")
    eventually(lambda: machine.queued() == [])
    assert [event["trigger"] for event in endpoint.events] == [
        "first_seen_for_install_id",
        "first_successful_roar_run",
    ]
    headers, body = endpoint.received[0]
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"] == "roar-telemetry/1"
    assert b" " not in body


def test_what_is_sent_is_what_was_queued_byte_for_byte(
    machine: Machine, endpoint: Endpoint
) -> None:
    machine.disclose()
    queued = [path.read_bytes() for path in machine.folder.glob("queue/*.json")]
    machine.upload()
    assert [body for _, body in endpoint.received] == queued != []


def test_a_command_ends_while_the_endpoint_hangs(
    machine: Machine, endpoint: Endpoint, eventually: Eventually
) -> None:
    machine.disclose()
    endpoint.answer = "hang"
    machine.ok("init")
    eventually(lambda: endpoint.connections == 1)
    machine.ok("reset")
    assert not endpoint.let_go.is_set(), "both commands ended, the connection is open"
    assert len(machine.queued()) == 3


@pytest.mark.needs("strace")
@pytest.mark.parametrize("words", [["init"], ["run", "--tracer", "ptrace", "true"], ["status"]])
def test_no_foreground_command_opens_an_internet_socket(
    machine: Machine, endpoint: Endpoint, words: list[str]
) -> None:
    machine.disclose()
    log = machine.home / "strace"
    strace = ["strace", "-f", "-o", log, "-e", "trace=socket,execve"]
    roar = machine.environ["PATH"].partition(":")[0] + "/roar"
    subprocess.run([*strace, roar, *words], cwd=machine.project, env=machine.environ, check=True)
    lines = log.read_text().splitlines()
    uploaders = {line.split()[0] for line in lines if "roar_core.telemetry.uploader" in line}
    assert any("execve" in line for line in lines)
    opened = [line for line in lines if re.search(r"socket\(AF_INET6?,", line)]
    assert {line.split()[0] for line in opened} <= uploaders, opened


def test_the_uploader_holds_nothing_of_the_command(
    machine: Machine, endpoint: Endpoint, eventually: Eventually
) -> None:
    machine.disclose()
    endpoint.answer = "hang"
    lock = os.open(machine.home / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    roar = machine.environ["PATH"].partition(":")[0] + "/roar"
    process = subprocess.Popen(
        [roar, "init"],
        cwd=machine.project,
        env=machine.environ,
        pass_fds=[lock],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    os.close(lock)
    process.communicate(timeout=60)  # would wait for an uploader that kept the pipe
    eventually(lambda: endpoint.connections == 1)
    again = os.open(machine.home / "lock", os.O_RDWR)
    fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(again)


# --- only 204 deletes ----------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [200, 202, 301, 400, 404, 429, 500, 503, "close"])
def test_anything_but_204_leaves_the_event(
    machine: Machine, endpoint: Endpoint, answer: int | str
) -> None:
    machine.disclose()
    endpoint.answer = answer
    before = machine.queued()
    machine.upload()
    assert endpoint.connections == 1
    assert machine.queued() == before != []
    endpoint.answer = 204
    try_again(machine)
    machine.upload()
    assert machine.queued() == []


def test_an_event_that_is_refused_holds_no_other_back(machine: Machine, endpoint: Endpoint) -> None:
    machine.disclose()
    machine.ok("init", DO_NOT_TRACK="1")
    endpoint.answer = 400
    before = machine.queued()
    other = machine.folder / "queue" / f"{'0' * 8}-0000-4000-8000-{'0' * 12}.json"
    other.write_bytes(next(machine.folder.glob("queue/*.json")).read_bytes())
    machine.upload()
    assert endpoint.connections == 2
    assert len(machine.queued()) == len(before) + 1


def test_what_was_queued_before_the_line_leaves_with_the_next_command(
    machine: Machine, endpoint: Endpoint, eventually: Eventually
) -> None:
    machine.disclose()
    machine.ok("status")
    eventually(lambda: machine.queued() == [])
    assert len(endpoint.events) == 1


def test_an_endpoint_that_is_down_leaves_the_event(machine: Machine) -> None:
    machine.ok("telemetry", "--endpoint", "http://127.0.0.1:9/")
    machine.disclose()
    machine.upload()
    assert len(machine.queued()) == 1


def test_after_a_failure_it_waits_longer_each_time(machine: Machine, endpoint: Endpoint) -> None:
    machine.disclose()
    endpoint.answer = 500
    waits = []
    for _ in range(3):
        machine.upload()
        machine.upload()
        backoff = machine.folder / "backoff.json"
        failures, until = json.loads(backoff.read_text())
        waits.append(until - time.time())
        backoff.write_text(json.dumps([failures, 0]))
    assert endpoint.connections == 3, "the second of each two did not try"
    assert waits[0] < waits[1] < waits[2]


def test_a_redirect_is_followed_nowhere(
    machine: Machine, endpoint: Endpoint, new_endpoint: Callable[[], Endpoint]
) -> None:
    other = new_endpoint()
    machine.disclose()
    endpoint.answer = other.url
    machine.upload()
    assert (endpoint.connections, other.connections) == (1, 0)
    assert len(machine.queued()) == 1


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/x",
        "ftp://127.0.0.1/x",
        "https://",
        "nonsense",
        "https://me:x@example.org",
    ],
)
def test_an_address_that_is_not_safe_is_refused(machine: Machine, address: str) -> None:
    refused = machine.roar("telemetry", "--endpoint", address)
    assert refused.returncode == 2
    assert refused.stderr.startswith("roar: --endpoint ")
    assert len(refused.stderr.splitlines()) == 1


def test_an_event_goes_through_nobodys_proxy(
    machine: Machine, endpoint: Endpoint, new_endpoint: Callable[[], Endpoint]
) -> None:
    proxy = new_endpoint()
    machine.disclose()
    machine.upload(HTTP_PROXY=proxy.url, ALL_PROXY=proxy.url, http_proxy=proxy.url)
    assert (endpoint.connections, proxy.connections) == (1, 0)


def test_only_one_uploader_works_at_a_time(
    machine: Machine, endpoint: Endpoint, eventually: Eventually
) -> None:
    machine.disclose()
    endpoint.answer = "hang"
    machine.ok("init")
    eventually(lambda: endpoint.connections == 1)
    machine.upload()
    assert endpoint.connections == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b'{"trigger":"init"}', b"\xff\xfe"])
def test_what_is_no_event_of_ours_never_leaves(
    machine: Machine, endpoint: Endpoint, content: bytes
) -> None:
    machine.disclose()
    (machine.folder / "queue" / "0.json").write_bytes(content)
    preview = machine.ok("telemetry", "--print").strip()
    (machine.folder / "queue" / "1.json").write_text(preview)
    machine.upload()
    assert [event["trigger"] for event in endpoint.events] == ["first_seen_for_install_id"]


# --- nothing under an opt-out --------------------------------------------------------------------


@pytest.mark.parametrize(
    "variable", [*suppression.OPT_OUTS, *suppression.CI, *suppression.PYTEST, "RAY_JOB_ID"]
)
def test_the_uploader_exits_early_under_a_variable(
    machine: Machine, endpoint: Endpoint, variable: str
) -> None:
    machine.disclose()
    machine.upload(**{variable: "1"})
    assert endpoint.connections == 0
    assert len(machine.queued()) == 1


def test_the_uploader_exits_early_once_disabled(machine: Machine, endpoint: Endpoint) -> None:
    machine.disclose()
    kept = {path.name: path.read_bytes() for path in machine.folder.glob("queue/*.json")}
    machine.ok("telemetry", "--disable")
    for name, content in kept.items():
        (machine.folder / "queue" / name).write_bytes(content)
    machine.upload()
    assert endpoint.connections == 0


def test_the_uploader_exits_early_without_an_endpoint(machine: Machine, endpoint: Endpoint) -> None:
    machine.disclose()
    machine.ok("telemetry", "--endpoint", "")
    machine.upload()
    assert endpoint.connections == 0


# --- the disclosure ------------------------------------------------------------------------------


def test_the_line_is_shown_once_and_before_anything_may_leave(
    machine: Machine, endpoint: Endpoint
) -> None:
    first = machine.at_a_terminal("init")
    assert first.count("roar telemetry --disable") == 1
    second = machine.at_a_terminal("status")
    assert "telemetry" not in second
    assert endpoint.connections == 0, "the command that shows the line starts no uploader"
    assert machine.triggers() == ["first_seen_for_install_id", "init"]


def test_without_a_terminal_or_with_q_it_is_postponed_and_nothing_is_sent(
    machine: Machine, endpoint: Endpoint
) -> None:
    machine.ok("init")
    assert "telemetry" not in machine.at_a_terminal("run", "-q", "true")
    machine.upload()
    assert endpoint.connections == 0
    assert len(machine.queued()) == 3
    assert "roar telemetry --print" in machine.at_a_terminal("status")
    machine.upload()
    assert endpoint.connections == 3


def test_there_is_no_line_where_nothing_is_sent(machine: Machine) -> None:
    machine.ok("telemetry", "--disable")
    assert "telemetry" not in machine.at_a_terminal("status")
    machine.ok("telemetry", "--enable")
    machine.ok("telemetry", "--endpoint", "")
    assert "telemetry" not in machine.at_a_terminal("status")
