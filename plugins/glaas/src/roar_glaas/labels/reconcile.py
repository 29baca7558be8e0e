"""`labels/reconcile`: edits of label documents by people, merged into what is registered."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.door import Door, storable
from roar_glaas.errors import BadRequest, Conflict
from roar_glaas.labels import documents, wire
from roar_glaas.labels.documents import SYSTEM, Document
from roar_glaas.labels.replacing import MOST_LABELS
from roar_glaas.labels.targets import Stated, Target, find_target, writable_session
from roar_glaas.labels.versions import Version, Written, newest, write

MODE = "sync_user_labels"


class Edit(NamedTuple):
    """What one change comes to: a version to write, or none when nothing differs.

    `deleted` are the keys that were to go and are not there any more.
    """

    stated: Stated
    action: str  # created | updated | noop | conflict
    version: int
    deleted: list[str]
    written: Written | None = None


def plan(
    connection: sa.Connection, caller: Caller, entry: Door, body: wire.Reconcile
) -> list[Edit]:
    """What the changes come to, in their order; nothing is written.

    An edit of another version than the newest is the action `conflict`. Raises BadRequest,
    Unauthenticated, NotFound and Forbidden.
    """
    if body.mode != MODE:
        raise BadRequest(f"mode must be {MODE}")
    if len(body.labels) > MOST_LABELS:
        raise BadRequest(f"at most {MOST_LABELS} labels in one request")
    sessions: dict[str, int] = {}
    known: dict[Target, Version] = {}
    edits = []
    for change in body.labels:
        name = change.session_hash or body.session_hash or ""
        stated = Stated(change.entity_type, name, change.job_uid, change.artifact_hash)
        if name not in sessions:
            sessions[name] = writable_session(connection, caller, name)
        target = find_target(connection, sessions[name], stated)
        before = known.get(target) or newest(connection, target)
        edit = _edit(entry, target, stated, before, change, body.prune)
        if edit.written:
            known[target] = edit.written.version
        edits.append(edit)
    return edits


def apply(connection: sa.Connection, edits: list[Edit]) -> None:
    """Write what was planned. Call it in the `Database.append` that `plan` was called in.

    Raises Conflict when one of the edits is of a version that is not the newest any more.
    """
    stale = [edit for edit in edits if edit.action == "conflict"]
    if stale:
        first = stale[0]
        raise Conflict(
            f"the labels of this {first.stated.entity} are at version {first.version} by now; "
            "read them again and repeat the edit"
        )
    write(connection, [edit.written for edit in edits if edit.written])


def answer(edits: list[Edit]) -> dict[str, Any]:
    """What clients are told (protocol, section 7); each row names its target as the client did."""
    rows = [
        {
            "entityType": edit.stated.entity,
            "sessionHash": edit.stated.session_hash,
            "jobUid": edit.stated.job_uid,
            "artifactHash": edit.stated.artifact_hash,
            "action": edit.action,
            "version": edit.version,
            "deletedKeys": edit.deleted,
        }
        for edit in edits
    ]
    actions = [edit.action for edit in edits]
    return {
        "processed": len(edits),
        "created": actions.count("created"),
        "updated": actions.count("updated"),
        "noops": actions.count("noop"),
        "conflicts": [row for row in rows if row["action"] == "conflict"],
        "deletedKeys": sum(len(edit.deleted) for edit in edits),
        "results": rows,
    }


def _edit(
    entry: Door,
    target: Target,
    stated: Stated,
    before: Version,
    change: wire.Change,
    prune: bool,
) -> Edit:
    if change.base_version is not None and change.base_version != before.number:
        return Edit(stated, "conflict", before.number, [])
    for key, _ in documents.leaves(change.metadata):
        _refuse_reserved(key)
    patch: Document = json.loads(
        entry.document(change.metadata, f"labels of {target.entity}") or ""
    )
    old, origins = before.content, json.loads(before.origins)
    content = documents.merged(old, patch)
    going = {storable(key, "deleted_keys"): None for key in change.deleted_keys}
    if prune:
        stays = {key for key, _ in documents.leaves(patch)}
        going |= {
            key: None
            for key, _ in documents.leaves(old)
            if key not in stays and not documents.is_reserved(key) and origins.get(key) != SYSTEM
        }
    deleted = list(going)
    for key in deleted:
        _refuse_reserved(key)
    if deleted:
        content = documents.without(content, deleted)
    text = documents.written(content)
    if text == before.document:
        return Edit(stated, "noop", before.number, deleted)
    was = dict(documents.leaves(old))
    changed = [k for k, value in documents.leaves(content) if k not in was or was[k] != value]
    now = json.dumps(documents.origins_after(content, origins, changed), sort_keys=True)
    version = Version(before.number + 1, text, now)
    action = "updated" if before.number else "created"
    return Edit(stated, action, version.number, deleted, Written(target, stated, version))


def _refuse_reserved(key: str) -> None:
    if documents.is_reserved(key):
        raise BadRequest(f"{key[:200]} is a label that roar sets by itself; leave it out")
