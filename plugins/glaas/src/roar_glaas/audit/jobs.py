"""Jobs and their edges, against the job records of the log."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from roar_glaas.audit.comparing import Comparing
from roar_glaas.audit.records import Kept
from roar_glaas.digests import digest_bytes
from roar_glaas.registration.pieces import EDGE_COLUMNS, JOB_COLUMNS, job_hash_of
from roar_glaas.storage.tables import artifact, edge, job, session

_EDGE = ("byte_ranges", *EDGE_COLUMNS)


class Jobs(Comparing):
    """A job has one row, and one in `edge` for each input and output that its record names."""

    def check(self, records: list[Kept]) -> None:
        """Compare jobs and their edges."""
        parent = job.alias("parent")
        query = (
            sa.select(
                job,
                session.c.hash.label("session_hash"),
                session.c.owner_id.label("session_owner"),
                parent.c.uid.label("parent_uid"),
            )
            .join(session, session.c.id == job.c.session_id)
            .outerjoin(parent, parent.c.id == job.c.parent_id)
        )
        rows = self._of(query, job, records)
        edges = self._edges([row.id for found in rows.values() for row in found])
        parents = self._parents(records)
        for record in records:
            row = self._the_row(record, rows, "job")
            if row is None:
                continue
            found = edges.get(row.id, [])
            self._seen["edge"] += len(found)
            name = f"job {bytes(row.uid).hex()[:8]}"
            if record.is_withheld:
                self._blank(record, "edge", name, found)
            if record.document is None:
                continue
            said = record.document["job"]
            wanted = {column: said[column] for column in JOB_COLUMNS}
            wanted |= {
                "uid": bytes.fromhex(said["uid"]),
                "job_hash": job_hash_of(said),
                "session_hash": bytes.fromhex(record.document["session"]),
                "parent_uid": parents.get((row.session_owner, said["parent"])),
                "owner_id": row.session_owner,
            }
            self._compare(record, name, wanted, row)
            self._compare_parts(
                record,
                name,
                "edge",
                _expected_edges(record.document["edges"]),
                {
                    (
                        row.direction,
                        row.algorithm,
                        bytes(row.digest),
                        row.ordinal,
                        *(getattr(row, column) for column in _EDGE),
                    )
                    for row in found
                },
            )

    def _parents(self, records: list[Kept]) -> dict[tuple[int, str], bytes]:
        """(owner, uid) -> uid of the jobs that records name as parents and that are here.

        One that whoever exported this registry might not see did not come along.
        """
        named = {record.document["job"]["parent"] for record in records if record.document}
        uids = [bytes.fromhex(uid) for uid in sorted(named - {None})]
        rows = self._select(sa.select(job.c.owner_id, job.c.uid), job.c.uid, uids)
        return {(row.owner_id, bytes(row.uid).hex()): bytes(row.uid) for row in rows}

    def _edges(self, ids: list[int]) -> dict[int, list[Any]]:
        query = sa.select(edge, artifact.c.algorithm, artifact.c.digest).join(
            artifact, artifact.c.id == edge.c.artifact_id
        )
        found: dict[int, list[Any]] = {}
        for row in self._select(query, edge.c.job_id, ids):
            found.setdefault(row.job_id, []).append(row)
        return found


def _expected_edges(edges: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    """The rows of a job's edges, as `finalize` numbers them."""
    ordinals: dict[tuple[str, str, bytes], int] = {}
    found = set()
    for said in edges:
        ranges = said["byte_ranges"]
        told = said | {"byte_ranges": json.dumps(ranges) if ranges else None}
        name = (
            said["direction"],
            said["algorithm"],
            digest_bytes(said["algorithm"], said["digest"]),
        )
        ordinals[name] = ordinals.get(name, -1) + 1
        found.add((*name, ordinals[name], *(told[column] for column in _EDGE)))
    return found
