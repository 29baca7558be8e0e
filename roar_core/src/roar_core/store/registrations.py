"""What is registered where, and how far an unfinished registration has come."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Receipt(NamedTuple):
    """A job's place in a registry; `url` is where people look at the session, None: not told."""

    uid: str
    session_hash: str
    visibility: str
    url: str | None


class Unfinished(NamedTuple):
    """A registration that was begun: `sent` requests were answered.

    `content` is BLAKE3 of what is sent. Once it is finalised, only labels are missing.
    """

    name: str
    content: bytes
    uids: tuple[str, ...]
    sent: int
    session_hash: str | None = None
    url: str | None = None


def read_receipts(
    db: sqlite3.Connection, registry: str, owner: str, uids: Iterable[str]
) -> dict[str, Receipt]:
    """What is known to be registered of these jobs, by uid."""
    rows = db.execute(
        "SELECT job.uid, session_hash, visibility, url FROM receipt JOIN job ON job.id = job "
        "WHERE registry = ? AND owner = ? AND job.uid IN (SELECT value FROM json_each(?))",
        (registry, owner, json.dumps(list(uids))),
    )
    return {row[0]: Receipt(*row) for row in rows}


def jobs_of_session(
    db: sqlite3.Connection, registry: str, owner: str, session_hash: str
) -> tuple[str, ...]:
    """The uids of all jobs here that are registered in one session."""
    rows = db.execute(
        "SELECT job.uid FROM receipt JOIN job ON job.id = job "
        "WHERE registry = ? AND owner = ? AND session_hash = ? ORDER BY job.id",
        (registry, owner, session_hash),
    )
    return tuple(row[0] for row in rows)


def keep_receipts(
    db: sqlite3.Connection, registry: str, owner: str, receipts: Iterable[Receipt], now_ns: int
) -> None:
    """Remember where jobs are registered; inside a transaction. Jobs that are not here are not."""
    db.executemany(
        "INSERT OR REPLACE INTO receipt SELECT id, ?, ?, ?, ?, ?, ? FROM job WHERE uid = ?",
        [(registry, owner, r.session_hash, r.visibility, r.url, now_ns, r.uid) for r in receipts],
    )


def forget_receipts(db: sqlite3.Connection, registry: str, owner: str, uids: Sequence[str]) -> None:
    """Forget what the registry no longer knows; inside a transaction."""
    db.execute(
        "DELETE FROM receipt WHERE registry = ? AND owner = ? AND job IN "
        "(SELECT id FROM job WHERE uid IN (SELECT value FROM json_each(?)))",
        (registry, owner, json.dumps(list(uids))),
    )


def read_unfinished(db: sqlite3.Connection, registry: str, owner: str) -> Unfinished | None:
    """The registration that was begun there, if it is not finished."""
    row = db.execute(
        "SELECT name, content, uids, sent, session_hash, url FROM registration "
        "WHERE registry = ? AND owner = ?",
        (registry, owner),
    ).fetchone()
    if row is None:
        return None
    name, content, uids, *rest = row
    return Unfinished(name, content, tuple(json.loads(uids)), *rest)


def keep_unfinished(
    db: sqlite3.Connection, registry: str, owner: str, begun: Unfinished, now_ns: int
) -> None:
    """Remember how far it has come, in place of what was begun there before."""
    db.execute(
        "INSERT OR REPLACE INTO registration VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(registry, owner, begun.name, begun.content, json.dumps(begun.uids), begun.sent),
            *(begun.session_hash, begun.url, now_ns),
        ),
    )


def forget_unfinished(db: sqlite3.Connection, registry: str, owner: str) -> None:
    """It is finished, or no longer known there."""
    db.execute("DELETE FROM registration WHERE registry = ? AND owner = ?", (registry, owner))


def count_registered(db: sqlite3.Connection, session: int) -> tuple[int, int]:
    """Of a session's jobs that have ended and stand: how many are registered somewhere, and all."""
    row = db.execute(
        "SELECT count(*) FILTER (WHERE EXISTS (SELECT 1 FROM receipt WHERE receipt.job = job.id)), "
        "count(*) FROM job WHERE session = ? AND state <> 'running' AND undone_at_ns IS NULL",
        (session,),
    ).fetchone()
    return int(row[0]), int(row[1])
