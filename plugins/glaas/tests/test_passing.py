"""Fragments of distributed runs and telemetry: they pass through and are not registered."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import httpx
import pytest
import sqlalchemy as sa

from roar_glaas.storage.database import sqlite_address
from roar_glaas.storage.tables import (
    fragment,
    fragment_session,
    metadata,
    record_bytes,
    telemetry_count,
)

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

EVENT = {
    "payload_schema_version": 1,
    "stats_schema_version": 1,
    "event_id": "0a0f6b4e-5b7c-4a53-8a53-2f2d1f6f6c11",
    "install_id": "d2b0c1a4-08f1-4a6e-9a8c-5d4c7f6e1b22",
    "sequence": 3,
    "first_seen": "2026-01-01T00:00:00Z",
    "trigger": "register",
    "trigger_ts": "2026-01-02T00:00:00Z",
    "counters_as_of": "2026-01-02T00:00:00Z",
    "version": "0.4.7",
    "platform": {"os": "linux", "arch": "x86_64"},
    "subcommand_counts": {"run": 4},
    "tracer_selections": {"preload": 4},
    "feature_capabilities": {"blake3": True},
}


@attrs.define
class Worker:
    """What has the token of one fragment session."""

    registry: Registry
    name: str = attrs.field(factory=lambda: str(uuid.uuid4()))
    token: str = attrs.field(factory=lambda: secrets.token_hex(32))

    def open(self, **more: Any) -> httpx.Response:
        body = {
            "session_id": self.name,
            "token_hash": hashlib.sha256(self.token.encode()).hexdigest(),
            "ttl_seconds": 3600,
        }
        return self.registry.client.post("/api/v1/fragments/sessions", json=body | more)

    def ask(self, method: str, part: str, body: Any = None) -> httpx.Response:
        return self.registry.client.request(
            method,
            f"/api/v1/fragments/sessions/{self.name}/{part}",
            json=body,
            headers={"x-roar-fragment-token": self.token},
        )

    def leave(self, sequence: int, content: bytes) -> httpx.Response:
        batch = base64.b64encode(content).decode()
        return self.ask("POST", "fragments", {"encrypted_batch": batch, "sequence": sequence})

    def fetched(self) -> list[tuple[int, bytes]]:
        answer = self.ask("GET", "fragments")
        assert answer.status_code == 200, answer.text
        return [
            (one["sequence"], base64.b64decode(one["encrypted_batch"]))
            for one in answer.json()["fragments"]
        ]


def expire(registry: Registry, worker: Worker, ago_s: int) -> None:
    """Have a session be over since `ago_s` seconds."""
    when = time.time_ns() // 1000 - ago_s * 1_000_000
    with registry.database() as database, database.write() as connection:
        connection.execute(
            sa.update(fragment_session)
            .where(fragment_session.c.public_id == worker.name)
            .values(expires_at_us=when)
        )


def test_batches_are_fetched_by_sequence_and_count_once(shared: Registry) -> None:
    worker = Worker(shared)
    assert worker.open().status_code == 201
    for sequence, content in ((1, b"second"), (0, b"first"), (1, b"second")):
        answer = worker.leave(sequence, content)
        assert answer.status_code == 201, answer.text
    # Another worker of the same run counts from 0 too; what it saw is not lost.
    assert worker.leave(0, b"of another").json() == {"sequence": 0, "created": True}
    assert sorted(worker.fetched()) == [(0, b"first"), (0, b"of another"), (1, b"second")]
    assert [sequence for sequence, _ in worker.fetched()] == [0, 0, 1]


def test_an_expired_session_is_renewed_with_its_token(shared: Registry) -> None:
    worker = Worker(shared)
    worker.open()
    worker.leave(0, b"before")
    expire(shared, worker, 60)
    for answer in (worker.leave(1, b"after"), worker.ask("GET", "fragments")):
        assert (answer.status_code, answer.json()["error"]) == (403, "expired")
    assert worker.ask("POST", "renew", {"ttl_seconds": 60}).status_code == 200
    assert worker.leave(1, b"after").status_code == 201
    assert [content for _, content in worker.fetched()] == [b"before", b"after"]


def test_without_its_token_a_session_does_not_exist(shared: Registry) -> None:
    worker = Worker(shared)
    worker.open()
    stranger = Worker(shared, name=worker.name)
    nowhere = Worker(shared)
    for method, part, body in (
        ("GET", "fragments", None),
        ("POST", "fragments", {"encrypted_batch": "AAAA", "sequence": 0}),
        ("POST", "renew", {"ttl_seconds": 60}),
    ):
        told = [one.ask(method, part, body) for one in (stranger, nowhere)]
        assert [answer.status_code for answer in told] == [404, 404]
        assert told[0].text == told[1].text
    assert stranger.open().status_code == 409
    assert worker.open().json()["created"] is False


def test_the_token_is_kept_nowhere(shared: Registry) -> None:
    worker = Worker(shared)
    worker.open()
    worker.leave(0, b"x")
    with shared.database() as database, database.read() as connection:
        rows = [
            repr(tuple(row))
            for t in metadata.sorted_tables
            for row in connection.execute(t.select())
        ]
    assert rows
    assert [row for row in rows if worker.token in row] == []


def test_what_is_forgotten_takes_its_batches_along(shared: Registry) -> None:
    worker = Worker(shared)
    worker.open()
    worker.leave(0, b"x")
    expire(shared, worker, 30 * 24 * 3600)
    assert Worker(shared).open().status_code == 201
    assert worker.ask("POST", "renew", {"ttl_seconds": 60}).status_code == 404
    with shared.database() as database, database.read() as connection:
        left = connection.execute(
            sa.select(sa.func.count())
            .select_from(fragment)
            .where(fragment.c.content == b"x")
            .where(
                fragment.c.fragment_session_id.in_(
                    sa.select(fragment_session.c.id).where(
                        fragment_session.c.public_id == worker.name
                    )
                )
            )
        ).scalar()
        orphans = connection.execute(
            sa.select(sa.func.count())
            .select_from(fragment.outerjoin(fragment_session))
            .where(fragment_session.c.id.is_(None))
        ).scalar()
    assert (left, orphans) == (0, 0)


def test_workers_who_leave_batches_at_once_lose_none(shared: Registry) -> None:
    worker = Worker(shared)
    worker.open()
    contents = [f"of {n}".encode() for n in range(12)]
    statuses: list[int] = []

    def leave(content: bytes) -> None:
        statuses.append(worker.leave(0, content).status_code)

    threads = [threading.Thread(target=leave, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [201] * 12
    assert sorted(content for _, content in worker.fetched()) == sorted(contents)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"session_id": "x"}, "session_id"),
        ({"session_id": "../../etc"}, "session_id"),
        ({"token_hash": "z" * 64}, "token_hash"),
        ({"token_hash": "a"}, "token_hash"),
        ({"ttl_seconds": 0}, "ttl_seconds"),
        ({"ttl_seconds": -(2**70)}, "ttl_seconds"),
        ({"ttl_seconds": "a"}, "ttl_seconds"),
        ({"token_hash": None}, "token_hash"),
    ],
)
def test_a_malformed_opening_is_refused(
    refusing: Registry, body: dict[str, Any], word: str
) -> None:
    answer = Worker(refusing).open(**body)
    assert (answer.status_code, word in answer.json()["detail"]) == (400, True), answer.text


def test_a_malformed_batch_is_refused(refusing: Registry) -> None:
    worker = Worker(refusing)
    worker.open(ttl_seconds=2**60)
    for body, status, word in (
        ({"encrypted_batch": "%%%", "sequence": 0}, 400, "encrypted_batch"),
        ({"encrypted_batch": "", "sequence": 0}, 400, "encrypted_batch"),
        ({"encrypted_batch": "AAAA", "sequence": -1}, 400, "sequence"),
        ({"encrypted_batch": "AAAA", "sequence": 2**64}, 400, "sequence"),
        ({"encrypted_batch": "AAAA"}, 400, "sequence"),
        ({"encrypted_batch": "A" * 1_400_000, "sequence": 0}, 413, "send less"),
    ):
        answer = worker.ask("POST", "fragments", body)
        assert (answer.status_code, word in answer.json()["detail"]) == (status, True), answer.text
    unnamed = refusing.client.get(f"/api/v1/fragments/sessions/{worker.name}/fragments")
    assert unnamed.status_code == 400
    assert worker.fetched() == []


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A server that takes little, and counts events."""
    from plugins.glaas.tests.conftest import serving

    folder: Path = tmp_path_factory.mktemp("small")
    (folder / "glaas.toml").write_text(
        "fragment_session_bytes = 10\nfragment_sessions_at_once = 2\ntelemetry_counts = true\n"
    )
    with serving(sqlite_address(folder / "glaas.db"), folder) as found:
        yield found


def test_quotas_hold(small: Registry) -> None:
    workers = [Worker(small) for _ in range(3)]
    assert [worker.open().status_code for worker in workers] == [201, 201, 429]
    assert workers[0].leave(0, b"12345678").status_code == 201
    full = workers[0].leave(1, b"12345678")
    assert (full.status_code, int(full.headers["Retry-After"]) > 0) == (429, True)
    assert workers[0].leave(0, b"12345678").status_code == 201  # again: it is there already


def count(registry: Registry, table: sa.Table) -> int:
    with registry.database() as database, database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_telemetry_is_answered_and_nothing_is_kept(shared: Registry) -> None:
    logged = count(shared, record_bytes)
    answer = shared.client.post("/api/v1/telemetry/roar", json=EVENT)
    assert (answer.status_code, answer.content) == (204, b"")
    assert count(shared, telemetry_count) == 0
    assert count(shared, record_bytes) == logged


def test_where_the_operator_says_so_events_are_counted(small: Registry) -> None:
    for trigger in ("register", "register", "'; DROP TABLE job", "x" * 500):
        told = small.client.post("/api/v1/telemetry/roar", json=EVENT | {"trigger": trigger})
        assert told.status_code == 204
    with small.database() as database, database.read() as connection:
        found = connection.execute(sa.select(telemetry_count.c.trigger, telemetry_count.c.events))
        assert {row.trigger: row.events for row in found} == {"register": 2, "other": 2}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b'{"payload_schema_version": "x", "trigger": 1}', 400),
        (b"[" * 40_000, 400),
        (b'{"trigger": "' + b"x" * 70_000 + b'"}', 413),
    ],
)
def test_what_is_no_event_is_refused(refusing: Registry, content: bytes, status: int) -> None:
    answer = refusing.client.post(
        "/api/v1/telemetry/roar", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == status, answer.text
