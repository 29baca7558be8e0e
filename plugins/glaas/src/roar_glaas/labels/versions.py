"""Versions of label documents in the database: the newest, all of them, one more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.labels.documents import Document
from roar_glaas.labels.targets import Stated, Target
from roar_glaas.labels.values import note_values
from roar_glaas.log.appending import Record, append
from roar_glaas.moments import now_us
from roar_glaas.storage.bulk import reserve_ids
from roar_glaas.storage.tables import label


class Version(NamedTuple):
    """One version of a document: its number from 1, its text, and the origin of each key as JSON.

    Number 0 is that of a document which nobody wrote yet.
    """

    number: int = 0
    document: str = "{}"
    origins: str = "{}"

    @property
    def content(self) -> Document:
        """The document as a value."""
        return dict(json.loads(self.document))


class Written(NamedTuple):
    """A version to be written, and what the client called its target."""

    target: Target
    stated: Stated
    version: Version


def newest(connection: sa.Connection, target: Target) -> Version:
    """The version that holds now."""
    row = connection.execute(_versions(target).order_by(label.c.version.desc()).limit(1)).first()
    if row is None:
        return Version()
    # What was withheld is empty, and keeps its number.
    return Version(row.version, row.document or "{}", row.origins or "{}")


def history(connection: sa.Connection, target: Target, limit: int) -> Sequence[Any]:
    """The rows of the last `limit` versions, the oldest of them first."""
    rows = connection.execute(_versions(target).order_by(label.c.version.desc()).limit(limit))
    return rows.all()[::-1]


def write(connection: sa.Connection, new: Sequence[Written]) -> None:
    """Append versions to the log and keep them. Call it in `Database.append`."""
    now = now_us()
    records = [
        Record(
            "label",
            {
                "session": one.stated.session_hash,
                "entity": one.stated.entity,
                "job": one.stated.job_uid,
                "artifact": one.stated.artifact_hash,
                "version": one.version.number,
                "document": one.version.document,
                "origins": one.version.origins,
            },
        )
        for one in new
    ]
    ids = reserve_ids(connection, label, len(new)) if new else []
    rows = [
        {
            "id": number,
            **one.target._asdict(),
            "version": one.version.number,
            "document": one.version.document,
            "origins": one.version.origins,
            "at_us": now,
            "leaf_index": index,
        }
        for number, one, index in zip(ids, new, append(connection, records, now), strict=True)
    ]
    if rows:
        connection.execute(sa.insert(label), rows)
        note_values(
            connection,
            [(number, one.version.document) for number, one in zip(ids, new, strict=True)],
        )


def _versions(target: Target) -> sa.Select[Any]:
    return sa.select(label).where(
        label.c.session_id == target.session_id,
        label.c.entity == target.entity,
        label.c.job_id.is_not_distinct_from(target.job_id),
        label.c.artifact_id.is_not_distinct_from(target.artifact_id),
    )
