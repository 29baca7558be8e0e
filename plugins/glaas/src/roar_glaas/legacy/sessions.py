"""Sessions of the legacy path: how they and their jobs are called, opened and found."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import sqlalchemy as sa

from roar_glaas.access.caller import NOBODY
from roar_glaas.access.visibility import PUBLIC
from roar_glaas.errors import BadRequest, Conflict, NotFound
from roar_glaas.log.appending import Record, append
from roar_glaas.moments import now_us
from roar_glaas.registration.pieces import Git
from roar_glaas.settings import Settings
from roar_glaas.storage.tables import job, legacy_job, session

_LONGEST_UID = 64


class Place(NamedTuple):
    """A session that is open for additions, under its hash here and under its client's."""

    session_id: int
    session_hash: str
    client_hash: str


def registered_hash(client_hash: str) -> bytes:
    """What a session is registered under, given the client's hash; raises BadRequest."""
    if len(client_hash) != 64 or not set(client_hash) <= set("0123456789abcdef"):
        raise BadRequest("hash must be the session's: 64 lower-case hexadecimal digits")
    return hashlib.sha256(b"roar-glaas legacy session v1\0" + client_hash.encode()).digest()


def registered_uid(client_hash: str, local_uid: str) -> str:
    """A job's uid as registered: the recipe by which newer clients make it (protocol, 4.3)."""
    is_uid = local_uid.isascii() and local_uid.isalnum() and len(local_uid) <= _LONGEST_UID
    if not is_uid:
        raise BadRequest(f"job_uid must be 1 to {_LONGEST_UID} letters and digits")
    return hashlib.sha256(f"{client_hash}\0{local_uid}".encode()).hexdigest()[:32]


def open_session(
    connection: sa.Connection, client_hash: str, git: Git, client_version: str
) -> tuple[str, bool]:
    """Register a session without jobs, if it is not there; returns its hash and whether it is new.

    Call it in `Database.append`.
    """
    digest = registered_hash(client_hash)
    known = connection.execute(sa.select(session.c.id).where(session.c.hash == digest)).scalar()
    if known is not None:
        return digest.hex(), False
    now = now_us()
    head = {"session": digest.hex(), "git": list(git), "jobs": [], "legacy": True}
    (index,) = append(connection, [Record("session", head)], now)
    connection.execute(
        sa.insert(session),
        {
            "hash": digest,
            "owner_id": NOBODY,
            "project_id": None,
            "visibility": PUBLIC,
            "git_repo": git.repo,
            "git_commit": git.commit,
            "git_branch": git.branch,
            "client_version": client_version,
            "registered_at_us": now,
            "leaf_index": index,
        },
    )
    return digest.hex(), True


def find_open(connection: sa.Connection, settings: Settings, client_hash: str) -> Place:
    """A session that may be added to. Raises BadRequest, NotFound, and Conflict when it is over."""
    digest = registered_hash(client_hash)
    row = connection.execute(
        sa.select(session.c.id, session.c.registered_at_us).where(session.c.hash == digest)
    ).one_or_none()
    if row is None:
        raise NotFound("no such session was opened; send it to /api/v1/sessions first")
    if row.registered_at_us + settings.registration_ttl_s * 1_000_000 < now_us():
        raise Conflict("the session takes no additions any more", code="closed")
    return Place(row.id, digest.hex(), client_hash)


def find_job(connection: sa.Connection, place: Place, local_uid: str) -> tuple[int, str]:
    """The id and the registered uid of one of the session's jobs; raises NotFound."""
    uid = registered_uid(place.client_hash, local_uid)
    found = connection.execute(
        sa.select(job.c.id).where(
            job.c.uid == bytes.fromhex(uid), job.c.session_id == place.session_id
        )
    ).scalar()
    if found is None:
        raise NotFound(f"the session has no job {local_uid}")
    return found, uid


def note_jobs(
    connection: sa.Connection, settings: Settings, address: str, jobs: dict[str, int]
) -> None:
    """Remember which jobs (client's uid -> id) an address registers: see `find_recent_job`."""
    now = now_us()
    over = legacy_job.c.at_us < now - settings.registration_ttl_s * 1_000_000
    connection.execute(sa.delete(legacy_job).where(over))
    rows = [
        {"address": address, "local_uid": uid, "job_id": number, "at_us": now}
        for uid, number in jobs.items()
    ]
    if rows:
        connection.execute(sa.insert(legacy_job), rows)


def find_recent_job(
    connection: sa.Connection, settings: Settings, address: str, local_uid: str
) -> tuple[int, str, Place]:
    """A job by its client's uid alone, of those that this address registered of late.

    `jobs/{uid}/artifacts` names no session. Raises NotFound, and Conflict when there are several.
    """
    since = now_us() - settings.registration_ttl_s * 1_000_000
    rows = connection.execute(
        sa.select(job.c.id, job.c.uid, job.c.session_id, session.c.hash)
        .join(legacy_job, legacy_job.c.job_id == job.c.id)
        .join(session, session.c.id == job.c.session_id)
        .where(
            legacy_job.c.address == address,
            legacy_job.c.local_uid == local_uid,
            legacy_job.c.at_us >= since,
        )
        .limit(2)
    ).all()
    if not rows:
        raise NotFound(f"no job {local_uid[:_LONGEST_UID]!r} was registered from here of late")
    if len(rows) > 1:
        raise Conflict(f"several sessions have a job {local_uid}")
    row = rows[0]
    return row.id, bytes(row.uid).hex(), Place(row.session_id, bytes(row.hash).hex(), "")
