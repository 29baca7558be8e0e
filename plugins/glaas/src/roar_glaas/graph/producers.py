"""Which job made what another job read: the one rule that every walk follows.

Of several jobs that wrote the same bytes the producer is the one of the reader's session, else the
newest that began before the reader. Jobs that the caller may not see are no producers. Of more
than a thousand that wrote the same (the empty file, say) the thousand registered last count, and
those of the reader's session.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.graph.uses import AT_ONCE, Use, uses
from roar_glaas.graph.whole_sessions import WholeSessions
from roar_glaas.storage.tables import edge, job, session

_MOST_WRITERS = 1_000
# So many writers of some artifacts are taken as they are; of more, the newest of each.
_MOST_ROWS = 20_000


class Producers:
    """Answers which job made what was read, in one state of the registry.

    Jobs with ids beyond `as_of` do not count: a walk that is gone on with later finds the same.
    What was asked of the database is kept, so an artifact is looked up once in a walk; `sessions`
    are those that the walk met much of.
    """

    def __init__(self, connection: sa.Connection, caller: Caller, as_of: int) -> None:
        self._connection = connection
        self.sessions = WholeSessions(connection, as_of)
        self._caller = caller
        self._as_of = as_of
        self._is_postgresql = connection.dialect.name == "postgresql"
        # Built once for a walk: building a statement takes longer than most of these do to run.
        self._written = self._uses()
        self._writers: dict[int, list[Use]] = {}
        self._of_session: dict[tuple[int, int], list[Use]] = {}

    def of(self, reads: Collection[Use]) -> dict[tuple[int, int], int]:
        """(reader, artifact) -> the job that made the artifact, where there is one."""
        found: dict[tuple[int, int], int] = {}
        elsewhere = []
        for read in reads:
            # One of the reader's session comes before all others, so they need not be known.
            best = _best(self.sessions.writers_near(read), read)
            if best is None:
                elsewhere.append(read)
            else:
                found[read.job_id, read.artifact_id] = best
        self._look_up({read.artifact_id for read in elsewhere} - self._writers.keys())
        for read in elsewhere:
            writers = self._writers[read.artifact_id]
            if len(writers) >= _MOST_WRITERS:
                writers = [*writers, *self._in_session(read.artifact_id, read.session_id)]
            best = _best(writers, read)
            if best is not None:
                found[read.job_id, read.artifact_id] = best
        return found

    def _look_up(self, artifacts: Iterable[int]) -> None:
        wanted = sorted(artifacts)
        for start in range(0, len(wanted), AT_ONCE):
            part = wanted[start : start + AT_ONCE]
            rows = self._connection.execute(self._written, {"artifacts": part}).all()
            if len(rows) > _MOST_ROWS and not self._is_postgresql:
                newest = self._uses(edge.c.job_id >= self._thousandth())
                rows = self._connection.execute(newest, {"artifacts": part}).all()
            self._writers.update((one, []) for one in part)
            for row in rows:
                self._writers[row.artifact_id].append(Use(*row))

    def _in_session(self, artifact_id: int, session_id: int) -> list[Use]:
        name = (artifact_id, session_id)
        if name not in self._of_session:
            query = self._uses(job.c.session_id == session_id)
            rows = self._connection.execute(query, {"artifacts": [artifact_id]})
            self._of_session[name] = [Use(*row) for row in rows]
        return self._of_session[name]

    def _uses(self, *conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
        upto = edge.c.job_id <= self._as_of
        found = uses(self._connection, self._caller, "out", upto, *conditions, newest=_MOST_WRITERS)
        return found if self._is_postgresql else found.limit(_MOST_ROWS + 1)

    def _thousandth(self) -> sa.ColumnElement[int]:
        """Of the writers of an edge's artifact that may be seen, the thousandth from the end."""
        other, of, within = edge.alias("other"), job.alias("other_job"), session.alias("within")
        found = (
            sa.select(other.c.job_id)
            .join(of, of.c.id == other.c.job_id)
            .join(within, within.c.id == of.c.session_id)
            .where(
                other.c.artifact_id == edge.c.artifact_id,
                other.c.direction == "out",
                other.c.ordinal == 0,
                other.c.job_id <= self._as_of,
                visible(self._caller, within),
            )
            .order_by(other.c.job_id.desc())
            .limit(1)
            .offset(_MOST_WRITERS - 1)
            .correlate(edge)
            .scalar_subquery()
        )
        return sa.func.coalesce(found, 0)


def _best(writers: Iterable[Use], read: Use) -> int | None:
    """Which of several jobs that wrote the same made what was read."""
    ranked = (
        (writer.session_id == read.session_id, writer.started_at_us, writer.job_id)
        for writer in writers
        if writer.job_id != read.job_id and writer.started_at_us <= read.started_at_us
    )
    best = max(ranked, default=None)
    return None if best is None else best[2]
