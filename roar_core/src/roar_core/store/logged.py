"""Where jobs lie in the logs of registries, as it was proven."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Registration(NamedTuple):
    """That a job is registered: where, as part of what, for whom, and when that was learnt.

    `leaf` is the number of its record in the registry's log, None while that is not proven; `size`
    of how many leaves the signed head was that proves it.
    """

    registry: str
    session_hash: str
    visibility: str
    owner: str
    url: str | None
    at_ns: int
    leaf: int | None
    size: int | None


def keep_logged(
    db: sqlite3.Connection,
    registry: str,
    session_hash: str,
    leaves: Mapping[str, int],
    size: int,
    now_ns: int,
) -> None:
    """Remember the leaves of jobs, by uid; inside a transaction. Jobs that are not here are not."""
    db.executemany(
        "INSERT OR REPLACE INTO logged SELECT id, ?, ?, ?, ?, ? FROM job WHERE uid = ?",
        [(registry, session_hash, leaf, size, now_ns, uid) for uid, leaf in leaves.items()],
    )


def registrations_of(db: sqlite3.Connection, uids: Iterable[str]) -> dict[str, list[Registration]]:
    """Where each of these jobs is registered, by uid; what was learnt last comes first."""
    found: dict[str, list[Registration]] = {}
    for uid, *row in db.execute(
        "SELECT job.uid, receipt.registry, receipt.session_hash, visibility, owner, url, "
        "learnt_at_ns, leaf, size FROM json_each(?) JOIN job ON job.uid = value "
        "JOIN receipt ON receipt.job = job.id "
        "LEFT JOIN logged ON logged.job = receipt.job AND logged.registry = receipt.registry "
        "AND logged.session_hash = receipt.session_hash "
        "ORDER BY learnt_at_ns DESC, receipt.registry, owner",
        (json.dumps(list(uids)),),
    ):
        found.setdefault(uid, []).append(Registration(*row))
    return found


def unproven(
    db: sqlite3.Connection, registry: str, owner: str, uids: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """Of these jobs those whose place in the log is not proven: uids by the session's hash."""
    found: dict[str, list[str]] = {}
    for session_hash, uid in db.execute(
        "SELECT receipt.session_hash, job.uid FROM json_each(?) JOIN job ON job.uid = value "
        "JOIN receipt ON receipt.job = job.id "
        "LEFT JOIN logged ON logged.job = receipt.job AND logged.registry = receipt.registry "
        "AND logged.session_hash = receipt.session_hash "
        "WHERE receipt.registry = ? AND owner = ? AND leaf IS NULL ORDER BY job.id",
        (json.dumps(list(uids)), registry, owner),
    ):
        found.setdefault(session_hash, []).append(uid)
    return {name: tuple(jobs) for name, jobs in found.items()}


def sessions_at(db: sqlite3.Connection, registry: str) -> dict[str, tuple[str, ...]]:
    """The sessions that are registered there, with the uids of their jobs that are here."""
    found: dict[str, list[str]] = {}
    for session_hash, uid in db.execute(
        "SELECT session_hash, job.uid FROM receipt JOIN job ON job.id = receipt.job "
        "WHERE registry = ? GROUP BY session_hash, job.uid ORDER BY min(learnt_at_ns), job.id",
        (registry,),
    ):
        found.setdefault(session_hash, []).append(uid)
    return {name: tuple(uids) for name, uids in found.items()}


def edges_of_jobs(
    db: sqlite3.Connection, uids: Iterable[str]
) -> dict[str, frozenset[tuple[str, str]]]:
    """What jobs read and wrote, by uid: ("in" or "out", digest of 64 hexadecimal digits).

    The digest is the one that bytes are called by: BLAKE3, of a dataset the hash of its tree.
    """
    wanted = tuple(uids)
    found: dict[str, set[tuple[str, str]]] = {uid: set() for uid in wanted}
    for uid, direction, digest in db.execute(
        "SELECT job.uid, direction, CASE WHEN blake3 IS NULL THEN (SELECT value FROM digest "
        "WHERE digest.artifact = artifact.id "
        "ORDER BY algorithm NOT LIKE 'composite%', algorithm LIMIT 1) "
        "ELSE lower(hex(blake3)) END "
        "FROM json_each(?) JOIN job ON job.uid = value JOIN edge ON edge.job = job.id "
        "JOIN artifact ON artifact.id = edge.artifact",
        (json.dumps(wanted),),
    ):
        if digest is not None and _DIGEST.fullmatch(digest):
            found[uid].add(("out" if direction else "in", digest))
    return {uid: frozenset(edges) for uid, edges in found.items()}
