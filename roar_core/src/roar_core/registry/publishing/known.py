"""Which jobs a registry has already: what it says itself, else what was remembered of its answers.

Receipts may be lost, or another machine may have registered the work.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from roar_core.registry.answers import objects_in
from roar_core.registry.publishing.pieces import Ability
from roar_core.registry.scopes import PRIVATE, PUBLIC
from roar_core.store.registrations import (
    Receipt,
    forget_receipts,
    keep_receipts,
    read_receipts,
)

if TYPE_CHECKING:
    from roar_core.registry.connection import Connection
    from roar_core.registry.publishing.destination import Destination
    from roar_core.registry.publishing.sending import Published
    from roar_core.store.database import Database

_AT_ONCE = 5_000
_HASH = re.compile(r"[0-9a-f]{64}")


def known_jobs(
    connection: Connection,
    database: Database,
    destination: Destination,
    ability: Ability,
    uids: Sequence[str],
) -> dict[str, Receipt]:
    """Those of the jobs that are registered, by uid, as far as the caller can see.

    What the registry answers is kept; a receipt that it contradicts is forgotten.
    """
    place = destination.place
    with database.reading() as db:
        remembered = read_receipts(db, *place, uids)
    if not ability.known_jobs:
        return remembered
    found: dict[str, Receipt] = {}
    for start in range(0, len(uids), _AT_ONCE):
        answer = connection.post("jobs/known", {"job_uids": list(uids[start : start + _AT_ONCE])})
        found |= _receipts(answer, frozenset(uids), destination)
    for uid, receipt in found.items():
        old = remembered.get(uid)
        if receipt.url is None and old is not None and old.session_hash == receipt.session_hash:
            found[uid] = receipt._replace(url=old.url)
    news = [receipt for uid, receipt in found.items() if remembered.get(uid) != receipt]
    lost = [uid for uid in remembered if uid not in found]
    if news or lost:
        with database.writing() as db:
            forget_receipts(db, *place, lost)
            keep_receipts(db, *place, news, time.time_ns())
    return found


def keep_published(database: Database, destination: Destination, published: Published) -> None:
    """Remember those jobs of a session that are here; raises DatabaseError."""
    receipts = [
        Receipt(uid, published.session_hash, destination.visibility, published.url or None)
        for uid in published.uids
    ]
    with database.writing() as db:
        keep_receipts(db, *destination.place, receipts, time.time_ns())


def _receipts(answer: Any, asked: frozenset[str], destination: Destination) -> dict[str, Receipt]:
    found: dict[str, Receipt] = {}
    for row in objects_in(answer, "known"):
        uid, session = row.get("job_uid"), row.get("session_hash")
        is_place = isinstance(session, str) and _HASH.fullmatch(session) is not None
        if uid not in asked or not is_place or not _serves(row, destination):
            continue
        receipt = Receipt(str(uid), str(session), _visibility(row), None)
        # Several people may have registered it: what everybody can see serves everybody.
        if receipt.uid not in found or receipt.visibility == PUBLIC:
            found[receipt.uid] = receipt
    return found


def _serves(row: Mapping[str, Any], destination: Destination) -> bool:
    """Whether what is registered there is seen by whom the work is to be seen, or can be made so.

    What is somebody else's, and not public, cannot; nor does a project see what is outside of it.
    """
    if _visibility(row) == PUBLIC:
        return True
    scope = destination.scope or {}
    if "project_id" in scope:
        return bool(row.get("project_id") == scope["project_id"])
    return bool(row.get("is_own")) if destination.is_public else True


def _visibility(row: Mapping[str, Any]) -> str:
    return PRIVATE if row.get("visibility") == PRIVATE else PUBLIC


def private_sessions(receipts: Iterable[Receipt]) -> set[str]:
    """The sessions, by hash, that not everybody can see yet."""
    return {receipt.session_hash for receipt in receipts if receipt.visibility == PRIVATE}
