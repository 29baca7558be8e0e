"""Sessions of the legacy path: opened, found and finished."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import ANYBODY, NOBODY
from roar_glaas.errors import Conflict, NotFound
from roar_glaas.labels.replacing import Place
from roar_glaas.legacy.names import linked_name
from roar_glaas.moments import SECOND_US, now_us
from roar_glaas.registration import staging
from roar_glaas.registration.finalize import finalize
from roar_glaas.registration.intake import Git
from roar_glaas.registration.staging import Registration
from roar_glaas.registration.wire import Finalize
from roar_glaas.settings import Settings
from roar_glaas.storage.bulk import insert_of
from roar_glaas.storage.tables import job, legacy_session, registration, session, staged


def open_session(
    connection: sa.Connection, settings: Settings, client_hash: str, git: Git, version: str
) -> tuple[str, bool]:
    """Open a session, or the same for longer; returns what links call it, and whether it is new.

    Forgets those that nothing came of.
    """
    name, now = linked_name(client_hash), now_us()
    since = now - settings.registration_ttl_s * SECOND_US
    connection.execute(
        sa.delete(legacy_session).where(
            legacy_session.c.session_id.is_(None), legacy_session.c.opened_at_us < since
        )
    )
    row = {
        "name": name,
        "git_repo": git.repo,
        "git_commit": git.commit,
        "git_branch": git.branch,
        "client_version": version,
        "opened_at_us": now,
    }
    once = insert_of(connection)(legacy_session).values(row).on_conflict_do_nothing()
    if connection.execute(once.returning(legacy_session.c.name)).first() is not None:
        return name.hex(), True
    is_it = legacy_session.c.name == name
    connection.execute(sa.update(legacy_session).where(is_it).values(opened_at_us=now))
    return name.hex(), False


def find_open(
    connection: sa.Connection, settings: Settings, client_hash: str, address: str
) -> Registration:
    """What a session's pieces are staged in; raises BadRequest, NotFound, Conflict when over."""
    found = _opened(connection, settings, client_hash)
    waiting = _waiting(connection, found)
    if waiting is not None:
        return waiting
    opened = staging.open_registration(connection, settings, NOBODY, found.client_version, address)
    connection.execute(
        sa.update(legacy_session)
        .where(legacy_session.c.name == found.name)
        .values(registration_name=opened.name)
    )
    return staging.find_registration(
        connection, opened.name, ANYBODY, f"RegistrationSession {opened.secret}"
    )


def finish(connection: sa.Connection, settings: Settings, client_hash: str) -> Place:
    """Register what waits, and return the newest session that came of it.

    Call it in `Database.append`. Raises as `finalize` does, and NotFound when nothing was sent.
    """
    found = _opened(connection, settings, client_hash)
    number = found.session_id
    waiting = _waiting(connection, found)
    if waiting is not None:
        git = Git(found.git_repo, found.git_commit, found.git_branch)
        outcome = finalize(connection, ANYBODY, waiting, git, Finalize())
        number = connection.execute(
            sa.select(session.c.id).where(session.c.hash == bytes.fromhex(outcome.session_hash))
        ).scalar_one()
        connection.execute(
            sa.update(legacy_session)
            .where(legacy_session.c.name == found.name)
            .values(session_id=number)
        )
    if number is None:
        raise NotFound("no job of this session was sent")
    return _place(connection, number)


def session_of_job(connection: sa.Connection, uid: str) -> Place | None:
    """The session that holds a job of nobody known."""
    number = connection.execute(
        sa.select(job.c.session_id).where(job.c.uid == bytes.fromhex(uid), job.c.owner_id == NOBODY)
    ).scalar()
    return None if number is None else _place(connection, number)


def is_waiting(connection: sa.Connection, address: str, digest: str) -> bool:
    """Whether an artifact of this whole digest was sent from an address, and is not registered."""
    if len(digest) < 32:
        return False
    found = connection.execute(
        sa.select(staged.c["keys"])
        .join(registration, registration.c.id == staged.c.registration_id)
        .join(legacy_session, legacy_session.c.registration_name == registration.c.public_id)
        .where(
            registration.c.address == address,
            staged.c.kind.in_(("artifact", "composite")),
            staged.c["keys"].contains(digest, autoescape=True),
        )
    ).scalars()
    return any(digest in keys.split("\n") for keys in found)


def _opened(connection: sa.Connection, settings: Settings, client_hash: str) -> Any:
    row = connection.execute(
        sa.select(legacy_session)
        .where(legacy_session.c.name == linked_name(client_hash))
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound("no such session was opened; send it to /api/v1/sessions first")
    if row.opened_at_us + settings.registration_ttl_s * SECOND_US < now_us():
        raise Conflict("the session is over; send it to /api/v1/sessions again", code="closed")
    return row


def _waiting(connection: sa.Connection, found: Any) -> Registration | None:
    row = connection.execute(
        sa.select(registration).where(
            registration.c.public_id == found.registration_name,
            registration.c.state == "open",
            registration.c.expires_at_us >= now_us(),
        )
    ).one_or_none()
    if row is None:
        return None
    return Registration(
        *(row.id, row.owner_id, True, row.session_id, row.client_version, row.address),
        *(row.staged_jobs, row.staged_bytes),
    )


def _place(connection: sa.Connection, number: int) -> Place:
    known = connection.execute(sa.select(session.c.hash).where(session.c.id == number)).scalar_one()
    return Place(number, bytes(known).hex())
