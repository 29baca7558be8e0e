"""The labels of a session, of one of its jobs or of an artifact, in all their versions."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.log.withheld import reasons
from roar_glaas.pages.facts import pairs_of
from roar_glaas.storage.tables import label, session

_MOST_VERSIONS = 100


def session_labels(
    connection: sa.Connection, caller: Caller, session_hash: str, job_id: int | None = None
) -> list[dict[str, Any]]:
    """The labels of a session, or of one of its jobs: see `_labels`."""
    return _labels(
        connection,
        caller,
        session.c.hash == bytes.fromhex(session_hash),
        label.c.entity == ("dag" if job_id is None else "job"),
        label.c.job_id.is_not_distinct_from(job_id),
    )


def artifact_labels(
    connection: sa.Connection, caller: Caller, artifact_id: int
) -> list[dict[str, Any]]:
    """The labels of an artifact, one entry for each session that gave it some: see `_labels`."""
    return _labels(
        connection, caller, label.c.entity == "artifact", label.c.artifact_id == artifact_id
    )


def _labels(
    connection: sa.Connection, caller: Caller, *conditions: sa.ColumnElement[bool]
) -> list[dict[str, Any]]:
    """`[{"sessionHash", "versions": [{"version", "at", "pairs", "left_out"}]}]`, newest first.

    The last 100 versions of all are told.
    """
    rows = connection.execute(
        sa.select(
            *(label.c.document, label.c.version, label.c.at_us, label.c.leaf_index), session.c.hash
        )
        .join(session, session.c.id == label.c.session_id)
        .where(visible(caller), *conditions)
        .order_by(label.c.id.desc())
        .limit(_MOST_VERSIONS)
    ).all()
    why = reasons(connection, [row.leaf_index for row in rows if row.document is None])
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        about = {"version": row.version, "at": row.at_us / 1e6}
        document = (
            {"withheld": why.get(row.leaf_index)}
            if row.document is None
            else json.loads(row.document)
        )
        told = {**about, **pairs_of(document)._asdict()}
        found.setdefault(bytes(row.hash).hex(), []).append(told)
    return [{"sessionHash": name, "versions": versions} for name, versions in found.items()]
