"""Copying from a damaged database every row that can still be read."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from roar_core.errors import DatabaseError
from roar_core.store.connection import shown
from roar_core.store.migrations import refuse_newer, version_of
from roar_core.store.sources import sources_from_blob

# Parents before children. The stat cache is left out: what it knew is hashed again.
_BY_ROWID = (
    "session", "imported_session", "package_set", "environment", "source_set", "job", "job_source",
    "artifact", "edge",
    "composite", "composite_use", "object_version", "tag_event", "tracker_reference", "task",
)  # fmt: skip
_BY_KEY = (
    *("digest", "composite_source", "label", "task_part", "need", "job_tag"),
    *("receipt", "registration", "logged", "label_agreed"),
)

# Where to stop looking when the end of a table is unreadable itself, and after how many failures.
_END_UNKNOWN = 2**40
_MAX_FAILURES = 50_000


def salvage(path: Path, new: sqlite3.Connection) -> tuple[dict[str, int], list[str]]:
    """Copy what `path` still gives into an empty database; return rows by table, and what is lost.

    Rows that name a lost row are dropped, references to a lost job emptied. A job with fewer edges
    than it counted is marked `damaged_database` in its coverage.
    """
    saved = dict.fromkeys((*_BY_ROWID, *_BY_KEY), 0)
    lost: list[str] = []
    new.execute("PRAGMA foreign_keys = OFF")
    new.execute("BEGIN IMMEDIATE")
    old = sqlite3.connect(path, isolation_level=None)
    try:
        refuse_newer(version_of(old), shown(path))
        for table in saved:
            problems: dict[str, None] = {}
            saved[table] = _copy(old, new, table, problems)
            lost += [f"some rows of {table} cannot be read: {problem}" for problem in problems]
    except sqlite3.DatabaseError as error:
        lost.append(f"nothing more can be read: {error}")
    finally:
        old.close()
    lost += _drop_unreadable(new)
    lost += _drop_dangling(new)
    lost += _mark_holes(new)
    new.execute("COMMIT")
    return saved, lost


def _copy(
    old: sqlite3.Connection, new: sqlite3.Connection, table: str, problems: dict[str, None]
) -> int:
    """Copy a table's readable rows; return how many, and put what went wrong into `problems`."""
    has, wants = (
        [row[1] for row in db.execute(f"PRAGMA table_info({table})")] for db in (old, new)
    )
    columns = [name for name in wants if name in has]
    names = ", ".join(columns)
    rows = _by_rowid if table in _BY_ROWID else _by_key
    before = new.total_changes
    # OR IGNORE: damage can show a row twice, or one that breaks a constraint.
    new.executemany(
        f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})",  # noqa: S608 (names of ours)
        rows(old, f"SELECT {names} FROM {table}", problems),  # noqa: S608 (names of ours)
    )
    return new.total_changes - before


def _by_key(
    old: sqlite3.Connection, select: str, problems: dict[str, None]
) -> Iterator[tuple[Any, ...]]:
    """Yield rows up to the first that cannot be read."""
    try:
        yield from old.execute(select)
    except sqlite3.DatabaseError as error:
        problems[str(error)] = None


def _by_rowid(
    old: sqlite3.Connection, select: str, problems: dict[str, None]
) -> Iterator[tuple[Any, ...]]:
    """Yield every readable row: a range that fails is halved until only damaged pages are left.

    The first column that `select` gives is the rowid.
    """
    try:
        last = (old.execute(f"{select} ORDER BY rowid DESC LIMIT 1").fetchone() or (0,))[0]
    except sqlite3.DatabaseError:
        last = _END_UNKNOWN
    # What was imported has negative numbers.
    try:
        first = (old.execute(f"{select} ORDER BY rowid LIMIT 1").fetchone() or (1,))[0]
    except sqlite3.DatabaseError:
        first = 1
    ranges, failures = [(min(first, 1), last)], 0
    while ranges and failures < _MAX_FAILURES:
        low, high = ranges.pop()
        try:
            for row in old.execute(
                f"{select} WHERE rowid BETWEEN ? AND ? ORDER BY rowid", (low, high)
            ):
                yield row
                low = row[0] + 1
        except sqlite3.DatabaseError as error:
            problems[str(error)] = None
            failures += 1
            if low < high:
                middle = (low + high) // 2
                ranges += [(middle + 1, high), (low, middle)]


def _drop_dangling(new: sqlite3.Connection) -> list[str]:
    """Make every reference lead somewhere again; return what had to go."""
    lost = []
    for what, statement in _REPAIRS:
        count = new.execute(statement).rowcount
        if count and what:
            lost.append(f"{count} {what}")
    return lost


# In this order: each repair relies on those above it. Rows of "" are no loss of their own.
_REPAIRS = (
    (
        "",
        "INSERT OR IGNORE INTO session (id, started_at_ns) "
        "SELECT session, min(started_at_ns) FROM job GROUP BY session",
    ),
    ("", "UPDATE job SET rerun_of = NULL WHERE rerun_of NOT IN (SELECT uid FROM job)"),
    ("", "UPDATE job SET parent = NULL WHERE parent NOT IN (SELECT uid FROM job)"),
    (
        "jobs no longer know their packages",
        "UPDATE job SET package_set = NULL WHERE package_set NOT IN (SELECT id FROM package_set)",
    ),
    (
        "jobs no longer know their environment",
        "UPDATE job SET environment = NULL WHERE environment NOT IN (SELECT id FROM environment)",
    ),
    (
        "",
        "DELETE FROM job_source WHERE job NOT IN (SELECT id FROM job) "
        "OR source_set NOT IN (SELECT id FROM source_set)",
    ),
    ("inputs and outputs of lost jobs", "DELETE FROM edge WHERE job NOT IN (SELECT id FROM job)"),
    ("", "UPDATE edge SET producer = NULL WHERE producer NOT IN (SELECT id FROM job)"),
    (
        "inputs and outputs no longer know their hash",
        "UPDATE edge SET artifact = NULL, hash_state = 'unknown' "
        "WHERE artifact NOT IN (SELECT id FROM artifact)",
    ),
    ("", "DELETE FROM digest WHERE artifact NOT IN (SELECT id FROM artifact)"),
    ("", "DELETE FROM composite WHERE artifact NOT IN (SELECT id FROM artifact)"),
    ("", "DELETE FROM composite_use WHERE edge NOT IN (SELECT id FROM edge)"),
    ("", "DELETE FROM object_version WHERE edge NOT IN (SELECT id FROM edge)"),
    (
        "",
        "DELETE FROM composite_source WHERE edge NOT IN (SELECT id FROM edge) "
        "OR job NOT IN (SELECT id FROM job)",
    ),
    ("", "DELETE FROM tag_event WHERE artifact NOT IN (SELECT id FROM artifact)"),
    ("", "UPDATE tag_event SET job = NULL WHERE job NOT IN (SELECT id FROM job)"),
    ("", "DELETE FROM tracker_reference WHERE job NOT IN (SELECT id FROM job)"),
    ("", "DELETE FROM job_tag WHERE job NOT IN (SELECT id FROM job)"),
    ("", "DELETE FROM receipt WHERE job NOT IN (SELECT id FROM job)"),
    ("", "DELETE FROM logged WHERE job NOT IN (SELECT id FROM job)"),
    (
        "",
        "DELETE FROM task WHERE job NOT IN (SELECT id FROM job) "
        "OR driver NOT IN (SELECT id FROM job)",
    ),
    ("", "DELETE FROM task_part WHERE job NOT IN (SELECT job FROM task)"),
    ("", "DELETE FROM need WHERE job NOT IN (SELECT id FROM job)"),
    ("", "UPDATE need SET producer = NULL WHERE producer NOT IN (SELECT id FROM job)"),
)


def _drop_unreadable(new: sqlite3.Connection) -> list[str]:
    """Delete rows that could be read but whose JSON is damaged; return what had to go."""
    lost = []
    for table, columns in (
        ("job", "command, coverage"),
        ("package_set", "content"),
        ("environment", "content"),
    ):
        for rowid, *texts in new.execute(f"SELECT id, {columns} FROM {table}").fetchall():  # noqa: S608
            try:
                for text in texts:
                    json.loads(text)
            except ValueError:
                new.execute(f"DELETE FROM {table} WHERE id = ?", (rowid,))  # noqa: S608
                lost.append(f"row {rowid} of {table} is damaged")
    for rowid, content in new.execute("SELECT id, content FROM source_set").fetchall():
        try:
            sources_from_blob(content)
        except DatabaseError:
            new.execute("DELETE FROM source_set WHERE id = ?", (rowid,))
            lost.append(f"row {rowid} of source_set is damaged")
    return lost


def _mark_holes(new: sqlite3.Connection) -> list[str]:
    """Let jobs that have fewer edges than they counted say so; return a sentence about them."""
    holes = new.execute(
        "SELECT id, coverage, input_count + output_count - found FROM ("
        "SELECT *, (SELECT count(*) FROM edge WHERE edge.job = job.id) AS found FROM job) "
        "WHERE input_count + output_count > found"
    ).fetchall()
    for job_id, coverage, missing in holes:
        reason = ["damaged_database", missing, "inputs or outputs lost with the damaged database"]
        new.execute(
            "UPDATE job SET coverage = :coverage, "
            "input_count = (SELECT count(*) FROM edge WHERE job = :job AND direction = 0), "
            "output_count = (SELECT count(*) FROM edge WHERE job = :job AND direction = 1) "
            "WHERE id = :job",
            {"coverage": json.dumps([*json.loads(coverage), reason]), "job": job_id},
        )
    return [f"{len(holes)} jobs have lost inputs or outputs"] if holes else []
