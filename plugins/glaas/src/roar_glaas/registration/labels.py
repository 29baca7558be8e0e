"""Labels that come with a registration: whoever has its token labels what came of it.

A session that was there before is found by its jobs' uids, which are public. So without an account
its labels are changed only from the address that it was registered from; equal ones pass.
"""

from __future__ import annotations

import sqlalchemy as sa

from roar_glaas.access.caller import NOBODY
from roar_glaas.door import Door
from roar_glaas.errors import BadRequest, NotFound
from roar_glaas.labels import wire
from roar_glaas.labels.replacing import Counts, Place, replace
from roar_glaas.registration.staging import Registration
from roar_glaas.storage.tables import registration, session


def add_labels(
    connection: sa.Connection, found: Registration, entry: Door, labels: list[wire.Label]
) -> Counts:
    """Register new versions of label documents of the session that `found` came to.

    Call it in `Database.append`. Raises NotFound for a job or an artifact that the session does not
    hold, BadRequest for another session, Forbidden for changes by others.
    """
    known = None
    if found.session_id is not None:
        known = connection.execute(
            sa.select(session.c.hash).where(session.c.id == found.session_id)
        ).scalar_one()
    if known is None or found.session_id is None:
        raise NotFound("the registration is not finalised, so it has nothing to label")
    place = Place(found.session_id, bytes(known).hex())

    def place_of(body: wire.Label) -> tuple[Place, str | None]:
        if body.session_hash != place.session_hash:
            raise BadRequest("session_hash is not that of this registration")
        return place, body.job_uid

    may_change = found.owner_id != NOBODY or _is_from_origin(connection, found)
    return replace(connection, entry, labels, place_of, may_change=may_change)


def _is_from_origin(connection: sa.Connection, found: Registration) -> bool:
    """Whether the session came of this registration, or of another from the same address."""
    origin = sa.select(registration.c.id).where(
        registration.c.session_id == found.session_id,
        registration.c.is_origin,
        sa.or_(registration.c.id == found.id, registration.c.address == found.address),
    )
    return connection.execute(origin).first() is not None
