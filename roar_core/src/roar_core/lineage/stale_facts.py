"""What jobs consumed, read from the database for the question whether it is still so."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from roar_core.store.names import INPUT, OUTPUT, from_sql, path_from_sql
from roar_core.store.sources import sources_from_blob

if TYPE_CHECKING:
    import sqlite3


class Consumed(NamedTuple):
    """An input as a job read it; `digest` is BLAKE3 hex, None for datasets and where unknown.

    `edge`, `artifact` and `producer` are ids of the database.
    """

    edge: int
    path: str
    size: int
    kind: str
    hash_state: str
    digest: str | None
    artifact: int | None
    producer: int | None


class Facts(NamedTuple):
    """Of one job: its inputs, and its code by absolute path, None when nobody noted it down."""

    inputs: tuple[Consumed, ...]
    sources: dict[str, str | None] | None


# A job and the tasks it started, however deep; `root` is the job.
_FAMILIES = """
    WITH RECURSIVE family (root, job, uid) AS (
        SELECT job.id, job.id, job.uid FROM json_each(?) wanted
            CROSS JOIN job ON job.id = wanted.value
        UNION ALL
        SELECT family.root, task.id, task.uid FROM family CROSS JOIN job task
            ON task.parent = family.uid AND task.undone_at_ns IS NULL
    )
"""


def count_inputs(db: sqlite3.Connection, jobs: Collection[int]) -> dict[int, int]:
    """How many inputs each job has, those of its tasks included; cheap."""
    families = _FAMILIES if _has_tasks(db) else _ALONE
    return dict(
        db.execute(
            families + "SELECT family.root, sum(job.input_count) FROM family"  # noqa: S608 (constants)
            " CROSS JOIN job ON job.id = family.job GROUP BY family.root",
            (json.dumps(list(jobs)),),
        ).fetchall()
    )


def read_facts(db: sqlite3.Connection, jobs: Collection[int]) -> dict[int, Facts]:
    """The facts of each job; a job that git knows nothing of has no sources, but inputs.

    What its tasks read counts as read by the job, but for what it or they had written.
    """
    wanted = json.dumps(list(jobs))
    inputs: dict[int, list[Consumed]] = defaultdict(list)
    has_tasks = _has_tasks(db)
    written = _written_by_families(db, wanted) if has_tasks else {}
    for root, project, edge, path, size, kind, state, blake3, artifact, producer in db.execute(
        (_FAMILIES if has_tasks else _ALONE) + _INPUTS, (wanted, INPUT)
    ):
        if root in written and (path in written[root].paths or producer in written[root].jobs):
            continue
        place = path_from_sql(path, from_sql(project), kind)
        digest = None if blake3 is None else blake3.hex()
        inputs[root].append(Consumed(edge, place, size, kind, state, digest, artifact, producer))
    sets: dict[int, dict[str, str | None]] = {}
    facts: dict[int, Facts] = {}
    for job, project, has_commit, source_set in db.execute(
        "SELECT job.id, job.project, job.git_commit IS NOT NULL, source.source_set"
        " FROM json_each(?) wanted CROSS JOIN job ON job.id = wanted.value"
        " LEFT JOIN job_source source ON source.job = job.id",
        (wanted,),
    ):
        sources: dict[str, str | None] | None = None if has_commit else {}
        if source_set is not None:
            if source_set not in sets:
                sets[source_set] = _source_set(db, source_set)
            root = from_sql(project)
            sources = {
                name if name.startswith("/") else f"{root}/{name}": digest
                for name, digest in sets[source_set].items()
            }
        facts[job] = Facts(tuple(inputs[job]), sources)
    return facts


# Of jobs that started no tasks the family is the job.
_ALONE = "WITH family (root, job) AS (SELECT value, value FROM json_each(?)) "
_INPUTS = """
    SELECT family.root, job.project, edge.id, edge.path, edge.size, edge.kind, edge.hash_state,
        artifact.blake3, edge.artifact, edge.producer
    FROM family CROSS JOIN job ON job.id = family.job
    CROSS JOIN edge ON edge.job = job.id AND edge.direction = ?
    LEFT JOIN artifact ON artifact.id = edge.artifact
"""


class _Family(NamedTuple):
    """A job with its tasks, and the paths that they wrote, as the database has them."""

    jobs: set[int]
    paths: set[str | bytes]


def _has_tasks(db: sqlite3.Connection) -> bool:
    row = db.execute("SELECT 1 FROM job WHERE parent IS NOT NULL LIMIT 1").fetchone()
    return row is not None


def _written_by_families(db: sqlite3.Connection, wanted: str) -> dict[int, _Family]:
    """What jobs that started tasks wrote, by the job; jobs without tasks are left out."""
    families: dict[int, _Family] = defaultdict(lambda: _Family(set(), set()))
    members = _FAMILIES + "SELECT root, job FROM family"  # noqa: S608 (constants)
    for root, job in db.execute(members, (wanted,)):
        families[root].jobs.add(job)
    with_tasks = {root: family for root, family in families.items() if len(family.jobs) > 1}
    for root, path in db.execute(
        _FAMILIES + "SELECT family.root, edge.path FROM family"  # noqa: S608 (constants)
        " CROSS JOIN edge ON edge.job = family.job AND edge.direction = ?",
        (json.dumps(list(with_tasks)), OUTPUT),
    ):
        with_tasks[root].paths.add(path)
    return with_tasks


def _source_set(db: sqlite3.Connection, source_set: int) -> dict[str, str | None]:
    row = db.execute("SELECT content FROM source_set WHERE id = ?", (source_set,)).fetchone()
    return sources_from_blob(row and row[0]) or {}
