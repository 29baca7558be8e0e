"""What carries a label: sessions, jobs and artifacts whose newest label document says so."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.digests import digest_text
from roar_glaas.graph.paging import cursor_at, place_of
from roar_glaas.labels.values import MOST_CHARACTERS
from roar_glaas.storage.tables import artifact, job, label, label_value, session


def find_labels(
    connection: sa.Connection,
    caller: Caller,
    key: str,
    value: str | None,
    entity: str | None,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    """`{"labels", "nextCursor"}` of documents with a (dotted) key, or with this value under it.

    The newest version of each document alone counts; those said last come first. A value is a text
    as it is, else its JSON (`true`, `3`), its first 255 characters; of a list any element counts.
    """
    question = ("labels", key, value, entity)
    newer = label.alias("newer")
    conditions = [label_value.c.key == key, visible(caller)]
    if value is None:
        conditions.append(label_value.c.ordinal == 0)
    else:
        conditions.append(label_value.c.value == value[:MOST_CHARACTERS])
    if entity is not None:
        conditions.append(label.c.entity == entity)
    place = place_of(cursor, question, 1)
    if place is not None:
        conditions.append(label_value.c.label_id < place[0])
    # A NULL is equal to nothing, so each of these looks at one kind of entity, by its own index.
    superseded = [
        sa.exists().where(newer.c.job_id == label.c.job_id, newer.c.version > label.c.version),
        sa.exists().where(
            newer.c.artifact_id == label.c.artifact_id,
            newer.c.session_id == label.c.session_id,
            newer.c.version > label.c.version,
        ),
        sa.exists().where(
            label.c.entity == "dag",
            newer.c.entity == "dag",
            newer.c.session_id == label.c.session_id,
            newer.c.version > label.c.version,
        ),
    ]
    rows = connection.execute(
        sa.select(
            *(label.c.id, label.c.entity, label.c.version, label.c.document, label.c.at_us),
            *(session.c.hash, job.c.uid, artifact.c.algorithm, artifact.c.digest),
        )
        .select_from(label_value)
        .join(label, label.c.id == label_value.c.label_id)
        .join(session, session.c.id == label.c.session_id)
        .outerjoin(job, job.c.id == label.c.job_id)
        .outerjoin(artifact, artifact.c.id == label.c.artifact_id)
        .where(*conditions, *(~one for one in superseded))
        .order_by(label_value.c.label_id.desc())
        .limit(limit + 1)
    ).all()
    last = rows[limit - 1].id if len(rows) > limit else None
    return {
        "labels": [
            {
                "entityType": row.entity,
                "sessionHash": bytes(row.hash).hex(),
                "jobUid": row.uid and bytes(row.uid).hex(),
                "artifactHash": row.digest and digest_text(row.algorithm, bytes(row.digest)),
                "version": row.version,
                "metadata": json.loads(row.document or "{}"),
                "labelledAt": row.at_us / 1e6,
            }
            for row in rows[:limit]
        ],
        "nextCursor": cursor_at(question, [last]) if last is not None else None,
    }
