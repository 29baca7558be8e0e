"""Who wrote or read each of many artifacts: the query that every walk and page stands on.

PostgreSQL is asked artifact by artifact, in one statement (LATERAL): left to choose, it takes its
statistics of a popular artifact for all of them, and looks through every edge there is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.storage.tables import edge, job, session

AT_ONCE = 500
"""How many ids one statement is given."""


class Use(NamedTuple):
    """A job that read an artifact, or wrote one."""

    job_id: int
    artifact_id: int
    session_id: int
    started_at_us: int


def uses(
    connection: sa.Connection,
    caller: Caller,
    direction: str,
    *conditions: sa.ColumnElement[bool],
    newest: int | None = None,
    oldest: int | None = None,
) -> sa.Select[Any]:
    """A query for the columns of `Use`, of the artifacts that are bound as `artifacts`, a list.

    `newest` or `oldest` is how many jobs of one artifact are enough, by when they were registered:
    of more, PostgreSQL leaves out the rest, SQLite need not.
    """
    asked = _asked() if connection.dialect.name == "postgresql" else None
    query = (
        sa.select(job.c.id, edge.c.artifact_id, job.c.session_id, job.c.started_at_us)
        .select_from(edge)
        .join(job, job.c.id == edge.c.job_id)
        .join(session, session.c.id == job.c.session_id)
        .where(*conditions, edge.c.direction == direction, edge.c.ordinal == 0, visible(caller))
    )
    if asked is None:
        return query.where(one_of(connection.dialect.name, edge.c.artifact_id, "artifacts"))
    of_one = query.where(edge.c.artifact_id == asked.c.id)
    if newest is not None:
        of_one = of_one.order_by(edge.c.job_id.desc()).limit(newest)
    elif oldest is not None:
        of_one = of_one.order_by(edge.c.job_id).limit(oldest)
    found = of_one.lateral("used")
    return sa.select(*found.c).select_from(asked).join(found, sa.true())


def one_of(dialect: str, column: sa.ColumnElement[int], name: str) -> sa.ColumnElement[bool]:
    """The condition that a column is in the list that is bound as `name`.

    Of PostgreSQL an array, so that its statement is the same, and planned once, for any number.
    """
    if dialect == "postgresql":
        return column == sa.any_(sa.bindparam(name, type_=ARRAY(sa.BigInteger)))
    return column.in_(sa.bindparam(name, expanding=True))


def _asked() -> sa.TableValuedAlias:
    artifacts = sa.bindparam("artifacts", type_=ARRAY(sa.BigInteger))
    found = sa.func.unnest(artifacts).table_valued(sa.column("id", sa.BigInteger), name="asked")
    return found.render_derived()
