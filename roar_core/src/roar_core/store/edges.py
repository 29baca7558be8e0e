"""Edges: tying a completed job to artifacts, and its inputs to the jobs that made them."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

import attrs

from roar_core.model.job import Edge, Job
from roar_core.store.inserting import CHUNK, insert_rows
from roar_core.store.rows import INPUT, OUTPUT, path_to_sql

# When the job of a row `edge` had ended, in nanoseconds since the epoch; its start if unknown.
_ENDED = (
    "(SELECT started_at_ns + CAST(coalesce(duration_s, 0) * 1e9 AS INTEGER) "
    "FROM job WHERE id = edge.job)"
)


def _wrote(how: str, order: str) -> str:
    """The newest job that wrote the artifact of a row `edge`, before its reader had ended.

    Of jobs recorded here the ids tell who began first, whatever a clock was set to meanwhile; those
    that were imported come before all others, and may have run at any time.
    """
    in_time = f"maker.started_at_ns <= {_ENDED}"
    if order == "<":
        in_time = f"(made.job > 0 OR {in_time})"
    return (
        "(SELECT made.job FROM edge made JOIN job maker ON maker.id = made.job "  # noqa: S608 (constants)
        f"WHERE {how} AND made.artifact = edge.artifact AND made.direction = 1 "
        f"AND maker.undone_at_ns IS NULL AND made.job {order} edge.job AND {in_time} "
        "ORDER BY made.job DESC LIMIT 1)"
    )


# The job that made the bytes of an input row `edge`: the newest not undone that wrote them to this
# very path, else the newest that wrote them anywhere. Those that started before the reader go
# first: of two that ran side by side the later one could otherwise become its own ancestor. Empty
# files are all alike, so for them the path must agree; so it must for a put, which copies bytes and
# makes none: whoever reads what it has read has nothing from it.
_ANYWHERE = "edge.size > 0 AND maker.kind <> 'put'"
_PRODUCER = f"""coalesce(
    {_wrote("made.path = edge.path", "<")},
    {_wrote("made.path = edge.path", ">")},
    {_wrote(_ANYWHERE, "<")},
    {_wrote(_ANYWHERE, ">")})"""
_EARLIER = f"coalesce({_wrote('made.path = edge.path', '<')}, {_wrote(_ANYWHERE, '<')})"


def insert_edges(db: sqlite3.Connection, job_id: int, job: Job) -> int:
    """Insert a job's edges with artifacts and digests, find its producers; return their number.

    A path may have held several versions that were read, but ends as one output: the last counts.
    The job's own row says already when it began and how long it took.
    """
    edges = JobEdges.of(job_id, job)
    add_edges(db, [edges])
    # Most inputs were made by nobody: one look spares them the four of _PRODUCER.
    db.execute(
        f"UPDATE edge SET producer = {_PRODUCER} WHERE job = ? AND direction = 0 AND "  # noqa: S608 (constants)
        f"({_MADE_ELSEWHERE.format('<')} OR {_MADE_ELSEWHERE.format('>')})",
        (job_id,),
    )
    counts = (edges.input_count, edges.output_count)
    db.execute("UPDATE job SET input_count = ?, output_count = ? WHERE id = ?", (*counts, job_id))
    return len(edges.edges)


class JobEdges(NamedTuple):
    """The edges of one job (its id) as rows tell them: each once, by direction and stored path."""

    job: int
    edges: list[tuple[int, str | bytes, Edge]]
    input_count: int
    seen_ns: int

    @property
    def output_count(self) -> int:
        return len(self.edges) - self.input_count

    @classmethod
    def of(cls, job_id: int, job: Job) -> JobEdges:
        """What is to be stored of a job's edges."""
        project = job.project
        read = {
            (path_to_sql(edge.path, project, is_object=edge.kind == "object"), edge.hash): edge
            for edge in job.inputs
        }
        written = {
            path_to_sql(edge.path, project, is_object=edge.kind == "object"): edge
            for edge in job.outputs
        }
        edges = [(INPUT, path, edge) for (path, _), edge in read.items()]
        edges += [(OUTPUT, path, edge) for path, edge in written.items()]
        return cls(job_id, edges, len(read), job.started_at_ns)


def add_edges(db: sqlite3.Connection, jobs: Sequence[JobEdges]) -> None:
    """Insert the edges of jobs with artifacts and digests; producers are left to be found."""
    edges = [edge for job in jobs for _, _, edge in job.edges]
    seen = [job.seen_ns for job in jobs for _ in job.edges]
    artifacts = iter(_artifacts_of(db, edges, seen))
    insert_rows(
        db,
        "edge (job, direction, path, artifact, size, kind, hash_state)",
        [
            (job.job, direction, path, next(artifacts), edge.size, edge.kind, edge.hash_state)
            for job in jobs
            for direction, path, edge in job.edges
        ],
    )


_MADE_ELSEWHERE = (
    "EXISTS (SELECT 1 FROM edge made WHERE made.artifact = edge.artifact "
    "AND made.direction = 1 AND made.job {} edge.job)"
)


def resolve_new(db: sqlite3.Connection, first: int, last: int) -> None:
    """Find the producers of what jobs with these ids read, the newest ones there are.

    Whoever has a higher id is one of them, and started later.
    """
    db.execute(
        f"UPDATE edge SET producer = {_EARLIER} WHERE job BETWEEN ? AND ? AND direction = 0 "  # noqa: S608 (constants)
        f"AND {_MADE_ELSEWHERE.format('<')}",
        (first, last),
    )
    # Like resolve_late for each of them: the first that may have made what had no producer.
    for same, which in (("artifact", "size > 0"), ("path", "size = 0")):
        db.execute(
            f"""UPDATE edge SET producer = (
                SELECT made.job FROM edge made JOIN job maker ON maker.id = made.job
                WHERE made.{same} = edge.{same} AND made.direction = 1 AND made.{which}
                AND made.job BETWEEN :first AND :last AND made.job <> edge.job
                AND {_ENDED} > maker.started_at_ns
                ORDER BY made.job LIMIT 1)
            WHERE id IN (
                SELECT reader.id FROM edge made CROSS JOIN edge reader
                    ON reader.{same} = made.{same} AND reader.direction = 0
                WHERE made.job BETWEEN :first AND :last AND made.direction = 1 AND made.{which}
                AND reader.{which} AND reader.artifact IS NOT NULL AND reader.producer IS NULL)
            """,  # noqa: S608 (constants)
            {"first": first, "last": last},
        )


def resolve_late(db: sqlite3.Connection, job_id: int) -> None:
    """Make a job the producer of what others read from it before it was recorded itself.

    Only of jobs that were still running when it started, and whose input has no producer yet. Of
    what a put has copied, only at the path where it has put it.
    """
    ways = [("artifact", "size > 0"), ("path", "size = 0")]
    if db.execute("SELECT kind FROM job WHERE id = ?", (job_id,)).fetchone() == ("put",):
        ways = [("artifact, path", "true")]
    for same, which in ways:
        db.execute(
            f"UPDATE edge SET producer = :job WHERE ({same}) IN "  # noqa: S608 (constants)
            f"(SELECT {same} FROM edge WHERE job = :job AND direction = 1 AND {which}) "
            f"AND direction = 0 AND {which} AND artifact IS NOT NULL AND producer IS NULL "
            f"AND job <> :job AND {_ENDED} > (SELECT started_at_ns FROM job WHERE id = :job)",
            {"job": job_id},
        )


# The job that wrote the bytes of an input row `edge` to this very path, among a driver and its
# tasks: those bytes were made in this run, though an older one may have made the same. Of two tasks
# only the one that started later can have read from the other; a driver may read from any.
_IN_FAMILY = """(
    SELECT made.job FROM edge made JOIN job maker ON maker.id = made.job
    WHERE made.path = edge.path AND made.direction = 1 AND made.artifact = edge.artifact
    AND made.job <> edge.job AND maker.undone_at_ns IS NULL
    AND (maker.id = :driver OR maker.parent = (SELECT uid FROM job WHERE id = :driver))
    AND (edge.job = :driver OR (maker.started_at_ns, maker.id) <
         (SELECT started_at_ns, id FROM job WHERE id = edge.job))
    ORDER BY maker.started_at_ns DESC, maker.id DESC LIMIT 1)"""


def resolve_in_family(db: sqlite3.Connection, driver: int) -> None:
    """Tie what a driver and its tasks read to what they themselves wrote; nothing without tasks."""
    tasks = "SELECT id FROM job WHERE parent = (SELECT uid FROM job WHERE id = :driver)"
    if db.execute(f"{tasks} LIMIT 1", {"driver": driver}).fetchone() is None:
        return
    db.execute(
        f"UPDATE edge SET producer = coalesce({_IN_FAMILY}, producer) "  # noqa: S608 (constants)
        f"WHERE direction = 0 AND artifact IS NOT NULL AND (job = :driver OR job IN ({tasks}))",
        {"driver": driver},
    )


def resolve_again(db: sqlite3.Connection, job_id: int) -> None:
    """Find other producers for what was read from a job that has been undone."""
    _resolve(db, "producer = ?", job_id)


def resolve_missing(db: sqlite3.Connection, where: str, *values: object) -> None:
    """Find who made the inputs without a producer among the edges that `where` (ours) picks."""
    _resolve(db, f"direction = 0 AND producer IS NULL AND {where}", *values)


def _resolve(db: sqlite3.Connection, where: str, *values: object) -> None:
    edges = db.execute(f"SELECT id FROM edge WHERE {where}", values).fetchall()  # noqa: S608
    db.executemany(f"UPDATE edge SET producer = {_PRODUCER} WHERE id = ?", edges)  # noqa: S608


def producers_of(
    db: sqlite3.Connection, job_id: int, inputs: Sequence[Edge], project: str
) -> tuple[Edge, ...]:
    """Return a job's input edges with their producers as stored."""
    made = {
        (path, blake3): uid
        for path, blake3, uid in db.execute(
            "SELECT edge.path, artifact.blake3, job.uid FROM edge "
            "JOIN job ON job.id = edge.producer LEFT JOIN artifact ON artifact.id = edge.artifact "
            "WHERE edge.job = ? AND edge.direction = 0",
            (job_id,),
        )
    }
    further: dict[str | bytes, list[str]] = defaultdict(list)
    for path, uid in db.execute(
        "SELECT edge.path, job.uid FROM edge JOIN composite_source source ON source.edge = edge.id "
        "JOIN job ON job.id = source.job WHERE edge.job = ? ORDER BY job.id DESC",
        (job_id,),
    ):
        further[path].append(uid)

    def with_producer(edge: Edge) -> Edge:
        path = path_to_sql(edge.path, project, is_object=edge.kind == "object")
        uid = made.get((path, _blake3(edge)))
        others = tuple(further.get(path, ())) if edge.kind == "composite" else ()
        if (uid, others) == (edge.producer, edge.further_producers):
            return edge
        return attrs.evolve(edge, producer=uid, further_producers=others)

    return tuple(with_producer(edge) for edge in inputs)


def artifacts_of(db: sqlite3.Connection, edges: Sequence[Edge], now_ns: int) -> list[int | None]:
    """Return the artifact of every edge, made where it is new; None where no digest is known."""
    return _artifacts_of(db, edges, [now_ns] * len(edges))


def _artifacts_of(
    db: sqlite3.Connection, edges: Sequence[Edge], seen_ns: Sequence[int]
) -> list[int | None]:
    """Like `artifacts_of`, each edge with the time when it was seen."""
    digests = [_blake3(edge) for edge in edges]
    first_seen: dict[bytes, tuple[int, int]] = {}
    for digest, edge, now_ns in zip(digests, edges, seen_ns, strict=True):
        if digest is not None and digest not in first_seen:
            first_seen[digest] = (edge.size, now_ns)
    # Sorted: neighbours in the index go in together, a third quicker than in random order.
    known = _ids(db, sorted(first_seen))
    new = [digest for digest in first_seen if digest not in known]
    # Given here and not by SQLite, which would have to be asked for them: nobody else writes now.
    [(first,)] = db.execute("SELECT coalesce(max(id), 0) + 1 FROM artifact")
    # In the order of the edges, whose own index of artifacts so grows at its end alone.
    ids = range(first, first + len(new))
    rows = [(new_id, digest, *first_seen[digest]) for new_id, digest in zip(ids, new, strict=True)]
    rows.sort(key=itemgetter(1))
    insert_rows(db, "artifact (id, blake3, size, first_seen_ns)", rows)
    known.update(zip(new, ids, strict=True))
    artifacts = [
        known[digest] if digest else _artifact_by_other_digest(db, edge, now_ns)
        for digest, edge, now_ns in zip(digests, edges, seen_ns, strict=True)
    ]
    db.executemany(
        "INSERT OR IGNORE INTO digest VALUES (?, ?, ?)",
        [
            (algorithm, value, artifact)
            for edge, artifact in zip(edges, artifacts, strict=True)
            if len(edge.digests) > 1 or (edge.digests and "blake3" not in edge.digests)
            for algorithm, value in edge.digests.items()
            if algorithm != "blake3"
        ],
    )
    return artifacts


def _blake3(edge: Edge) -> bytes | None:
    value = edge.digests.get("blake3")
    return None if value is None else bytes.fromhex(value)


def _ids(db: sqlite3.Connection, wanted: Sequence[bytes]) -> dict[bytes, int]:
    known: dict[bytes, int] = {}
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        marks = ",".join("?" * len(chunk))
        query = f"SELECT blake3, id FROM artifact WHERE blake3 IN ({marks})"  # noqa: S608
        known.update(db.execute(query, chunk))
    return known


def _artifact_by_other_digest(db: sqlite3.Connection, edge: Edge, now_ns: int) -> int | None:
    """Find or make the artifact of an object whose store told only an etag or the like."""
    for algorithm, value in edge.digests.items():
        row = db.execute(
            "SELECT artifact.id FROM digest JOIN artifact ON artifact.id = digest.artifact "
            "WHERE algorithm = ? AND value = ? AND size = ?",
            (algorithm, value, edge.size),
        ).fetchone()
        if row:
            return int(row[0])
    if not edge.digests:
        return None
    made = db.execute(
        "INSERT INTO artifact (size, first_seen_ns) VALUES (?, ?)", (edge.size, now_ns)
    ).lastrowid
    assert made is not None
    db.executemany(
        "INSERT INTO digest VALUES (?, ?, ?)", [(a, v, made) for a, v in edge.digests.items()]
    )
    return made
