"""The one rule of what may be seen: every query over registered sessions is limited by it.

That bytes are registered is told to all who know their whole digest. What is attached to them
(paths, sizes, jobs, datasets, labels) belongs to a session, and obeys that session's scope.
"""

from __future__ import annotations

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.storage.tables import session

PUBLIC = "public"
PRIVATE = "private"


def visible(caller: Caller, of: sa.FromClause = session) -> sa.ColumnElement[bool]:
    """The condition that a row of `session` (or of an alias of it) may be seen by `caller`."""
    allowed = [of.c.visibility == PUBLIC]
    if caller.owners:
        allowed.append(of.c.owner_id.in_(sorted(caller.owners)))
    if caller.projects:
        allowed.append(of.c.project_id.in_(sorted(caller.projects)))
    return sa.or_(*allowed)
