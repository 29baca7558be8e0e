"""`finalize`: everything that was staged becomes one session, whole or not at all."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_core.identity import canonical_json
from roar_glaas.access.visibility import PUBLIC
from roar_glaas.door import ETAG
from roar_glaas.errors import Conflict, Unprocessable
from roar_glaas.log.appending import Record, append
from roar_glaas.registration.staging import Registration, bind, close, now_us, staged_pieces
from roar_glaas.registration.wire import Expected
from roar_glaas.storage.tables import (
    artifact,
    artifact_fact,
    component,
    composite,
    digest_claim,
    edge,
    job,
    session,
)

_HASH_VERSION = 1
# Statements with more parameters than this are refused by SQLite (SQLITE_MAX_VARIABLE_NUMBER).
_AT_ONCE = 500


class Git(NamedTuple):
    """The checkout that a registration names."""

    repo: str
    commit: str
    branch: str


class Outcome(NamedTuple):
    """The session that a registration came to, and whether it is new."""

    session_hash: str
    created: bool


def registered_sessions(
    connection: sa.Connection, owner_id: int, uids: list[bytes]
) -> dict[int, bytes]:
    """Session id -> hash, of the sessions of one owner that hold any of these jobs."""
    found: dict[int, bytes] = {}
    for start in range(0, len(uids), _AT_ONCE):
        rows = connection.execute(
            sa.select(session.c.id, session.c.hash)
            .join(job, job.c.session_id == session.c.id)
            .where(job.c.owner_id == owner_id, job.c.uid.in_(uids[start : start + _AT_ONCE]))
            .distinct()
        )
        found |= {row.id: bytes(row.hash) for row in rows}
    return found


def finalize(
    connection: sa.Connection, found: Registration, git: Git, expected: Expected | None
) -> Outcome:
    """Register what was staged. Closed or bound already: the session of then.

    Call it in `Database.append`. Raises Unprocessable when counts or references do not hold,
    Conflict when some of its jobs are registered elsewhere.
    """
    if found.session_id is not None:
        if found.is_open:
            close(connection, found, found.session_id)
        known = connection.execute(
            sa.select(session.c.hash).where(session.c.id == found.session_id)
        ).scalar_one()
        return Outcome(bytes(known).hex(), False)
    pieces = _Pieces(connection, found)
    pieces.check(expected)
    digest = pieces.session_hash(git)
    uids = [bytes.fromhex(uid) for uid in pieces.jobs]
    overlaps = registered_sessions(connection, found.owner_id, uids)
    same = [number for number, known in overlaps.items() if known == digest]
    if same:
        bind(connection, found, same[0])
        close(connection, found, same[0])
        return Outcome(digest.hex(), False)
    if overlaps:
        names = ", ".join(sorted(known.hex()[:12] for known in overlaps.values()))
        raise Conflict(f"some of these jobs are registered already, in session {names}")
    session_id = _write(connection, found, pieces, git, digest)
    close(connection, found, session_id)
    return Outcome(digest.hex(), True)


class _Pieces:
    """All that was staged, by kind; artifacts by (algorithm, digest in text)."""

    def __init__(self, connection: sa.Connection, found: Registration) -> None:
        self.jobs = {body["uid"]: body for body in staged_pieces(connection, found, "job")}
        self.edges = staged_pieces(connection, found, "edge")
        self.artifacts = staged_pieces(connection, found, "artifact")
        self.composites = staged_pieces(connection, found, "composite")
        # Links name a digest alone; what kind it is was said where the artifact was described.
        kinds = {
            digest: algorithm
            for body in (*self.artifacts, *self.composites)
            for algorithm, digest in body["digests"][:1]
        }
        for body in self.edges:
            body["algorithm"] = kinds.get(body["digest"], "blake3")

    def check(self, expected: Expected | None) -> None:
        """Refuse what does not hold together."""
        if not self.jobs:
            raise Unprocessable("there is no job to register; send jobs/batch first")
        for body in self.jobs.values():
            if body["parent"] and body["parent"] not in self.jobs:
                raise Unprocessable(f"job {body['uid']} names a parent that was not sent")
        for body in self.edges:
            if body["job"] not in self.jobs:
                raise Unprocessable(f"job {body['job']} has links, but was not sent itself")
        if expected is None:
            return
        have = {
            "jobs": len(self.jobs),
            "inputs": self._distinct("in"),
            "outputs": self._distinct("out"),
        }
        wanted = {
            "jobs": expected.jobs,
            "inputs": expected.inputs,
            "outputs": expected.outputs,
        }
        if have != wanted:
            raise Unprocessable(f"{wanted} were announced, and {have} came; register again")

    def _distinct(self, direction: str) -> int:
        """How many artifacts the jobs read or wrote, each job's counted once (views are apart)."""
        return len(
            {
                (body["job"], body["digest"])
                for body in self.edges
                if body["direction"] == direction and body["total"] is None
            }
        )

    def session_hash(self, git: Git) -> bytes:
        """SHA-256 of the canonical JSON of who did what to which: equal work, equal hash."""
        edges = sorted([e["job"], e["direction"], e["digest"], e["path"] or ""] for e in self.edges)
        jobs = [self.jobs[uid] for uid in sorted(self.jobs)]
        content = {"v": _HASH_VERSION, "git": list(git), "jobs": jobs, "edges": edges}
        return hashlib.sha256(canonical_json(content)).digest()


def _write(
    connection: sa.Connection, found: Registration, pieces: _Pieces, git: Git, digest: bytes
) -> int:
    """Append every record to the log, then the rows to look up; returns the session's id."""
    now = now_us()
    edges_of: dict[str, list[Any]] = {uid: [] for uid in pieces.jobs}
    for body in pieces.edges:
        edges_of[body["job"]].append(body)
    head = {"session": digest.hex(), "git": list(git), "jobs": sorted(pieces.jobs)}
    records = [Record("session", head)]
    records += [
        Record("job", {"session": digest.hex(), "job": body, "edges": edges_of[uid]})
        for uid, body in pieces.jobs.items()
    ]
    records += [
        Record("artifact", {"session": digest.hex(), "artifact": b}) for b in pieces.artifacts
    ]
    records += [
        Record("composite", {"session": digest.hex(), "composite": b}) for b in pieces.composites
    ]
    indexes = iter(append(connection, records, now))
    session_id: int = connection.execute(
        sa.insert(session).returning(session.c.id),
        {
            "hash": digest,
            "owner_id": found.owner_id,
            "project_id": None,
            "visibility": PUBLIC,
            "git_repo": git.repo,
            "git_commit": git.commit,
            "git_branch": git.branch,
            "client_version": found.client_version,
            "registered_at_us": now,
            "leaf_index": next(indexes),
        },
    ).scalar_one()
    job_ids = _write_jobs(connection, pieces.jobs, found.owner_id, session_id, indexes)
    ids = _artifact_ids(connection, pieces)
    for body in pieces.artifacts:
        _write_fact(connection, body, ids, session_id, next(indexes))
    for body in pieces.composites:
        _write_composite(connection, body, ids, session_id, next(indexes))
    _write_edges(connection, pieces.edges, job_ids, ids)
    return session_id


def _write_jobs(
    connection: sa.Connection, jobs: dict[str, Any], owner_id: int, session_id: int, indexes: Any
) -> dict[str, int]:
    ids: dict[str, int] = {}
    waiting = {uid: (body, next(indexes)) for uid, body in jobs.items()}
    while waiting:
        ready = {u: w for u, w in waiting.items() if not w[0]["parent"] or w[0]["parent"] in ids}
        if not ready:
            raise Unprocessable("jobs name each other as their parents")
        for uid, (body, index) in ready.items():
            ids[uid] = connection.execute(
                sa.insert(job).returning(job.c.id),
                {
                    "uid": bytes.fromhex(uid),
                    "owner_id": owner_id,
                    "session_id": session_id,
                    "parent_id": ids.get(body["parent"] or ""),
                    "leaf_index": index,
                    **{name: body[name] for name in _JOB_COLUMNS},
                },
            ).scalar_one()
            del waiting[uid]
    return ids


_JOB_COLUMNS = (
    *("kind", "step", "command", "started_at_us", "duration_us", "exit_code"),
    *("git_commit", "git_branch", "metadata"),
)


def _artifact_ids(connection: sa.Connection, pieces: _Pieces) -> dict[tuple[str, str], int]:
    """(algorithm, digest) -> id of every artifact that is named anywhere; new ones are made."""
    named = {(body["algorithm"], body["digest"]) for body in pieces.edges}
    named |= {tuple(body["digests"][0]) for body in (*pieces.artifacts, *pieces.composites)}
    ids: dict[tuple[str, str], int] = {}
    for algorithm, text in sorted(named):
        value = _raw(algorithm, text)
        known = connection.execute(
            sa.select(artifact.c.id).where(
                artifact.c.digest == value, artifact.c.algorithm == algorithm
            )
        ).scalar()
        if known is None:
            known = connection.execute(
                sa.insert(artifact).returning(artifact.c.id),
                {"digest": value, "algorithm": algorithm},
            ).scalar_one()
        ids[algorithm, text] = known
    return ids


def _write_fact(
    connection: sa.Connection,
    body: dict[str, Any],
    ids: dict[tuple[str, str], int],
    session_id: int,
    index: int,
) -> None:
    artifact_id = ids[tuple(body["digests"][0])]
    connection.execute(
        sa.insert(artifact_fact),
        {
            "artifact_id": artifact_id,
            "session_id": session_id,
            "leaf_index": index,
            **{n: body[n] for n in ("size_bytes", "source_type", "source_url", "metadata")},
        },
    )
    claims = [
        {
            "digest": _raw(algorithm, text),
            "algorithm": algorithm,
            "artifact_id": artifact_id,
            "session_id": session_id,
            "leaf_index": index,
        }
        for algorithm, text in dict.fromkeys(map(tuple, body["digests"][1:]))
    ]
    if claims:
        connection.execute(sa.insert(digest_claim), claims)


def _write_composite(
    connection: sa.Connection,
    body: dict[str, Any],
    ids: dict[tuple[str, str], int],
    session_id: int,
    index: int,
) -> None:
    composite_id = connection.execute(
        sa.insert(composite).returning(composite.c.id),
        {
            "artifact_id": ids[tuple(body["digests"][0])],
            "session_id": session_id,
            "leaf_index": index,
            "stored": len(body["components"]),
            "bloom": bytes.fromhex(body["bloom"]) if body["bloom"] else None,
            **{n: body[n] for n in ("size_bytes", "total", "is_proven", "metadata")},
            **{n: body[n] for n in ("bloom_bits", "bloom_hashes")},
        },
    ).scalar_one()
    rows = [
        {
            "composite_id": composite_id,
            "ordinal": ordinal,
            "digest": _raw(member["algorithm"], member["digest"]),
            **{n: member[n] for n in ("path", "leaf_kind", "algorithm", "size_bytes", "type")},
        }
        for ordinal, member in enumerate(body["components"])
    ]
    if rows:
        connection.execute(sa.insert(component), rows)


def _write_edges(
    connection: sa.Connection,
    edges: list[Any],
    job_ids: dict[str, int],
    ids: dict[tuple[str, str], int],
) -> None:
    ordinals: dict[tuple[int, str, int], int] = {}
    rows = []
    for body in edges:
        name = (
            job_ids[body["job"]],
            body["direction"],
            ids[body["algorithm"], body["digest"]],
        )
        ordinal = ordinals.get(name, 0)
        ordinals[name] = ordinal + 1
        rows.append(
            {
                "job_id": name[0],
                "direction": name[1],
                "artifact_id": name[2],
                "ordinal": ordinal,
                "byte_ranges": json.dumps(body["byte_ranges"]) if body["byte_ranges"] else None,
                **{n: body[n] for n in ("path", "size_bytes", "selected", "total", "bloom")},
            }
        )
    if rows:
        connection.execute(sa.insert(edge), rows)


def _raw(algorithm: str, text: str) -> bytes:
    return text.encode("ascii") if algorithm == ETAG else bytes.fromhex(text)
