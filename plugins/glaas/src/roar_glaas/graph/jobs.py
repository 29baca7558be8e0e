"""Jobs in a few words: what lists, closures and searches tell of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import sqlalchemy as sa

from roar_glaas import door
from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.digests import is_hexadecimal
from roar_glaas.errors import BadRequest, Conflict, NotFound
from roar_glaas.graph.artifacts import SHORTEST_PREFIX
from roar_glaas.graph.commits import commit_is
from roar_glaas.graph.descriptions import describe_jobs, heads_of
from roar_glaas.graph.paging import cursor_at, place_of
from roar_glaas.graph.uses import AT_ONCE, one_of
from roar_glaas.storage.searching import with_words, words_in
from roar_glaas.storage.tables import job, session

_MOST_OF_COMMAND = 2_000
_BLAKE3 = "blake3:"


@attrs.frozen(kw_only=True)
class Wanted:
    """Which jobs are looked for; None: any. Moments in microseconds, `until_us` not included."""

    command: str | None = None
    commit: str | None = None
    kind: str | None = None
    job_hash: str | None = None
    since_us: int | None = None
    until_us: int | None = None


def brief_jobs(connection: sa.Connection, ids: Iterable[int]) -> list[dict[str, Any]]:
    """Jobs by their ids, in the order given: the first 2,000 characters of each command.

    Whoever asks has made sure that the caller may see them.
    """
    wanted = list(ids)
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(wanted), AT_ONCE):
        rows = connection.execute(
            sa.select(
                *(job.c.id, job.c.uid, job.c.job_hash, job.c.kind, job.c.step, job.c.started_at_us),
                *(job.c.duration_us, job.c.exit_code, job.c.git_commit, job.c.leaf_index),
                sa.func.substr(job.c.command, 1, _MOST_OF_COMMAND).label("command"),
                session.c.hash.label("session_hash"),
            )
            .join(session, session.c.id == job.c.session_id)
            .where(one_of(connection.dialect.name, job.c.id, "ids")),
            {"ids": wanted[start : start + AT_ONCE]},
        ).all()
        for row, head in zip(rows, heads_of(connection, rows), strict=True):
            duration = row.duration_us
            found[row.id] = {
                **head,
                "startedAt": row.started_at_us / 1e6,
                "durationSeconds": None if duration is None else duration / 1e6,
                "exitCode": row.exit_code,
            }
    return [found[one] for one in wanted]


def find_jobs(
    connection: sa.Connection, caller: Caller, wanted: Wanted, limit: int, cursor: str | None
) -> dict[str, Any]:
    """`{"jobs", "nextCursor"}`, the newest first: by start, by registration when words are asked.

    Raises BadRequest for a command without a word, a malformed commit or cursor.
    """
    question = ("jobs", *attrs.astuple(wanted))
    query = sa.select(job.c.id, job.c.started_at_us).join(session, session.c.id == job.c.session_id)
    keys: Sequence[sa.ColumnElement[int]] = (job.c.started_at_us, job.c.id)
    if wanted.command is not None:
        words = words_in(wanted.command, "command")
        query, number = with_words(query, job.c.id, words, connection.dialect.name)
        keys = (number,)
    conditions = [visible(caller)]
    if wanted.commit is not None:
        conditions.append(commit_is(job.c.git_commit, wanted.commit))
    if wanted.kind is not None:
        conditions.append(job.c.kind == wanted.kind)
    if wanted.job_hash is not None:
        name = wanted.job_hash.lower().removeprefix(_BLAKE3)
        conditions.append(job.c.job_hash == door.digest("blake3", name, "job_hash"))
    if wanted.since_us is not None:
        conditions.append(job.c.started_at_us >= wanted.since_us)
    if wanted.until_us is not None:
        conditions.append(job.c.started_at_us < wanted.until_us)
    place = place_of(cursor, question, len(keys))
    if place is not None:
        conditions.append(sa.tuple_(*keys) < sa.tuple_(*place))
    rows = connection.execute(
        query.where(*conditions).order_by(*(key.desc() for key in keys)).limit(limit + 1)
    ).all()
    shown = rows[:limit]
    last = [] if not shown else [shown[-1].started_at_us, shown[-1].id][-len(keys) :]
    return {
        "jobs": brief_jobs(connection, [row.id for row in shown]),
        "nextCursor": cursor_at(question, last) if len(rows) > limit else None,
    }


def find_job(
    connection: sa.Connection, caller: Caller, reference: str, session_hash: str | None = None
) -> dict[str, Any]:
    """One job, whole; see `job_id_of`."""
    return describe_jobs(connection, [job_id_of(connection, caller, reference, session_hash)])[0]


def job_id_of(
    connection: sa.Connection, caller: Caller, reference: str, session_hash: str | None = None
) -> int:
    """The id of the job with this uid or hash, or of which either begins with 8 digits or more.

    Several owners may have given one uid, and equal work has one hash: `session_hash` then tells
    which. Raises BadRequest for what is neither, NotFound, and Conflict when more than one that
    the caller may see is named.
    """
    name, text = reference.lower(), reference.lower().removeprefix(_BLAKE3)
    if not SHORTEST_PREFIX <= len(text) <= 64 or not is_hexadecimal(text):
        raise BadRequest(
            f"{reference[:80]!r} is no job's uid or hash; give {SHORTEST_PREFIX} digits or more of "
            "one, in hexadecimal"
        )
    query = sa.select(job.c.id).join(session, session.c.id == job.c.session_id)
    query = query.where(visible(caller)).limit(2)
    if session_hash is not None:
        query = query.where(session.c.hash == door.digest("sha256", session_hash, "session"))
    found: set[int] = set()
    if name == text and len(text) <= 32:
        found |= set(connection.execute(query.where(_begins(job.c.uid, text, 32))).scalars())
    # What is a whole uid is not taken for the beginning of a hash.
    if not (found and len(text) == 32):
        found |= set(connection.execute(query.where(_begins(job.c.job_hash, text, 64))).scalars())
    if not found:
        raise NotFound(f"no job {reference} is registered")
    if len(found) > 1:
        raise Conflict(
            f"{reference} names more than one job; give the whole uid of one, and its session"
        )
    return found.pop()


def _begins(column: sa.Column[Any], text: str, digits: int) -> sa.ColumnElement[bool]:
    """Whether a name of so many hexadecimal digits begins with these."""
    low, high = (bytes.fromhex(text.ljust(digits, digit)) for digit in "0f")
    return column.between(low, high) if low != high else column == low
