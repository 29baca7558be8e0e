"""The jobs of the graph document, read some hundreds at once and told one after the other."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from roar_core.export.told import Telling, tell_job
from roar_core.store.rows import OUTPUT

if TYPE_CHECKING:
    import sqlite3

    from roar_core.store.writer import Store

Document = dict[str, Any]

# As many jobs are held at once, and as many edges; a job that has more is held alone.
_JOBS_AT_ONCE, _EDGES_AT_ONCE = 200, 20_000


class Row(NamedTuple):
    """A job that is told: its number here, its uid, its session, and how much it touched."""

    id: int
    uid: str
    session: int
    edges: int


def tell_jobs(
    db: sqlite3.Connection, store: Store, rows: Sequence[Row], telling: Telling
) -> Iterator[Document]:
    """The jobs of `rows` as documents, in their order."""
    for part in _parts(rows):
        ids = [row.id for row in part]
        jobs = store.jobs_by_id(ids)
        wanted = json.dumps(ids)
        bits, needs = _bits(db, wanted), _needs(db, wanted)
        tasks = _tasks(db, wanted, with_places=telling.absolute_paths)
        for number in ids:
            told = (bits.get(number, {}), tasks.get(number), needs.get(number, ()))
            yield tell_job(jobs.pop(number), telling, *told)


def _parts(rows: Sequence[Row]) -> Iterator[list[Row]]:
    part: list[Row] = []
    edges = 0
    for row in rows:
        if part and (len(part) == _JOBS_AT_ONCE or edges + row.edges > _EDGES_AT_ONCE):
            yield part
            part, edges = [], 0
        part.append(row)
        edges += row.edges
    if part:
        yield part


def _tasks(db: sqlite3.Connection, jobs: str, *, with_places: bool) -> dict[int, Document]:
    """Which attempt at which task each is, by job; where it ran is the name of a host."""
    rows = db.execute(
        "SELECT job, backend, task, attempt, place, role, grouped, is_declared FROM task "
        "WHERE job IN (SELECT value FROM json_each(?))",
        (jobs,),
    )
    tasks = {}
    for job, backend, task, attempt, place, role, group, is_declared in rows:
        where = place or None if with_places else None
        document = {"backend": backend, "task": task, "attempt": attempt, "where": where}
        traits = {
            "role": role if role != "task" else None,
            "group": group or None,
            "declared": True if is_declared else None,
        }
        said = {name: value for name, value in traits.items() if value is not None}
        tasks[job] = document | said
    return tasks


def _needs(db: sqlite3.Connection, jobs: str) -> dict[int, list[str]]:
    """The uids of the tasks whose results each job got."""
    needs: dict[int, list[str]] = defaultdict(list)
    for job, uid in db.execute(
        "SELECT need.job, maker.uid FROM need JOIN job maker ON maker.id = need.producer "
        "WHERE need.job IN (SELECT value FROM json_each(?)) ORDER BY maker.id",
        (jobs,),
    ):
        needs[job].append(uid)
    return needs


def _bits(db: sqlite3.Connection, jobs: str) -> dict[int, dict[tuple[bool, str], bytes]]:
    """Which members of a dataset were touched, by direction and hash, where it was not all."""
    import zlib

    bits: dict[int, dict[tuple[bool, str], bytes]] = defaultdict(dict)
    for job, direction, algorithm, value, bitmap in db.execute(
        "SELECT edge.job, edge.direction, digest.algorithm, digest.value, used.bitmap "
        "FROM json_each(?) CROSS JOIN edge ON edge.job = json_each.value "
        "JOIN composite_use used ON used.edge = edge.id JOIN digest "
        "ON digest.artifact = edge.artifact AND digest.algorithm LIKE 'composite-%' "
        "WHERE used.bitmap IS NOT NULL",
        (jobs,),
    ):
        bits[job][direction == OUTPUT, f"{algorithm}:{value}"] = zlib.decompress(bitmap)
    return bits
