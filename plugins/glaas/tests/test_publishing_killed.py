"""A client that is killed at any request, run again, comes to one complete registration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from between import Between, Clients, standing_between
from machines import Machine, new_machine, record_work

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

PLAIN = frozenset({"links_batch", "known_jobs"})


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    found = Clients(tmp_path_factory.mktemp("clients"))
    yield found
    found.close()


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


@pytest.mark.parametrize("is_plain", [False, True], ids=["ours", "plain"])
def test_killed_at_any_request(
    shared: Registry,
    between: Between,
    machine: Machine,
    clients: Clients,
    tmp_path: Path,
    is_plain: bool,
) -> None:
    record_work(machine)
    between.hidden = PLAIN if is_plain else frozenset()
    between.victim = clients.kill
    undisturbed = machine.twin(tmp_path / "undisturbed")
    ended = clients.roar(undisturbed, "register", "-y")
    assert ended.exit_code == 0, ended.stderr
    sequence = list(between.requests)
    expected = registered(shared, undisturbed)
    assert expected[1] == [(True, 1, {"stage": "raw"})]
    for number in range(1, len(sequence) + 1):
        victim = machine.twin(tmp_path / f"killed-{number}")
        victim.rename_jobs()
        between.requests.clear()
        between.kill_at = number
        assert clients.roar(victim, "register", "-y").exit_code == -9
        between.kill_at = 0
        again = clients.roar(victim, "register", "-y")
        assert again.exit_code == 0, (sequence[number - 1], again.stderr)
        assert registered(shared, victim) == expected, sequence[number - 1]
        assert victim.rows("SELECT * FROM registration") == []
        assert list((victim.project / ".roar" / "registrations").glob("*")) == []
        assert victim.rows("SELECT count(*) FROM receipt") == [(3,)]
