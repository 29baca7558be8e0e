"""What a label document is of: a session, or a job or an artifact as that session sees it."""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas import door
from roar_glaas.access.caller import Caller
from roar_glaas.digests import is_hexadecimal
from roar_glaas.errors import BadRequest, Forbidden, NotFound, Unauthenticated
from roar_glaas.graph.sessions import find_session
from roar_glaas.storage.tables import artifact, artifact_fact, composite, edge, job

ENTITIES = ("dag", "job", "artifact")


class Target(NamedTuple):
    """One thing that has labels; the ids that do not apply are None."""

    session_id: int
    entity: str
    job_id: int | None = None
    artifact_id: int | None = None


class Stated(NamedTuple):
    """What a client says that it labels."""

    entity: str
    session_hash: str
    job_uid: str | None
    artifact_hash: str | None


def may_write(caller: Caller, row: Any) -> bool:
    """Whether the caller may change labels of a session, given its row."""
    return caller.may_write(row.owner_id, row.project_id)


def writable_session(connection: sa.Connection, caller: Caller, text: str) -> int:
    """The id of a session whose labels the caller may change.

    Raises Unauthenticated for somebody unknown, NotFound, and Forbidden for readers.
    """
    if not caller.is_known:
        raise Unauthenticated("changing labels needs an account: sign in with `roar login`")
    row = find_session(connection, caller, text)
    if not may_write(caller, row):
        raise Forbidden(f"session {text[:12]} takes labels from the writers of its scope alone")
    return int(row.id)


def find_target(connection: sa.Connection, session_id: int, stated: Stated) -> Target:
    """What a client names inside a session; raises BadRequest, and NotFound for what it lacks."""
    if stated.entity == "dag":
        return Target(session_id, "dag")
    if stated.entity == "job":
        uid = door.uid(stated.job_uid or "", "job_uid")
        found = connection.execute(
            sa.select(job.c.id).where(job.c.uid == uid, job.c.session_id == session_id)
        ).scalar()
        if found is None:
            raise NotFound(f"the session has no job {uid.hex()}")
        return Target(session_id, "job", job_id=found)
    if stated.entity == "artifact":
        found = _artifact_in(connection, session_id, stated.artifact_hash or "")
        return Target(session_id, "artifact", artifact_id=found)
    raise BadRequest(f"entity_type must be one of {', '.join(ENTITIES)}")


def _artifact_in(connection: sa.Connection, session_id: int, text: str) -> int:
    """An artifact by its whole name, if the session says anything of it."""
    if not text:
        raise BadRequest("artifact_hash must be the whole hash of an artifact")
    spellings = [door.storable(text, "artifact_hash").encode()]  # an etag is its own characters
    if len(text) % 2 == 0 and is_hexadecimal(text):
        spellings.append(bytes.fromhex(text))
    said = [
        sa.exists().where(table.c.artifact_id == artifact.c.id, table.c.session_id == session_id)
        for table in (artifact_fact, composite)
    ]
    linked = sa.exists().where(
        edge.c.artifact_id == artifact.c.id,
        edge.c.job_id == job.c.id,
        job.c.session_id == session_id,
    )
    found: int | None = connection.execute(
        sa.select(artifact.c.id)
        .where(artifact.c.digest.in_(spellings), sa.or_(*said, linked))
        .order_by(artifact.c.id)
    ).scalar()
    if found is None:
        raise NotFound(f"the session has no artifact {text[:128]!r}")
    return found
