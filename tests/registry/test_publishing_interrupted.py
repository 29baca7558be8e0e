"""Killed, refused, given up, too large: run again, it comes to one complete registration."""

from __future__ import annotations

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from between import Between, standing_between
from machines import Machine, kill_newest, new_machine, record_work

from roar_glaas.storage.tables import registration, staged

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

PLAIN = frozenset({"links_batch", "known_jobs"})


@pytest.fixture
def between(shared: Registry) -> Iterator[Between]:
    with standing_between(shared.url) as found:
        yield found


@pytest.fixture
def machine(between: Between, tmp_path: Path) -> Machine:
    return new_machine(tmp_path / "one", between.url)


def registered(registry: Registry, machine: Machine) -> Any:
    """What the registry has of the machine's jobs, told without their names."""
    uids = [row[0] for row in machine.rows("SELECT uid FROM job ORDER BY id")]
    secret = machine.environ.get("ROAR_TOKEN")
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    told = registry.client.post("/api/v1/jobs/known", json={"job_uids": uids}, headers=headers)
    known = told.json()["known"]
    assert sorted(one["job_uid"] for one in known) == sorted(uids)
    (session,) = {one["session_hash"] for one in known}
    jobs = []
    for uid in uids:
        job = registry.client.get(f"/api/v1/graph/jobs/{uid}", headers=headers).json()
        jobs.append(
            {
                key: job[key]
                for key in ("command", "stepNumber", "startedAt", "inputs", "outputs", "exitCode")
            }
        )
    place = {"key": "stage", "entity": "job"}
    labels = registry.client.get("/api/v1/graph/labels", params=place, headers=headers).json()
    kept = [one for one in labels["labels"] if one["sessionHash"] == session]
    return jobs, [(one["jobUid"] == uids[0], one["version"], one["metadata"]) for one in kept]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shared", "is_plain"),
    [("sqlite", False), ("postgresql", False), ("sqlite", True)],
    indirect=["shared"],
    ids=["sqlite", "postgresql", "plain"],
)
def test_killed_at_any_request(
    shared: Registry,
    between: Between,
    machine: Machine,
    tmp_path: Path,
    is_plain: bool,
) -> None:
    record_work(machine)
    between.hidden = PLAIN if is_plain else frozenset()
    between.victim = kill_newest
    undisturbed = machine.twin(tmp_path / "undisturbed")
    ended = undisturbed.roar("register", "-y")
    assert ended.exit_code == 0, ended.stderr
    sequence = list(between.requests)
    expected = registered(shared, undisturbed)
    assert expected[1] == [(True, 1, {"stage": "raw"})]
    for number, request in enumerate(sequence, start=1):
        # What follows only asks; and what a plain registry is sent as well was tried with ours.
        if "GET log" in request or (is_plain and "/jobs/" not in request.replace("/batch", "")):
            continue
        victim = machine.twin(tmp_path / f"killed-{number}")
        victim.rename_jobs()
        between.requests.clear()
        between.kill_at = number
        assert victim.roar("register", "-y").exit_code == -9
        between.kill_at = 0
        again = victim.roar("register", "-y")
        assert again.exit_code == 0, (request, again.stderr)
        assert registered(shared, victim) == expected, request
        assert victim.rows("SELECT * FROM registration") == []
        assert list((victim.project / ".roar" / "registrations").glob("*")) == []
        assert victim.rows("SELECT count(*) FROM receipt") == [(3,)]


@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)
def test_ctrl_c_ends_it_with_a_line_and_the_next_goes_on(
    shared: Registry, between: Between, machine: Machine
) -> None:
    record_work(machine)
    between.victim = partial(kill_newest, signal.SIGINT)
    for number in (2, 4, 6):
        between.requests.clear()
        between.kill_at = number
        ended = machine.roar("register", "-y")
        assert (ended.exit_code, ended.stderr.splitlines()[-1]) == (130, "roar: interrupted")
        assert "Traceback" not in ended.stderr
    between.kill_at = 0
    ended = machine.roar("register", "-y")
    assert ended.exit_code == 0, ended.stderr
    assert len(registered(shared, machine)[0]) == 3


@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)
def test_one_that_the_registry_gave_up_is_begun_anew(
    shared: Registry, between: Between, machine: Machine
) -> None:
    record_work(machine)
    between.victim, between.kill_at = kill_newest, 6
    assert machine.roar("register", "-y").exit_code == -9
    (begun,) = machine.rows("SELECT name FROM registration")
    with shared.database() as database, database.write() as connection:
        gone = sa.delete(registration).where(registration.c.public_id == begun[0])
        connection.execute(sa.delete(staged).where(staged.c.registration_id.in_(_id_of(begun[0]))))
        assert connection.execute(gone).rowcount == 1
    between.kill_at = 0
    assert machine.roar("register", "-y").exit_code == 0
    assert len(registered(shared, machine)[0]) == 3


@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)
def test_labels_that_were_refused_are_sent_the_next_time(
    shared: Registry, between: Between, machine: Machine
) -> None:
    record_work(machine)
    between.missing = ("/labels/batch",)
    for _ in range(2):
        ended = machine.roar("register", "-y")
        assert ended.exit_code == 1
    between.missing = ()
    ended = machine.roar("register", "-y")
    assert ended.exit_code == 0, ended.stderr
    assert registered(shared, machine)[1] == [(True, 1, {"stage": "raw"})]
    assert machine.rows("SELECT * FROM registration") == []


@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)
def test_what_is_too_large_is_sent_in_halves(
    shared: Registry, between: Between, machine: Machine, tmp_path: Path
) -> None:
    record_work(machine)
    twin = machine.twin(tmp_path / "two")
    twin.rename_jobs()
    assert twin.roar("register", "-y").exit_code == 0
    between.most_bytes = 3_500
    ended = machine.roar("register", "-y")
    assert ended.exit_code == 0, ended.stderr
    assert registered(shared, machine) == registered(shared, twin)
    between.most_bytes = 500
    machine.rename_jobs()
    with sqlite3.connect(machine.project / ".roar" / "roar.db") as connection:
        connection.execute("DELETE FROM receipt")
    connection.close()
    ended = machine.roar("register", "-y")
    assert ended.exit_code == 1
    assert "takes nothing this large" in ended.stderr


@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)
def test_an_overlap_that_nobody_tells_of_is_a_conflict_with_what_is_there(
    shared: Registry, between: Between, machine: Machine, tmp_path: Path
) -> None:
    record_work(machine)
    twin = machine.twin(tmp_path / "two")
    between.hidden = PLAIN
    assert machine.roar("register", "-y", "@1").exit_code == 0
    (session,) = machine.rows("SELECT DISTINCT session_hash FROM receipt")
    ended = twin.roar("register", "-y")
    assert ended.exit_code == 1
    assert session[0][:12] in ended.stderr
    # Who has the receipts sends the rest.
    assert machine.roar("register", "-y").exit_code == 0
    assert machine.rows("SELECT count(*) FROM receipt") == [(3,)]


@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)
def test_without_a_registry_nothing_is_lost(shared: Registry, machine: Machine) -> None:
    record_work(machine)
    shown = machine.roar("status", "--json").document
    assert shown["unregistered"] == 3
    assert machine.roar("register", "-y").exit_code == 0
    shown = machine.roar("status", "--json").document
    assert shown["unregistered"] == 0
    assert "all 3 jobs are registered" in machine.roar("status").stdout


@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)
def test_what_somebody_at_a_terminal_agreed_to_is_remembered(
    shared: Registry, machine: Machine
) -> None:
    record_work(machine)
    ours, theirs = pty.openpty()
    os.write(ours, b"y\n")
    done = subprocess.run(
        [sys.executable, "-m", "roar_core", "register", "@1"],
        cwd=machine.project,
        env=machine.environment(),
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stderr
    assert "for everybody to see?" in done.stderr
    assert machine.roar("register").exit_code == 0


@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)
def test_registering_is_a_milestone_and_a_dry_run_is_none(
    shared: Registry, machine: Machine
) -> None:
    record_work(machine)
    cache = machine.root / "cache"
    # Of this test's own environment nothing: telemetry is silent in tests, and in CI.
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    environ |= {"HOME": str(machine.root / "home"), "XDG_CACHE_HOME": str(cache)}
    environ |= machine.environ

    def roar(*words: str) -> int:
        command = [sys.executable, "-m", "roar_core", *words]
        done = subprocess.run(
            command, cwd=machine.project, env=environ, stdin=subprocess.DEVNULL, check=False
        )
        return done.returncode

    def triggers() -> list[str]:
        queued = sorted(cache.glob("roar/telemetry/queue/*.json"))
        return [json.loads(path.read_text())["trigger"] for path in queued]

    assert roar("register", "--dry-run") == 0
    assert roar("register", "--package", str(machine.root / "package.json")) == 0
    assert "register" not in triggers()
    assert roar("register", "-y") == 0
    assert triggers().count("register") == 1


def _id_of(name: str) -> sa.Select[Any]:
    return sa.select(registration.c.id).where(registration.c.public_id == name)
