"""Which jobs a registry has already: what it says itself, else what was remembered of its answers.

Receipts may be lost, or another machine may have registered the work.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from roar_core.registry.publishing.pieces import Ability
from roar_core.store.registrations import (
    Receipt,
    forget_receipts,
    keep_receipts,
    read_receipts,
)

if TYPE_CHECKING:
    from roar_core.registry.connection import Connection
    from roar_core.registry.publishing.destination import Destination
    from roar_core.store.database import Database

_AT_ONCE = 10_000
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
    place = (destination.registry, destination.owner)
    with database.reading() as db:
        remembered = read_receipts(db, *place, uids)
    if not ability.known_jobs:
        return remembered
    found: dict[str, Receipt] = {}
    for start in range(0, len(uids), _AT_ONCE):
        answer = connection.post("jobs/known", {"job_uids": list(uids[start : start + _AT_ONCE])})
        found |= _receipts(answer, frozenset(uids))
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


def _receipts(answer: Any, asked: frozenset[str]) -> dict[str, Receipt]:
    rows: Iterable[Any] = answer.get("known") if isinstance(answer, Mapping) else ()
    found: dict[str, Receipt] = {}
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, Mapping):
            continue
        uid, session = row.get("job_uid"), row.get("session_hash")
        is_place = isinstance(session, str) and _HASH.fullmatch(session) is not None
        if uid not in asked or not isinstance(uid, str) or not is_place:
            continue
        visibility = "private" if row.get("visibility") == "private" else "public"
        receipt = Receipt(uid, str(session), visibility, None)
        # Several people may have registered it: what everybody can see serves everybody.
        if uid not in found or visibility == "public":
            found[uid] = receipt
    return found

