"""All that one registration staged: whether it holds together, and the hash of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.scopes import Scope
from roar_glaas.access.visibility import visible
from roar_glaas.canonical import canonical_bytes
from roar_glaas.digests import is_composite
from roar_glaas.errors import Unprocessable
from roar_glaas.registration.intake import Git
from roar_glaas.registration.staging import Registration, staged_pieces
from roar_glaas.registration.wire import Expected
from roar_glaas.storage.bulk import rows_with
from roar_glaas.storage.tables import artifact, composite, edge, job, session

_HASH_VERSION = 1

Body = dict[str, Any]

# What a piece, the record made of it and its row say under the same names.
JOB_COLUMNS = (
    *("kind", "step", "command", "started_at_us", "duration_us", "exit_code"),
    *("git_commit", "git_branch", "metadata"),
)
# Beside them `job_hash`, which a piece and its record have only when the client gave one.
FACT_COLUMNS = ("size_bytes", "source_type", "source_url", "metadata")
COMPOSITE_COLUMNS = (
    *("size_bytes", "total", "is_proven", "metadata"),
    *("bloom_bits", "bloom_hashes"),
)
COMPONENT_COLUMNS = ("path", "leaf_kind", "algorithm", "size_bytes", "type")
EDGE_COLUMNS = ("path", "size_bytes", "selected", "total", "bloom")


def job_hash_of(body: Body) -> bytes | None:
    """What a job's piece or record says that was done; None when it does not."""
    return bytes.fromhex(body["job_hash"]) if "job_hash" in body else None


class Pieces:
    """What was staged, by kind: each piece as `registration.intake` made it.

    `parents` are the ids of jobs that are registered already and started some of these.
    """

    def __init__(self, connection: sa.Connection, caller: Caller, found: Registration) -> None:
        staged = staged_pieces(connection, found)
        self.jobs: dict[str, Body] = staged["job"]
        self.edges = list(staged["edge"].values())
        self.artifacts = list(staged["artifact"].values())
        self.composites = list(staged["composite"].values())
        self.known = [bytes.fromhex(uid) for uid in staged["known"]]
        self.parents: dict[str, int] = {}
        self._registered = _counted(connection, found.owner_id, self.known)
        # Links name a digest alone; what kind it is was said where the artifact was described.
        kinds = {
            digest: algorithm
            for body in (*self.artifacts, *self.composites)
            for algorithm, digest in body["digests"][:1]
        }
        unsaid = [body for body in self.edges if "algorithm" not in body]
        unknown = {body["digest"] for body in unsaid} - kinds.keys()
        kinds |= _datasets_among(connection, caller, unknown)
        for body in unsaid:
            # Only of a dataset can some members be touched.
            unless_said = "blake3" if body["total"] is None else "composite-blake3"
            body["algorithm"] = kinds.get(body["digest"], unless_said)

    def find_parents(self, connection: sa.Connection, caller: Caller, owner_id: int) -> None:
        """Look up the parents that were not sent, among those of the owner that the caller sees."""
        named = {body["parent"] for body in self.jobs.values()} - self.jobs.keys() - {None}
        query = (
            sa.select(job.c.id, job.c.uid)
            .join(session, session.c.id == job.c.session_id)
            .where(job.c.owner_id == owner_id, visible(caller))
        )
        rows = rows_with(connection, query, job.c.uid, set(map(bytes.fromhex, named)))
        self.parents |= {bytes(row.uid).hex(): row.id for row in rows}

    def check(self, expected: Expected | None) -> None:
        """Refuse what does not hold together, or is not what was announced."""
        if not self.jobs:
            raise Unprocessable("there is no job to register; send jobs/batch first")
        for body in self.jobs.values():
            parent = body["parent"]
            if parent and parent not in self.jobs and parent not in self.parents:
                raise Unprocessable(
                    f"job {body['uid']} names a parent that was not sent, nor is registered"
                )
        for body in self.edges:
            if body["job"] not in self.jobs:
                raise Unprocessable(f"job {body['job']} has links, but was not sent itself")
        if expected is None:
            return
        # A client counts the jobs too that are registered already, and what they read and wrote.
        have = {
            "jobs": len(self.jobs) + len(self.known),
            "inputs": self._distinct("in") + self._registered.get("in", 0),
            "outputs": self._distinct("out") + self._registered.get("out", 0),
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

    def keep_only(self, uids: set[str]) -> None:
        """Forget all other jobs and their links."""
        self.jobs = {uid: body for uid, body in self.jobs.items() if uid in uids}
        self.edges = [body for body in self.edges if body["job"] in uids]

    def session_hash(self, scope: Scope, git: Git) -> bytes:
        """SHA-256 of the canonical JSON of who did what to which.

        Equal work of one owner has one hash, whoever may see it; of two owners, two.
        """
        edges = sorted([e["job"], e["direction"], _named(e), e["path"] or ""] for e in self.edges)
        jobs = [self.jobs[uid] for uid in sorted(self.jobs)]
        content = {
            "v": _HASH_VERSION,
            "owner": scope.owner_public_id,
            "git": list(git),
            "jobs": jobs,
            "edges": edges,
        }
        return hashlib.sha256(canonical_bytes(content)).digest()

    def parents_first(self) -> list[Body]:
        """The jobs, each behind its parent, otherwise as they came; raises Unprocessable."""
        children: dict[str | None, list[Body]] = {}
        for body in self.jobs.values():
            parent = body["parent"] if body["parent"] in self.jobs else None
            children.setdefault(parent, []).append(body)
        ordered = children.pop(None, [])
        # The list grows while it is walked: the jobs without a parent, their children, and so on.
        for body in ordered:
            ordered += children.pop(body["uid"], [])
        if children:
            raise Unprocessable("jobs name each other as their parents")
        return ordered

    def named_artifacts(self) -> set[tuple[str, str]]:
        """(algorithm, digest in text) of every artifact that is described or linked."""
        named = {(body["algorithm"], body["digest"]) for body in self.edges}
        for body in (*self.artifacts, *self.composites):
            algorithm, digest = body["digests"][0]
            named.add((algorithm, digest))
        return named


def _named(edge: Body) -> str:
    """A digest; of an algorithm that has to be said, with its name."""
    algorithm, digest = edge["algorithm"], edge["digest"]
    is_plain = algorithm == "blake3" or is_composite(algorithm)
    return str(digest if is_plain else f"{algorithm}:{digest}")


def _datasets_among(connection: sa.Connection, caller: Caller, digests: set[str]) -> dict[str, str]:
    """Digest -> algorithm, of those that are a dataset's, as `find_artifact` would find them.

    That is proven by its members; or the caller sees somebody say so, and it was no file before.
    """
    of_it = composite.c.artifact_id == artifact.c.id
    is_proven = sa.exists().where(of_it, composite.c.is_proven)
    is_seen = sa.exists().where(of_it, composite.c.session_id == session.c.id, visible(caller))
    query = sa.select(
        *(artifact.c.id, artifact.c.digest, artifact.c.algorithm),
        *(is_proven.label("is_proven"), is_seen.label("is_seen")),
    )
    named: dict[str, list[Any]] = {}
    for row in rows_with(connection, query, artifact.c.digest, set(map(bytes.fromhex, digests))):
        is_file = not is_composite(row.algorithm)
        if is_file or row.is_proven or row.is_seen:
            named.setdefault(bytes(row.digest).hex(), []).append(row)
    first = {
        digest: min(rows, key=lambda row: (not row.is_proven, row.id))
        for digest, rows in named.items()
    }
    return {digest: row.algorithm for digest, row in first.items() if is_composite(row.algorithm)}


def _counted(connection: sa.Connection, owner_id: int, uids: list[bytes]) -> dict[str, int]:
    """Direction -> how many artifacts registered jobs read or wrote, each job's counted once."""
    query = (
        sa.select(edge.c.job_id, edge.c.direction, edge.c.artifact_id)
        .join(job, job.c.id == edge.c.job_id)
        .where(job.c.owner_id == owner_id, edge.c.total.is_(None))
        .distinct()
    )
    return Counter(row.direction for row in rows_with(connection, query, job.c.uid, uids))
