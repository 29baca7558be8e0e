"""Walks give the same whether sessions are loaded whole or asked of job by job."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from roar_glaas.access.caller import ANYBODY
from roar_glaas.digests import digest_text
from roar_glaas.graph import whole_sessions
from roar_glaas.graph.artifacts import Found
from roar_glaas.graph.closure import Step, newest_job, walk_up
from roar_glaas.storage.tables import artifact

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

SESSIONS, JOBS, FILES = 6, 12, 20


def register_at_random(registry: Registry, chance: random.Random) -> None:
    """Sessions whose jobs read and write few files again and again, at few different times."""
    files = [f"{number:064x}" for number in range(1, FILES + 1)]
    for _ in range(SESSIONS):
        opened = registry.open()
        jobs = [f"{chance.getrandbits(128):032x}" for _ in range(JOBS)]
        told = [
            {"command": "x", "timestamp": chance.randrange(8), "job_uid": uid, "step_number": 1}
            for uid in jobs
        ]
        opened.post("jobs/batch", {"jobs": told})
        links = []
        for uid in jobs:
            sides = {}
            for side in ("inputs", "outputs"):
                some = chance.sample(files, chance.randrange(4))
                sides[side] = [{"hash": one, "path": f"/{one}"} for one in some]
            links.append({"job_uid": uid, **sides})
        opened.post("links/batch", {"links": links})
        opened.post("finalize", {})


def walks(registry: Registry, as_of: int | None = None) -> dict[str, list[Step]]:
    """Of every artifact, the walk upstream."""
    found: dict[str, list[Step]] = {}
    with registry.database() as database, database.read() as connection:
        upto = newest_job(connection) if as_of is None else as_of
        rows: Any = connection.execute(sa.select(artifact)).all()
        for row in rows:
            name = digest_text(row.algorithm, bytes(row.digest))
            place = Found(row.id, row.algorithm, name)
            found[name] = list(walk_up(connection, ANYBODY, place, upto))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_whole_sessions_change_no_walk(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    register_at_random(registry, random.Random(seed))
    whole = {}
    for many in (1, 3, 10_000):
        monkeypatch.setattr(whole_sessions, "MANY_JOBS", many)
        whole[many] = (walks(registry), walks(registry, as_of=SESSIONS * JOBS // 2))
    assert max(len(walk) for walk in whole[1][0].values()) > JOBS
    assert whole[1] == whole[3] == whole[10_000]


def test_a_session_too_large_is_asked_of_job_by_job(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_at_random(registry, random.Random(7))
    expected = walks(registry)
    monkeypatch.setattr(whole_sessions, "MANY_JOBS", 1)
    monkeypatch.setattr(whole_sessions, "_MOST_EDGES", 5)
    assert walks(registry) == expected
