"""Labels over HTTP (GLaaS v1, section 7): edited by who may, read by who sees the session."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from litestar import Request, Router, get, post

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.api.examples import told
from roar_glaas.door import Door
from roar_glaas.errors import BadRequest, NotFound, Unauthenticated
from roar_glaas.graph.artifacts import find_artifact
from roar_glaas.graph.limits import reading
from roar_glaas.graph.sessions import find_session
from roar_glaas.labels import versions, wire
from roar_glaas.labels.reconcile import answer, apply, plan
from roar_glaas.labels.replacing import Place, replace
from roar_glaas.labels.targets import (
    Stated,
    Target,
    find_target,
    may_write,
    writable_session,
)
from roar_glaas.legacy import sessions
from roar_glaas.legacy.names import registered_uid
from roar_glaas.registration.quota import User, use
from roar_glaas.serving.peers import address_of
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database
from roar_glaas.storage.tables import label, session

Answer = dict[str, Any]

MOST_ASKED = 500
_MOST_VERSIONS = 1000
# Of documents in one answer: what is behind it is asked for again.
_MOST_CHARACTERS = 4 << 20
# Never "endpoint not found": clients take that for a server which has no such route.
_NONE = "nothing that you may see has labels there"


@post("/reconcile", status_code=200, sync_to_thread=True)
def reconcile(
    settings: Settings, database: Database, caller: Caller, data: wire.Reconcile
) -> Answer:
    """Merge edits into label documents, all of them or, when one is stale, none (409)."""
    entry = Door()
    if data.dry_run:
        with database.read() as connection:
            edits = plan(connection, caller, entry, data)
    else:
        with database.append() as connection:
            edits = plan(connection, caller, entry, data)
            apply(connection, edits)
            written = sum(len(edit.written.version.document) for edit in edits if edit.written)
            if written:
                use(connection, settings, User(caller.owner_id, ""), size=written)
    return {**answer(edits), "dryRun": data.dry_run, "masked": entry.masked}


@post("/sync", status_code=200, sync_to_thread=True)
def sync(
    request: Request[Any, Any, Any],
    settings: Settings,
    database: Database,
    caller: Caller,
    data: wire.Labels,
) -> Answer:
    """Replace label documents; equal ones make no version.

    Without an account, those of a session of the legacy path, which is registered at this moment.
    """
    entry = Door()
    with database.append() as connection:

        def of_caller(body: wire.Label) -> tuple[Place, str | None]:
            number = writable_session(connection, caller, body.session_hash)
            return Place(number, body.session_hash), body.job_uid

        finished: dict[str, Place] = {}

        def of_legacy(body: wire.Label) -> tuple[Place, str | None]:
            name = body.session_hash
            try:
                if name not in finished:
                    finished[name] = sessions.finish(connection, settings, name)
            except NotFound as error:
                raise Unauthenticated(
                    "these labels need the credentials that their session was registered with"
                ) from error
            if body.job_uid is None:
                return finished[name], None
            uid = registered_uid(name, body.job_uid)
            return sessions.session_of_job(connection, uid) or finished[name], uid

        place_of = of_caller if caller.is_known else of_legacy
        counts = replace(connection, entry, data.labels, place_of)
        user = User(caller.owner_id, address_of(request))
        use(connection, settings, user, size=wire.bytes_of(data.labels))
    return {**counts._asdict(), "unchanged": counts.noops, "masked": entry.masked}


@get("/current", sync_to_thread=True)
def current(
    database: Database,
    caller: Caller,
    entity_type: str,
    session_hash: str | None = None,
    job_uid: str | None = None,
    artifact_hash: str | None = None,
) -> Answer:
    """The newest version of a label document, and whether the caller may edit it."""
    stated = Stated(entity_type, session_hash or "", job_uid, artifact_hash)
    with database.read() as connection:
        row, target, stated = _find(connection, caller, stated)
        found = versions.history(connection, target, 1)
        if not found:
            raise NotFound(_NONE)
        return _told(caller, row, stated, found[0])


@post(
    "/current/batch", status_code=200, sync_to_thread=True, responses=told("labels of many things")
)
def current_of_many(database: Database, caller: Caller, data: wire.Asked) -> Answer:
    """What `labels/current` tells, of many things at once and in their order; null: of none.

    An answer that would become long tells the first of them, and at least one.
    """
    if len(data.labels) > MOST_ASKED:
        raise BadRequest(f"labels: at most {MOST_ASKED} in one request")
    sessions: dict[str, Any] = {}
    rows: list[Answer | None] = []
    length = 0
    with reading(database) as connection:
        for named in data.labels:
            found = _newest_in(connection, caller, sessions, named)
            length += len(found.document or "") if found else 0
            if rows and length > _MOST_CHARACTERS:
                break
            row = sessions[named.session_hash]
            rows.append(_told(caller, row, _stated(named), found) if found else None)
    return {"labels": rows}


@get("/history", sync_to_thread=True)
def history(
    database: Database,
    caller: Caller,
    entity_type: str,
    session_hash: str | None = None,
    job_uid: str | None = None,
    artifact_hash: str | None = None,
) -> Answer:
    """Every version of a label document, the oldest first; of very many, the last thousand."""
    stated = Stated(entity_type, session_hash or "", job_uid, artifact_hash)
    with database.read() as connection:
        _, target, stated = _find(connection, caller, stated)
        found = versions.history(connection, target, _MOST_VERSIONS)
        if not found:
            raise NotFound(_NONE)
        return {**_named(stated), "labels": [_version(row) for row in found]}


def _find(connection: sa.Connection, caller: Caller, stated: Stated) -> tuple[Any, Target, Stated]:
    """The session's row, the target in it, and its name in full."""
    if stated.entity == "artifact" and stated.artifact_hash:
        found = find_artifact(connection, caller, stated.artifact_hash)
        name = stated.session_hash or _labelled_in(connection, caller, found.id)
        stated = stated._replace(session_hash=name, artifact_hash=found.digest)
    if not stated.session_hash:
        raise BadRequest("session_hash is missing")
    row = find_session(connection, caller, stated.session_hash)
    return row, find_target(connection, row.id, stated), stated


def _newest_in(
    connection: sa.Connection, caller: Caller, sessions: dict[str, Any], named: wire.Named
) -> Any:
    """The row of a document's newest version, None where there is none that the caller may see.

    `sessions` are the rows of those that were looked for, None for what is hidden or not there.
    """
    name = named.session_hash
    if name not in sessions:
        try:
            sessions[name] = find_session(connection, caller, name)
        except NotFound:
            sessions[name] = None
    if sessions[name] is None:
        return None
    try:
        target = find_target(connection, sessions[name].id, _stated(named))
    except NotFound:
        return None
    found = versions.history(connection, target, 1)
    return found[0] if found else None


def _labelled_in(connection: sa.Connection, caller: Caller, artifact_id: int) -> str:
    """The session that labelled an artifact last; one that the caller may edit comes first."""
    rows = connection.execute(
        sa.select(session)
        .join(label, label.c.session_id == session.c.id)
        .where(label.c.artifact_id == artifact_id, label.c.entity == "artifact", visible(caller))
        .order_by(label.c.id.desc())
        .limit(_MOST_VERSIONS)
    ).all()
    if not rows:
        raise NotFound(_NONE)
    mine = [row for row in rows if may_write(caller, row)]
    return bytes((mine or rows)[0].hash).hex()


def _stated(named: wire.Named) -> Stated:
    return Stated(named.entity_type, named.session_hash, named.job_uid, named.artifact_hash)


def _told(caller: Caller, session_row: Any, stated: Stated, version: Any) -> Answer:
    """A version of a document, and whether the caller may edit it."""
    can_edit = caller.is_known and may_write(caller, session_row)
    return {**_named(stated), **_version(version), "canEdit": can_edit}


def _named(stated: Stated) -> Answer:
    return {
        "entityType": stated.entity,
        "sessionHash": stated.session_hash,
        "jobUid": stated.job_uid,
        "artifactHash": stated.artifact_hash,
    }


def _version(row: Any) -> Answer:
    return {
        "version": row.version,
        "metadata": json.loads(row.document or "{}"),
        "keyOrigins": json.loads(row.origins or "{}"),
        "registeredAt": row.at_us / 1e6,
        "logIndex": row.leaf_index,
    }


label_routes = Router(
    path="/api/v1/labels", route_handlers=[reconcile, sync, current, current_of_many, history]
)
