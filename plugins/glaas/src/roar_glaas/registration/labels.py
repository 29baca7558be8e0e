"""Labels of registered things: every change is a new version, none is ever lost."""

from __future__ import annotations

import json

import sqlalchemy as sa

from roar_glaas import door
from roar_glaas.door import Door
from roar_glaas.errors import BadRequest, NotFound
from roar_glaas.log.appending import Record, append
from roar_glaas.registration import wire
from roar_glaas.registration.staging import Registration, now_us
from roar_glaas.storage.tables import artifact, job, label, session

ENTITIES = ("dag", "job", "artifact")


def add_labels(
    connection: sa.Connection, found: Registration, entry: Door, labels: list[wire.Label]
) -> int:
    """Register new versions of label documents of the session that `found` came to.

    Returns how many were new. Call it in `Database.append`. Raises NotFound for a job that the
    session does not hold and an artifact that nobody registered, BadRequest for another session.
    """
    known = None
    if found.session_id is not None:
        known = connection.execute(
            sa.select(session.c.hash).where(session.c.id == found.session_id)
        ).scalar_one()
    if known is None or found.session_id is None:
        raise NotFound("the registration is not finalised, so it has nothing to label")
    created = 0
    for body in labels:
        if body.session_hash != bytes(known).hex():
            raise BadRequest("session_hash is not that of this registration")
        created += _add(connection, found.session_id, entry, body)
    return created


def _add(connection: sa.Connection, session_id: int, entry: Door, body: wire.Label) -> bool:
    if body.entity_type not in ENTITIES:
        raise BadRequest(f"entity_type must be one of {', '.join(ENTITIES)}")
    document = entry.document(body.metadata, f"labels of {body.entity_type}")
    origins = json.dumps(
        {
            door.storable(key, "key_origins"): "system" if origin == "system" else "user"
            for key, origin in body.key_origins.items()
        },
        sort_keys=True,
    )
    target = {
        "job_id": _job(connection, session_id, body) if body.entity_type == "job" else None,
        "artifact_id": _artifact(connection, body) if body.entity_type == "artifact" else None,
    }
    newest = connection.execute(
        sa.select(label.c.version, label.c.document)
        .where(
            label.c.session_id == session_id,
            label.c.entity == body.entity_type,
            label.c.job_id.is_not_distinct_from(target["job_id"]),
            label.c.artifact_id.is_not_distinct_from(target["artifact_id"]),
        )
        .order_by(label.c.version.desc())
        .limit(1)
    ).one_or_none()
    if newest is not None and newest.document == document:
        return False
    now = now_us()
    version = 1 if newest is None else newest.version + 1
    told = {
        "session": body.session_hash,
        "entity": body.entity_type,
        "job": body.job_uid,
        "artifact": body.artifact_hash,
        "version": version,
        "document": document,
        "origins": origins,
    }
    (index,) = append(connection, [Record("label", told)], now)
    connection.execute(
        sa.insert(label),
        {
            **target,
            "entity": body.entity_type,
            "session_id": session_id,
            "version": version,
            "document": document,
            "origins": origins,
            "at_us": now,
            "leaf_index": index,
        },
    )
    return True


def _job(connection: sa.Connection, session_id: int, body: wire.Label) -> int:
    uid = door.uid(body.job_uid or "", "job_uid")
    found: int | None = connection.execute(
        sa.select(job.c.id).where(job.c.uid == uid, job.c.session_id == session_id)
    ).scalar()
    if found is None:
        raise NotFound(f"the session has no job {uid.hex()}")
    return found


def _artifact(connection: sa.Connection, body: wire.Label) -> int:
    digest = door.digest("blake3", body.artifact_hash or "", "artifact_hash")
    found: int | None = connection.execute(
        sa.select(artifact.c.id).where(artifact.c.digest == digest).order_by(artifact.c.id)
    ).scalar()
    if found is None:
        raise NotFound(f"no artifact {digest.hex()} is registered")
    return found
