"""Sessions that a walk goes through much of, loaded at once: two queries a hop become none.

Most closures lie within one session or a few, and are as deep as they are long.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import sqlalchemy as sa

from roar_glaas.graph.uses import Use
from roar_glaas.storage.tables import edge, job

# Loading a session for one job of it would cost more than it spares.
MANY_JOBS = 16
_MOST_EDGES = 20_000


class WholeSessions:
    """What the jobs of some sessions read and wrote: of those of which many jobs were met.

    Jobs with ids beyond `as_of` do not count. Whoever meets a job has made sure that the caller may
    see it, and so may see all of its session.
    """

    def __init__(self, connection: sa.Connection, as_of: int) -> None:
        self._connection = connection
        self._as_of = as_of
        self._met: Counter[int] = Counter()
        self._reads: dict[int, list[Use]] = {}
        self._writes: dict[int, list[Use]] = {}
        # Session id -> artifact id -> who wrote it.
        self._writers: dict[int, dict[int, list[Use]]] = {}

    def meet(self, uses: Iterable[Use]) -> None:
        """Count the jobs of these uses, and load the sessions that have become worth it."""
        jobs = {use.job_id: use.session_id for use in uses}
        self._met.update(jobs.values())
        for session_id in sorted(set(jobs.values())):
            if self._met[session_id] >= MANY_JOBS and session_id not in self._writers:
                self._load(session_id)

    def used_by(self, job_id: int, direction: str) -> list[Use] | None:
        """What a job read ("in") or wrote ("out"); None when its session is not loaded."""
        return (self._reads if direction == "in" else self._writes).get(job_id)

    def writers_near(self, read: Use) -> list[Use]:
        """The jobs of the reader's session that wrote what it read; none when it is not loaded."""
        return self._writers.get(read.session_id, {}).get(read.artifact_id, [])

    def _load(self, session_id: int) -> None:
        rows = self._connection.execute(
            sa.select(job.c.id, edge.c.artifact_id, edge.c.direction, job.c.started_at_us)
            .join_from(
                job, edge, sa.and_(edge.c.job_id == job.c.id, edge.c.ordinal == 0), isouter=True
            )
            .where(job.c.session_id == session_id, job.c.id <= self._as_of)
            .limit(_MOST_EDGES + 1)
        ).all()
        writers: dict[int, list[Use]] = defaultdict(list)
        # One that is too large counts as loaded, and holds nothing: it is asked of hop by hop.
        self._writers[session_id] = writers
        if len(rows) > _MOST_EDGES:
            return
        for job_id, artifact_id, direction, started_at_us in rows:
            reads, writes = self._reads.setdefault(job_id, []), self._writes.setdefault(job_id, [])
            if artifact_id is None:
                continue
            use = Use(job_id, artifact_id, session_id, started_at_us)
            if direction == "in":
                reads.append(use)
            else:
                writes.append(use)
                writers[artifact_id].append(use)
