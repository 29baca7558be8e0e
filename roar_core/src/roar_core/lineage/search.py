"""Find jobs of a session: by the paths they touched, what they ran, when, how they ended, by words.

A session of 10,000 jobs is looked through in Python, in some tens of milliseconds: an index of
words would cost every run a write, and could not see through escapes and quotes.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from roar_core.errors import UsageError
from roar_core.store.rows import from_sql, path_to_sql

if TYPE_CHECKING:
    import sqlite3

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_AGO = re.compile(r"(\d{1,9}) ?(s|m|min|h|d|w)")


class Wanted(NamedTuple):
    """What a job must fit, all of it; None and () mean anything. `paths` are absolute."""

    paths: Sequence[str] = ()
    command: str | None = None
    since_ns: int | None = None
    failed: bool = False
    words: Sequence[str] = ()


def find(
    db: sqlite3.Connection, session: int, wanted: Wanted, project: str, *, with_undone: bool = False
) -> list[int]:
    """The ids of the jobs of a session that fit, newest first; for a task its driver.

    `command` is part of the command as it would be typed; each of the words must be in name,
    command or labels. Upper and lower case are the same. A path is that of a file, of a folder
    around what was touched, or of a member of a dataset.
    """
    conditions = ["job.session = ?"]
    values: list[object] = [session]
    if not with_undone:
        conditions.append("job.undone_at_ns IS NULL")
    if wanted.since_ns is not None:
        conditions.append("job.started_at_ns >= ?")
        # SQLite's integers end in the year 2262.
        values.append(max(0, min(wanted.since_ns, 2**63 - 1)))
    if wanted.failed:
        conditions.append("job.state IN ('failed', 'interrupted')")
    touching = [_jobs_touching(db, path, project) for path in wanted.paths]
    part = (wanted.command or "").casefold()
    words = [word.casefold() for word in wanted.words]
    labels = _label_texts(db) if words else {}
    found: dict[int, None] = {}
    for job, driver, name, raw_command in db.execute(
        "SELECT job.id, driver.id, job.name, job.command FROM job "  # noqa: S608 (constants)
        "LEFT JOIN job driver ON driver.uid = job.parent "
        f"WHERE {' AND '.join(conditions)} ORDER BY coalesce(driver.id, job.id) DESC, job.id DESC",
        values,
    ):
        if not all(job in jobs for jobs in touching):
            continue
        if part or words:
            typed = _typed(raw_command)
            text = f"{'' if name is None else from_sql(name).casefold()}\0{typed}"
            text += f"\0{labels.get(job, '')}"
            if part not in typed or not all(word in text for word in words):
                continue
        found[job if driver is None else driver] = None
    return list(found)


def moment(text: str, now_s: float) -> int:
    """Nanoseconds since the epoch of `2h`, `3d`, `yesterday`, `2026-11-25` or `2026-11-25 14:00`.

    Without an offset a time is the reader's own. Raises `UsageError`.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago:
        return round((now_s - int(ago[1]) * _UNITS[ago[2]]) * 1e9)
    day = time.localtime(now_s)
    if text in ("today", "yesterday"):
        begins = time.mktime((*day[:2], day[2] - (text == "yesterday"), 0, 0, 0, 0, 0, -1))
        return round(begins * 1e9)
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1e9)
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(
            f"{text!r} is no time; write 2h, 3d, yesterday, 2026-11-25 or '2026-11-25 14:00'"
        ) from error


def _typed(raw_command: str) -> str:
    """The command without the quotes a shell would need: what a person remembers of it."""
    if "\\" not in raw_command:  # nothing is escaped: ten times as fast as reading the JSON
        return raw_command[2:-2].replace('", "', " ").casefold()
    words: list[str] = json.loads(raw_command)
    return " ".join(words).casefold()


def _jobs_touching(db: sqlite3.Connection, path: str, project: str) -> set[int]:
    stored = path_to_sql(path, project)
    if stored == ".":
        return {row[0] for row in db.execute("SELECT job FROM edge")}
    found = {row[0] for row in db.execute("SELECT job FROM edge WHERE path = ?", (stored,))}
    raw = stored.encode() if isinstance(stored, str) else stored
    # Names below a folder are text or bytes, whatever its own is; "0" follows "/" in either order.
    folders: list[tuple[str | bytes, str | bytes]] = [(raw + b"/", raw + b"0")]
    if isinstance(stored, str):
        folders.append((f"{stored}/", f"{stored}0"))
    for first, last in folders:
        rows = db.execute("SELECT job FROM edge WHERE path > ? AND path < ?", (first, last))
        found |= {row[0] for row in rows}
    above = path
    while "/" in above.strip("/"):
        above = above.rpartition("/")[0]
        found |= {
            row[0]
            for row in db.execute(
                "SELECT job FROM edge WHERE path = ? AND kind = 'composite'",
                (path_to_sql(above, project),),
            )
        }
    return found


def _label_texts(db: sqlite3.Connection) -> dict[int, str]:
    """The newest labels of each job, as `key value` text."""
    from roar_core.store.label_documents import flattened

    newest = dict(
        db.execute(
            "SELECT entity, metadata FROM label WHERE entity_type = 'job' ORDER BY entity, version"
        )
    )
    return {
        job: " ".join(f"{k}={v}" for k, v in flattened(json.loads(text))).casefold()
        for job, text in newest.items()
    }
