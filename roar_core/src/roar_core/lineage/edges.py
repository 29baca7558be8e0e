"""The inputs and outputs of many jobs at once, as questions about lineage need them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from roar_core.store.rows import INPUT, OUTPUT, from_sql, path_from_sql

if TYPE_CHECKING:
    import sqlite3


class Used(NamedTuple):
    """Bytes at a place, and the jobs (ids) that read, or wrote, them there.

    `hash` is None when it is unknown; `producer` is the id of the newest job that wrote what was
    read, None when none did. `project` is the root that the readers' paths are told against.
    """

    path: str
    hash: str | None
    size: int
    kind: str
    hash_state: str
    project: str
    producer: int | None
    jobs: tuple[int, ...]


def inputs_of(
    db: sqlite3.Connection, jobs: Iterable[int], *, only_roots: bool = False
) -> list[Used]:
    """What jobs read, each place and version once; `only_roots`: what no recorded job wrote."""
    return _used(db, jobs, INPUT, "AND edge.producer IS NULL" if only_roots else "")


def outputs_of(db: sqlite3.Connection, jobs: Iterable[int]) -> list[Used]:
    """What jobs wrote, each place and version once."""
    return _used(db, jobs, OUTPUT, "")


def input_of(db: sqlite3.Connection, job: int, artifact: int) -> Used | None:
    """An artifact (by id) as one job read it; None when it did not."""
    return next(iter(_used(db, [job], INPUT, f"AND edge.artifact = {int(artifact)}")), None)


def _used(
    db: sqlite3.Connection, jobs: Iterable[int], direction: int, condition: str
) -> list[Used]:
    rows = db.execute(
        "SELECT edge.path, job.project, edge.kind, edge.size, edge.hash_state, artifact.blake3, "  # noqa: S608
        "digest.algorithm, digest.value, edge.producer, edge.job FROM json_each(?) wanted "
        "CROSS JOIN edge ON edge.job = wanted.value AND edge.direction = ? "
        "JOIN job ON job.id = edge.job LEFT JOIN artifact ON artifact.id = edge.artifact "
        "LEFT JOIN digest ON artifact.blake3 IS NULL AND digest.artifact = edge.artifact "
        f"WHERE 1 {condition}",
        (json.dumps(list(jobs)), direction),
    )
    found: dict[tuple[str, str | None], Used] = {}
    for path, project, kind, size, state, blake3, algorithm, value, producer, job in rows:
        root = from_sql(project)
        place = path_from_sql(path, root, kind)
        name = f"blake3:{blake3.hex()}" if blake3 else algorithm and f"{algorithm}:{value}"
        known = found.get((place, name))
        if known is None:
            found[place, name] = Used(place, name, size, kind, state, root, producer, (job,))
        elif job not in known.jobs:
            found[place, name] = known._replace(jobs=(*known.jobs, job))
    return sorted(found.values(), key=lambda used: (used.path, used.hash or ""))
