"""Sessions: what was registered when, by whom, from which commit."""

from __future__ import annotations

from typing import Any

import attrs
import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.digests import is_hexadecimal
from roar_glaas.errors import NotFound
from roar_glaas.graph.commits import commit_is
from roar_glaas.graph.descriptions import describe_jobs
from roar_glaas.graph.paging import cursor_at, place_of
from roar_glaas.legacy.names import linked_session
from roar_glaas.log.withheld import reasons
from roar_glaas.storage.tables import job, owner, project, session


@attrs.frozen(kw_only=True)
class Wanted:
    """Which sessions are looked for; None: any. Moments in microseconds, `until_us` not included.

    `owner` is a name, `project` a slug, of that owner when one is given.
    """

    owner: str | None = None
    project: str | None = None
    commit: str | None = None
    since_us: int | None = None
    until_us: int | None = None


def find_sessions(
    connection: sa.Connection, caller: Caller, wanted: Wanted, limit: int, cursor: str | None
) -> dict[str, Any]:
    """`{"sessions", "nextCursor"}`, those registered last first.

    Raises BadRequest for a malformed commit or cursor. Of an owner or a project that does not
    exist, or has nothing that the caller may see, there are none.
    """
    question = ("sessions", *attrs.astuple(wanted))
    conditions = [visible(caller)]
    if wanted.owner is not None:
        owners = sa.select(owner.c.id).where(owner.c.name == wanted.owner)
        conditions.append(session.c.owner_id == owners.scalar_subquery())
    if wanted.project is not None:
        conditions.append(
            session.c.project_id.in_(
                sa.select(project.c.id).where(project.c.slug == wanted.project)
            )
        )
    if wanted.commit is not None:
        conditions.append(commit_is(session.c.git_commit, wanted.commit))
    if wanted.since_us is not None:
        conditions.append(session.c.registered_at_us >= wanted.since_us)
    if wanted.until_us is not None:
        conditions.append(session.c.registered_at_us < wanted.until_us)
    keys = (session.c.registered_at_us, session.c.id)
    place = place_of(cursor, question, 2)
    if place is not None:
        conditions.append(sa.tuple_(*keys) < sa.tuple_(*place))
    rows = connection.execute(
        sa.select(session, owner.c.name.label("owner"), project.c.slug.label("project"))
        .join(owner, owner.c.id == session.c.owner_id)
        .outerjoin(project, project.c.id == session.c.project_id)
        .where(*conditions)
        .order_by(*(key.desc() for key in keys))
        .limit(limit + 1)
    ).all()
    counts = _jobs_in(connection, [row.id for row in rows[:limit]])
    why = reasons(connection, [row.leaf_index for row in rows if row.git_repo is None])
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "sessions": [
            {
                "hash": bytes(row.hash).hex(),
                "owner": row.owner,
                "project": row.project,
                "visibility": row.visibility,
                "gitRepo": row.git_repo or "",
                "gitCommit": row.git_commit,
                "gitBranch": row.git_branch or "",
                "withheld": why.get(row.leaf_index),
                "registeredAt": row.registered_at_us / 1e6,
                "jobCount": counts.get(row.id, 0),
                "logIndex": row.leaf_index,
            }
            for row in rows[:limit]
        ],
        "nextCursor": cursor_at(question, [last.registered_at_us, last.id]) if last else None,
    }


def find_session(connection: sa.Connection, caller: Caller, text: str) -> Any:
    """The row of a session that the caller may see, by its hash; raises NotFound."""
    return _row(connection, caller, text, None)


def session_document(connection: sa.Connection, caller: Caller, text: str) -> dict[str, Any]:
    """What is registered under a session's hash, or under what a link of the legacy path calls it.

    Raises NotFound.
    """
    row = _row(connection, caller, text, linked_session(connection, _digest(text)))
    ids = connection.execute(sa.select(job.c.id).where(job.c.session_id == row.id)).scalars()
    why = reasons(connection, [row.leaf_index] if row.git_repo is None else [])
    return {
        "hash": bytes(row.hash).hex(),
        "sessionHash": bytes(row.hash).hex(),
        "gitRepo": row.git_repo or "",
        "gitCommit": row.git_commit,
        "gitBranch": row.git_branch or "",
        "withheld": why.get(row.leaf_index),
        "registeredAt": row.registered_at_us / 1e6,
        "logIndex": row.leaf_index,
        "jobs": describe_jobs(connection, ids),
    }


def _row(connection: sa.Connection, caller: Caller, text: str, linked: int | None) -> Any:
    row = connection.execute(
        sa.select(session).where(
            sa.or_(session.c.hash == _digest(text), session.c.id == linked), visible(caller)
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"no session {text[:64]!r} is registered")
    return row


def _digest(text: str) -> bytes:
    """The bytes of a session's hash; none for what is no such hash."""
    low = text.lower()
    return bytes.fromhex(low) if len(low) == 64 and is_hexadecimal(low) else b""


def _jobs_in(connection: sa.Connection, ids: list[int]) -> dict[int, int]:
    rows = connection.execute(
        sa.select(job.c.session_id, sa.func.count())
        .where(job.c.session_id.in_(ids))
        .group_by(job.c.session_id)
    )
    return {row[0]: row[1] for row in rows}
