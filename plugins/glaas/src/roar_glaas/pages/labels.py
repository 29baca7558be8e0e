"""The labels of a session and of its jobs, the newest version first."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.log.withheld import reasons
from roar_glaas.storage.tables import label, session

_MOST_VERSIONS = 20


def session_labels(
    connection: sa.Connection, caller: Caller, session_hash: str, job_id: int | None = None
) -> list[dict[str, Any]]:
    """`[{"metadata", "version"}]` of a session, or of one of its jobs: its last 20 versions."""
    rows = connection.execute(
        sa.select(label.c.document, label.c.version, label.c.leaf_index)
        .join(session, session.c.id == label.c.session_id)
        .where(
            session.c.hash == bytes.fromhex(session_hash),
            label.c.entity == ("dag" if job_id is None else "job"),
            label.c.job_id.is_not_distinct_from(job_id),
            visible(caller),
        )
        .order_by(label.c.version.desc())
        .limit(_MOST_VERSIONS)
    ).all()
    why = reasons(connection, [row.leaf_index for row in rows if row.document is None])
    return [
        {
            "metadata": {"withheld": why.get(row.leaf_index)}
            if row.document is None
            else json.loads(row.document),
            "version": row.version,
        }
        for row in rows
    ]
