"""Add to a session of the legacy path: records to the log, and the rows to look them up by.

Every function is to be called in `Database.append`, and leaves out what is there already.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import NOBODY
from roar_glaas.door import ETAG
from roar_glaas.errors import Conflict, Unprocessable
from roar_glaas.legacy.sessions import Place
from roar_glaas.log.appending import Record, append
from roar_glaas.moments import now_us
from roar_glaas.storage.tables import (
    artifact,
    artifact_fact,
    component,
    composite,
    digest_claim,
    edge,
    job,
)

Body = dict[str, Any]
"""A piece as `registration.intake` makes it."""

_JOB = (
    *("kind", "step", "command", "started_at_us", "duration_us", "exit_code"),
    *("git_commit", "git_branch", "metadata"),
)
_FACT = ("size_bytes", "source_type", "source_url", "metadata")
_COMPOSITE = ("size_bytes", "total", "is_proven", "bloom_bits", "bloom_hashes", "metadata")
_EDGE = ("path", "size_bytes", "selected", "total", "bloom")


def add_jobs(connection: sa.Connection, place: Place, jobs: list[Body]) -> dict[str, int]:
    """Uid -> id of the jobs that are new; parents come before their children.

    Raises Conflict for a known uid with other content, Unprocessable for an unknown parent.
    """
    known = {
        bytes(row.uid).hex(): row
        for row in connection.execute(sa.select(job).where(job.c.session_id == place.session_id))
    }
    new = {}
    for body in jobs:
        row = known.get(body["uid"])
        if row is None:
            new[body["uid"]] = body
        elif any(getattr(row, name) != body[name] for name in _JOB):
            raise Conflict("a job of this uid is registered in the session, with other content")
    records = [
        Record("job", {"session": place.session_hash, "job": body, "edges": []})
        for body in new.values()
    ]
    ids = {uid: row.id for uid, row in known.items()}
    for body, index in zip(new.values(), append(connection, records, now_us()), strict=True):
        if body["parent"] and body["parent"] not in ids:
            raise Unprocessable("a job names a parent that was not sent before it")
        ids[body["uid"]] = connection.execute(
            sa.insert(job).returning(job.c.id),
            {
                "uid": bytes.fromhex(body["uid"]),
                "owner_id": NOBODY,
                "session_id": place.session_id,
                "parent_id": ids.get(body["parent"] or ""),
                "leaf_index": index,
                **{name: body[name] for name in _JOB},
            },
        ).scalar_one()
    return {uid: ids[uid] for uid in new}


def add_artifacts(connection: sa.Connection, place: Place, pieces: list[Body]) -> int:
    """Register what is said of artifacts; returns how much of it is new."""
    new = []
    for body in pieces:
        number = _artifact_id(connection, *body["digests"][0])
        said = connection.execute(
            sa.select(artifact_fact).where(
                artifact_fact.c.artifact_id == number,
                artifact_fact.c.session_id == place.session_id,
            )
        )
        if not any(all(getattr(row, name) == body[name] for name in _FACT) for row in said):
            new.append((number, body))
    records = [
        Record("artifact", {"session": place.session_hash, "artifact": body}) for _, body in new
    ]
    for (number, body), index in zip(new, append(connection, records, now_us()), strict=True):
        where = {"artifact_id": number, "session_id": place.session_id}
        connection.execute(
            sa.insert(artifact_fact),
            {**where, "leaf_index": index, **{name: body[name] for name in _FACT}},
        )
        for algorithm, text in dict.fromkeys(map(tuple, body["digests"][1:])):
            claim = {**where, "digest": _raw(algorithm, text), "algorithm": algorithm}
            is_claim = [digest_claim.c[name] == value for name, value in claim.items()]
            if not connection.execute(sa.select(digest_claim).where(*is_claim)).first():
                connection.execute(sa.insert(digest_claim), {**claim, "leaf_index": index})
    return len(new)


def add_composite(connection: sa.Connection, place: Place, body: Body) -> bool:
    """Register a dataset, unless the session has it with as many members; tells if it is new."""
    number = _artifact_id(connection, *body["digests"][0])
    members = body["components"]
    known = connection.execute(
        sa.select(composite.c.id).where(
            composite.c.artifact_id == number,
            composite.c.session_id == place.session_id,
            composite.c.total == body["total"],
            composite.c.stored == len(members),
        )
    ).first()
    if known:
        return False
    record = Record("composite", {"session": place.session_hash, "composite": body})
    (index,) = append(connection, [record], now_us())
    composite_id = connection.execute(
        sa.insert(composite).returning(composite.c.id),
        {
            "artifact_id": number,
            "session_id": place.session_id,
            "leaf_index": index,
            "stored": len(members),
            "bloom": bytes.fromhex(body["bloom"]) if body["bloom"] else None,
            **{name: body[name] for name in _COMPOSITE},
        },
    ).scalar_one()
    rows = [
        {
            **member,
            "composite_id": composite_id,
            "ordinal": ordinal,
            "digest": _raw(member["algorithm"], member["digest"]),
        }
        for ordinal, member in enumerate(members)
    ]
    if rows:
        connection.execute(sa.insert(component), rows)
    return True


def add_edges(connection: sa.Connection, place: Place, job_id: int, edges: list[Body]) -> int:
    """Link a job to what it read and wrote, as one record `edges`; returns how many are new."""
    known = {
        (row.direction, row.artifact_id, row.path): row.ordinal
        for row in connection.execute(sa.select(edge).where(edge.c.job_id == job_id))
    }
    new, rows = [], []
    for body in edges:
        body["algorithm"] = _algorithm(connection, place, body["digest"])
        number = _artifact_id(connection, body["algorithm"], body["digest"])
        name = (body["direction"], number, body["path"])
        if name in known:
            continue
        known[name] = sum(1 for one in known if one[:2] == name[:2])
        new.append(body)
        rows.append(
            {
                "job_id": job_id,
                "direction": body["direction"],
                "artifact_id": number,
                "ordinal": known[name],
                "byte_ranges": json.dumps(body["byte_ranges"]) if body["byte_ranges"] else None,
                **{column: body[column] for column in _EDGE},
            }
        )
    if rows:
        record = {"session": place.session_hash, "job": new[0]["job"], "edges": new}
        append(connection, [Record("edges", record)], now_us())
        connection.execute(sa.insert(edge), rows)
    return len(rows)


def _algorithm(connection: sa.Connection, place: Place, text: str) -> str:
    """Of what kind a digest is that a link names alone: as the session described it."""
    value = bytes.fromhex(text)
    for table in (artifact_fact, composite):
        found: str | None = connection.execute(
            sa.select(artifact.c.algorithm)
            .join(table, table.c.artifact_id == artifact.c.id)
            .where(artifact.c.digest == value, table.c.session_id == place.session_id)
        ).scalar()
        if found:
            return found
    return "blake3"


def _artifact_id(connection: sa.Connection, algorithm: str, text: str) -> int:
    """The id of an artifact, which is made when nobody has named it before."""
    value = _raw(algorithm, text)
    found: int | None = connection.execute(
        sa.select(artifact.c.id).where(
            artifact.c.digest == value, artifact.c.algorithm == algorithm
        )
    ).scalar()
    if found is None:
        found = connection.execute(
            sa.insert(artifact).returning(artifact.c.id),
            {"digest": value, "algorithm": algorithm},
        ).scalar_one()
    return int(found)


def _raw(algorithm: str, text: str) -> bytes:
    return text.encode("ascii") if algorithm == ETAG else bytes.fromhex(text)
