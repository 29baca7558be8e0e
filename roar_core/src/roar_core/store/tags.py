"""Tags as they are written down: put on artifacts, taken off, and what runs were told of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Literal, NamedTuple

from roar_core.store.database import Database

Action = Literal["add", "remove", "bind", "unbind"]


class Tag(NamedTuple):
    """A kind, such as license, and a value, such as mit."""

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind}={self.value}"


class TagEvent(NamedTuple):
    """A change of an artifact's tags by a user."""

    tag: Tag
    action: Action
    at_ns: int


def write_events(
    db: sqlite3.Connection, artifact: int, action: Action, tags: Iterable[Tag], now_ns: int
) -> None:
    """Append a change; must run inside a transaction."""
    db.executemany(
        "INSERT INTO tag_event (artifact, kind, value, action, origin, at_ns) "
        "VALUES (?, ?, ?, ?, 'user', ?)",
        [(artifact, tag.kind, tag.value, action, now_ns) for tag in tags],
    )


def has_tags(db: sqlite3.Connection) -> bool:
    """Whether anything was ever tagged here."""
    query = "SELECT EXISTS (SELECT 1 FROM tag_event) OR EXISTS (SELECT 1 FROM job_tag)"
    return bool(db.execute(query).fetchone()[0])


def tag_events(db: sqlite3.Connection, artifact: int) -> list[TagEvent]:
    """Every change of an artifact's own tags, newest first."""
    return [
        TagEvent(Tag(kind, value), action, at_ns)
        for kind, value, action, at_ns in db.execute(
            "SELECT kind, value, action, at_ns FROM tag_event WHERE artifact = ? ORDER BY id DESC",
            (artifact,),
        )
    ]


def standing_events(db: sqlite3.Connection) -> dict[int, dict[Tag, Action]]:
    """Of every artifact that was ever tagged, the last thing that was done with each tag."""
    standing: dict[int, dict[Tag, Action]] = {}
    for artifact, kind, value, action in db.execute(
        "SELECT artifact, kind, value, action FROM tag_event ORDER BY id"
    ):
        standing.setdefault(artifact, {})[Tag(kind, value)] = action
    return standing


def tag_job(store: Database, uid: str, tags: Iterable[tuple[str, str, str]]) -> None:
    """Note what a job was told: (add or block, kind, value); the value of a block may be ''."""
    with store.writing() as db:
        (job,) = db.execute("SELECT id FROM job WHERE uid = ?", (uid,)).fetchone()
        db.executemany(
            "INSERT OR IGNORE INTO job_tag VALUES (?, ?, ?, ?)", [(job, *tag) for tag in tags]
        )


def tags_of_job(store: Database, uid: str) -> tuple[tuple[str, str, str], ...]:
    """What a job was told, as `tag_job` takes it."""
    with store.reading() as db:
        return tuple(
            db.execute(
                "SELECT action, job_tag.kind, value FROM job_tag JOIN job ON job.id = job_tag.job "
                "WHERE job.uid = ? ORDER BY 1, 2, 3",
                (uid,),
            )
        )
