"""Which of some jobs are registered already: what a client need not send again."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.storage.bulk import rows_with
from roar_glaas.storage.tables import job, owner, project, session


def known_jobs(
    connection: sa.Connection, caller: Caller, uids: Collection[bytes]
) -> list[dict[str, Any]]:
    """Those of some jobs that the caller may see, one for each owner who registered one.

    `is_own`: they are in the caller's own name, or in nobody's when that is who asks. Sending such
    a job once more without naming another owner is an overlap.
    """
    query = (
        sa.select(
            *(job.c.uid, job.c.job_hash, session.c.hash, session.c.visibility, session.c.owner_id),
            *(owner.c.public_id.label("owner_public_id"), owner.c.name.label("owner_name")),
            *(project.c.public_id.label("project_public_id"), project.c.slug),
        )
        .join(session, session.c.id == job.c.session_id)
        .join(owner, owner.c.id == session.c.owner_id)
        .outerjoin(project, project.c.id == session.c.project_id)
        .where(visible(caller))
    )
    return [
        {
            "job_uid": bytes(row.uid).hex(),
            "job_hash": row.job_hash and bytes(row.job_hash).hex(),
            "session_hash": bytes(row.hash).hex(),
            "visibility": row.visibility,
            "owner_id": row.owner_public_id,
            "owner_name": row.owner_name,
            "project_id": row.project_public_id,
            "project_name": row.slug,
            "is_own": row.owner_id == caller.owner_id,
        }
        for row in rows_with(connection, query, job.c.uid, set(uids))
    ]
