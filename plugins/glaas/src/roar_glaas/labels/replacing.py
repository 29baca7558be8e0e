"""Label documents that a client sends whole: right after registering, and with `labels/sync`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

import sqlalchemy as sa

from roar_glaas.door import Door
from roar_glaas.errors import BadRequest, Conflict, Forbidden
from roar_glaas.labels import wire
from roar_glaas.labels.documents import leaves, origins_after, origins_sent
from roar_glaas.labels.targets import Stated, find_target
from roar_glaas.labels.versions import Version, Written, newest, write

MOST_LABELS = 20_000


class Place(NamedTuple):
    """A session as the client called it: the id, and the hash that it is registered under."""

    session_id: int
    session_hash: str


class Counts(NamedTuple):
    """How many documents were new, got another version, or were equal already."""

    created: int
    updated: int
    noops: int


def replace(
    connection: sa.Connection,
    entry: Door,
    labels: list[wire.Label],
    place_of: Callable[[wire.Label], tuple[Place, str | None]],
    *,
    may_change: bool = True,
) -> Counts:
    """Register a new version of each document that differs from the newest one.

    `place_of` tells the session of a label, and the job's uid as it is registered; it refuses by
    raising. Call it in `Database.append`. Raises BadRequest and NotFound, Forbidden for what
    differs when it may not, and Conflict for what was made of a version that is not the newest.
    """
    if len(labels) > MOST_LABELS:
        raise BadRequest(f"at most {MOST_LABELS} labels in one request")
    known: dict[object, Version] = {}
    new: list[Written] = []
    created = 0
    for body in labels:
        place, uid = place_of(body)
        stated = Stated(body.entity_type, place.session_hash, uid, body.artifact_hash)
        target = find_target(connection, place.session_id, stated)
        document = entry.document(body.metadata, f"labels of {body.entity_type}") or "{}"
        before = known.get(target) or newest(connection, target)
        if before.number and before.document == document:
            continue
        if body.base_version not in (None, before.number):
            raise Conflict(
                f"the labels of this {stated.entity} are at version {before.number} by now; "
                "read them again and repeat the edit"
            )
        if not may_change:
            raise Forbidden(
                "these labels belong to a session that somebody registered without an account "
                "elsewhere; they can be changed from there alone"
            )
        origins = json.dumps(_origins(entry, body, before, document), sort_keys=True)
        known[target] = Version(before.number + 1, document, origins)
        created += not before.number
        new.append(Written(target, stated, known[target]))
    write(connection, new)
    return Counts(created, len(new) - created, len(labels) - len(new))


def _origins(entry: Door, body: wire.Label, before: Version, document: str) -> dict[str, str]:
    """Who wrote each key: of what an edit left as it is, whoever did before."""
    sent = origins_sent(entry, body.key_origins)
    if body.base_version is None:
        return sent
    was, now = dict(leaves(before.content)), json.loads(document)
    changed = [key for key, value in leaves(now) if key not in was or was[key] != value]
    after = origins_after(now, json.loads(before.origins), changed)
    return after | {key: origin for key, origin in sent.items() if key in after}
