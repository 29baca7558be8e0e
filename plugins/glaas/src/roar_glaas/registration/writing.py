"""Write a session: its records to the log, then the rows to look it up by, table by table.

Ids are reserved ahead, so that every table takes one statement whatever the number of rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.people import public_id_of
from roar_glaas.access.scopes import Scope
from roar_glaas.digests import digest_bytes
from roar_glaas.log.appending import Record, append
from roar_glaas.moments import now_us
from roar_glaas.registration.intake import Git
from roar_glaas.registration.pieces import (
    COMPONENT_COLUMNS,
    COMPOSITE_COLUMNS,
    EDGE_COLUMNS,
    FACT_COLUMNS,
    JOB_COLUMNS,
    Body,
    Pieces,
    job_hash_of,
)
from roar_glaas.registration.staging import Registration
from roar_glaas.storage.bulk import insert_rows, reserve_ids, rows_with
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

ArtifactIds = dict[tuple[str, str], int]
"""(algorithm, digest in text) -> id."""


def write_session(
    connection: sa.Connection,
    caller: Caller,
    found: Registration,
    scope: Scope,
    pieces: Pieces,
    git: Git,
    digest: bytes,
) -> int:
    """Append every record to the log, then the rows; returns the session's id.

    Call it in `Database.append`. Raises Unprocessable when jobs are each other's parents.
    """
    now = now_us()
    jobs = pieces.parents_first()
    head = {
        "session": digest.hex(),
        "owner": scope.owner_public_id,
        "project": scope.project_public_id,
        "visibility": scope.visibility,
        "by": public_id_of(connection, caller.owner_id),
        "git": list(git),
        "jobs": sorted(pieces.jobs),
    }
    indexes = iter(append(connection, list(_records(pieces, jobs, head)), now))
    (session_id,) = reserve_ids(connection, session, 1)
    connection.execute(
        sa.insert(session),
        {
            "id": session_id,
            "hash": digest,
            "owner_id": scope.owner_id,
            "project_id": scope.project_id,
            "visibility": scope.visibility,
            "registered_by": caller.owner_id if caller.is_known else None,
            "git_repo": git.repo,
            "git_commit": git.commit,
            "git_branch": git.branch,
            "client_version": found.client_version,
            "registered_at_us": now,
            "leaf_index": next(indexes),
        },
    )
    job_ids = _write_jobs(connection, jobs, pieces.parents, (scope.owner_id, session_id), indexes)
    ids = _artifact_ids(connection, pieces.named_artifacts())
    _write_facts(connection, pieces.artifacts, ids, session_id, indexes)
    _write_composites(connection, pieces.composites, ids, session_id, indexes)
    _write_edges(connection, pieces.edges, job_ids, ids)
    return session_id


def _records(pieces: Pieces, jobs: list[Body], head: Body) -> Iterator[Record]:
    """What is logged, in the order in which leaf indexes are then taken."""
    edges_of: dict[str, list[Body]] = {uid: [] for uid in pieces.jobs}
    for body in pieces.edges:
        edges_of[body["job"]].append(body)
    yield Record("session", head)
    name = head["session"]
    for body in jobs:
        yield Record("job", {"session": name, "job": body, "edges": edges_of[body["uid"]]})
    for body in pieces.artifacts:
        yield Record("artifact", {"session": name, "artifact": body})
    for body in pieces.composites:
        yield Record("composite", {"session": name, "composite": body})


def _write_jobs(
    connection: sa.Connection,
    jobs: list[Body],
    registered: dict[str, int],
    place: tuple[int, int],
    indexes: Iterator[int],
) -> dict[str, int]:
    """Job uid -> id. `place` is the owner's and the session's."""
    ids = dict(
        zip(
            (body["uid"] for body in jobs),
            reserve_ids(connection, job, len(jobs)),
            strict=True,
        )
    )
    parents = registered | ids
    insert_rows(
        connection,
        job,
        (
            *("id", "uid", "job_hash", "owner_id", "session_id", "parent_id", "leaf_index"),
            *JOB_COLUMNS,
        ),
        [
            (
                *(ids[body["uid"]], bytes.fromhex(body["uid"]), job_hash_of(body)),
                *place,
                *(parents[body["parent"]] if body["parent"] else None, next(indexes)),
                *(body[name] for name in JOB_COLUMNS),
            )
            for body in jobs
        ],
    )
    return ids


def _artifact_ids(connection: sa.Connection, named: set[tuple[str, str]]) -> ArtifactIds:
    """The ids of artifacts; those that nobody has named before are made."""
    digests = {digest_bytes(*name): name for name in named}
    wanted = {
        (algorithm, digest_bytes(algorithm, text)): (algorithm, text) for algorithm, text in named
    }
    query = sa.select(artifact.c.id, artifact.c.algorithm, artifact.c.digest)
    ids = {}
    for row in rows_with(connection, query, artifact.c.digest, digests):
        name = wanted.pop((row.algorithm, bytes(row.digest)), None)
        if name is not None:
            ids[name] = row.id
    new = sorted(wanted, key=lambda name: name[1])
    rows = [
        (number, digest, algorithm)
        for number, (algorithm, digest) in zip(
            reserve_ids(connection, artifact, len(new)) if new else (), new, strict=True
        )
    ]
    insert_rows(connection, artifact, ("id", "digest", "algorithm"), rows)
    ids |= {wanted[algorithm, digest]: number for number, digest, algorithm in rows}
    return ids


def _write_facts(
    connection: sa.Connection,
    artifacts: list[Body],
    ids: ArtifactIds,
    session_id: int,
    indexes: Iterator[int],
) -> None:
    facts, claims = [], []
    for body in artifacts:
        (algorithm, text), *others = body["digests"]
        place = (ids[algorithm, text], session_id, next(indexes))
        facts.append((*place, *(body[name] for name in FACT_COLUMNS)))
        claims += [
            (*place, algorithm, digest_bytes(algorithm, text))
            for algorithm, text in dict.fromkeys(map(tuple, others))
        ]
    place_columns = ("artifact_id", "session_id", "leaf_index")
    insert_rows(connection, artifact_fact, (*place_columns, *FACT_COLUMNS), facts)
    insert_rows(connection, digest_claim, (*place_columns, "algorithm", "digest"), claims)


def _write_composites(
    connection: sa.Connection,
    composites: list[Body],
    ids: ArtifactIds,
    session_id: int,
    indexes: Iterator[int],
) -> None:
    if not composites:
        return
    rows, members = [], []
    for number, body in zip(
        reserve_ids(connection, composite, len(composites)), composites, strict=True
    ):
        algorithm, text = body["digests"][0]
        bloom = bytes.fromhex(body["bloom"]) if body["bloom"] else None
        rows.append(
            (
                *(number, ids[algorithm, text], session_id, next(indexes)),
                *(len(body["components"]), bloom),
                *(body[name] for name in COMPOSITE_COLUMNS),
            )
        )
        members += [
            (
                *(number, ordinal, digest_bytes(member["algorithm"], member["digest"])),
                *(member[name] for name in COMPONENT_COLUMNS),
            )
            for ordinal, member in enumerate(body["components"])
        ]
    columns = ("id", "artifact_id", "session_id", "leaf_index", "stored", "bloom")
    insert_rows(connection, composite, (*columns, *COMPOSITE_COLUMNS), rows)
    insert_rows(
        connection, component, ("composite_id", "ordinal", "digest", *COMPONENT_COLUMNS), members
    )


def _write_edges(
    connection: sa.Connection, edges: list[Body], job_ids: dict[str, int], ids: ArtifactIds
) -> None:
    ordinals: dict[tuple[int, str, int], int] = {}
    rows: list[tuple[Any, ...]] = []
    for body in edges:
        name = (job_ids[body["job"]], body["direction"], ids[body["algorithm"], body["digest"]])
        ordinal = ordinals.get(name, 0)
        ordinals[name] = ordinal + 1
        ranges = json.dumps(body["byte_ranges"]) if body["byte_ranges"] else None
        rows.append((*name, ordinal, ranges, *(body[column] for column in EDGE_COLUMNS)))
    # In the order of the primary key, which is that of the table's pages in SQLite.
    rows.sort(key=lambda row: row[:4])
    columns = ("job_id", "direction", "artifact_id", "ordinal", "byte_ranges")
    insert_rows(connection, edge, (*columns, *EDGE_COLUMNS), rows)
