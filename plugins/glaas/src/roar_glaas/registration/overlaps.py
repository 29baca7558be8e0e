"""Work that is registered already: told from work that only overlaps with it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.scopes import Scope
from roar_glaas.access.visibility import PUBLIC, visible
from roar_glaas.digests import digest_text
from roar_glaas.errors import Conflict
from roar_glaas.registration.intake import Git
from roar_glaas.registration.pieces import JOB_COLUMNS, Body, Pieces, job_hash_of
from roar_glaas.registration.widening import agree
from roar_glaas.storage.bulk import rows_with
from roar_glaas.storage.tables import artifact, edge, job, session

_MOST_NAMED = 5


class Registered(NamedTuple):
    """Of some jobs: session id -> hash of those that hold any, and the uids that none holds."""

    sessions: dict[int, bytes]
    unknown: set[bytes]


def registered_sessions(
    connection: sa.Connection, owner_id: int, uids: Collection[bytes]
) -> Registered:
    """Which sessions of one owner hold which of these jobs."""
    query = (
        sa.select(session.c.id, session.c.hash, job.c.uid)
        .join(job, job.c.session_id == session.c.id)
        .where(job.c.owner_id == owner_id)
    )
    rows = list(rows_with(connection, query, job.c.uid, uids))
    return Registered(
        {row.id: bytes(row.hash) for row in rows}, set(uids) - {bytes(row.uid) for row in rows}
    )


def registered_before(
    connection: sa.Connection, caller: Caller, scope: Scope, pieces: Pieces, git: Git
) -> Any:
    """The row of the session that is this work; None when all of it is new.

    A `put` sends the work along that it publishes. When that is registered just so, it leaves
    `pieces`, and the put alone is what is looked for. Raises Conflict for any other overlap.
    """
    uids = [bytes.fromhex(uid) for uid in pieces.jobs]
    overlaps = registered_sessions(connection, scope.owner_id, uids).sessions
    for row in connection.execute(sa.select(session).where(session.c.id.in_(overlaps))):
        # A client says more or less of its checkout as it registers in one scope or another.
        then = Git(row.git_repo or "", row.git_commit, row.git_branch or "")
        hashes = [pieces.session_hash(scope, named) for named in (git, then)]
        if bytes(row.hash) in hashes:
            return row
    if overlaps and _leave_known_work(connection, caller, scope, pieces):
        return registered_before(connection, caller, scope, pieces, git)
    if overlaps:
        raise _overlap(connection, caller, scope, uids)
    return None


def _overlap(
    connection: sa.Connection, caller: Caller, scope: Scope, uids: Collection[bytes]
) -> Conflict:
    """The refusal of work of which some is registered: what is, as far as the caller may see it."""
    query = (
        sa.select(job.c.uid, session.c.hash)
        .join(session, session.c.id == job.c.session_id)
        .where(job.c.owner_id == scope.owner_id, visible(caller))
    )
    seen = sorted(
        (bytes(row.uid).hex(), bytes(row.hash).hex())
        for row in rows_with(connection, query, job.c.uid, uids)
    )
    names = ", ".join(sorted({name[:12] for _, name in seen})[:_MOST_NAMED])
    place = f", in session {names}; register the others alone" if names else ""
    return Conflict(
        f"some of these jobs are registered already{place}",
        code="overlap",
        facts={"overlaps": [{"job_uid": uid, "session_hash": name} for uid, name in seen]},
    )


def _leave_known_work(
    connection: sa.Connection, caller: Caller, scope: Scope, pieces: Pieces
) -> bool:
    """Whether there were puts of work that is all registered; that work is then gone from `pieces`.

    Its sessions are to be seen by whom the put is to be seen; raises Conflict when they cannot be.
    """
    puts = {uid for uid, body in pieces.jobs.items() if body["kind"] == "put"}
    work = pieces.jobs.keys() - puts
    if not puts or not work:
        return False
    jobs = {
        bytes(row.uid).hex(): row
        for row in rows_with(
            connection,
            sa.select(job).where(job.c.owner_id == scope.owner_id),
            job.c.uid,
            [bytes.fromhex(uid) for uid in work],
        )
    }
    if work != jobs.keys() or not all(_is_equal(jobs[uid], pieces.jobs[uid]) for uid in work):
        return False
    query = sa.select(
        *(edge.c.job_id, edge.c.direction, edge.c.path, artifact.c.algorithm, artifact.c.digest)
    ).join(artifact, artifact.c.id == edge.c.artifact_id)
    uid_of = {row.id: uid for uid, row in jobs.items()}
    linked = {
        (uid_of[row.job_id], row.direction, digest_text(row.algorithm, bytes(row.digest)), row.path)
        for row in rows_with(connection, query, edge.c.job_id, uid_of)
    }
    sent = {(e["job"], e["direction"], e["digest"], e["path"]) for e in pieces.edges}
    if linked != {one for one in sent if one[0] in work}:
        return False
    sessions = {row.session_id for row in jobs.values()}
    for row in connection.execute(sa.select(session).where(session.c.id.in_(sessions))):
        # A private put may be of work that is public.
        if scope.visibility == PUBLIC or row.project_id != scope.project_id:
            agree(connection, caller, row, scope)
    pieces.keep_only(puts)
    return True


def _is_equal(row: Any, body: Body) -> bool:
    """Whether a job is registered as it was sent."""
    is_told_so = all(getattr(row, name) == body[name] for name in JOB_COLUMNS)
    return is_told_so and (row.job_hash and bytes(row.job_hash)) == job_hash_of(body)
