"""Artifacts by the names of files: wherever a job read or wrote a path that ends so."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.digests import digest_text
from roar_glaas.errors import BadRequest
from roar_glaas.graph.paging import cursor_at, no_cursor, place_of
from roar_glaas.storage.searching import MOST_OF_NAME, file_name
from roar_glaas.storage.tables import artifact, edge, job, session

_MOST_CHARACTERS = 4_096
_DIRECTIONS = ("in", "out")


def find_files(
    connection: sa.Connection,
    caller: Caller,
    path: str,
    direction: str | None,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    """`{"files", "nextCursor"}`: a file's name, or the last parts of a path, whole parts only.

    The jobs registered last come first; `direction` "in" or "out" tells read and written apart.
    Raises BadRequest for a path without a name at its end.
    """
    name = path.rpartition("/")[2]
    if not name or "\0" in path or len(path) > _MOST_CHARACTERS:
        raise BadRequest(f"path must end in a file's name, and have {_MOST_CHARACTERS} characters")
    question = ("files", path, direction)
    conditions = [file_name(edge.c.path) == name[:MOST_OF_NAME], visible(caller)]
    if path != name or len(name) > MOST_OF_NAME:
        # "/" before it: the end of a part is no part. A whole path matches itself.
        ending = "/" + path.lstrip("/")
        length = len(ending)
        shown = sa.literal("/") + edge.c.path
        conditions.append(sa.func.substr(shown, sa.func.length(shown) - length + 1) == ending)
    if direction is not None:
        conditions.append(edge.c.direction == direction)
    keys = (edge.c.job_id, edge.c.direction, edge.c.artifact_id, edge.c.ordinal)
    place = place_of(cursor, question, 4)
    if place is not None:
        job_id, side, *rest = place
        if side >= len(_DIRECTIONS):
            raise no_cursor()
        conditions.append(sa.tuple_(*keys) < sa.tuple_(job_id, _DIRECTIONS[side], *rest))
    rows = connection.execute(
        sa.select(*keys, edge.c.path, artifact.c.algorithm, artifact.c.digest)
        .add_columns(job.c.uid, session.c.hash)
        .select_from(edge)
        .join(artifact, artifact.c.id == edge.c.artifact_id)
        .join(job, job.c.id == edge.c.job_id)
        .join(session, session.c.id == job.c.session_id)
        .where(*conditions)
        .order_by(*(key.desc() for key in keys))
        .limit(limit + 1)
    ).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "files": [
            {
                "path": row.path,
                "direction": row.direction,
                "hash": digest_text(row.algorithm, bytes(row.digest)),
                "jobUid": bytes(row.uid).hex(),
                "sessionHash": bytes(row.hash).hex(),
            }
            for row in rows[:limit]
        ],
        "nextCursor": None
        if last is None
        else cursor_at(
            question,
            [last.job_id, _DIRECTIONS.index(last.direction), last.artifact_id, last.ordinal],
        ),
    }
