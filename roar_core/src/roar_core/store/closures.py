"""What a session or an artifact came from: the closure over producers, and its lineage hash."""

from __future__ import annotations

import sqlite3

from roar_core.errors import NotFoundError
from roar_core.identity import lineage_hash
from roar_core.store.artifacts import artifacts_by_digest
from roar_core.store.jobs import Jobs, active_session
from roar_core.store.walks import UPSTREAM

# Per step of one session, and per job below another job, the newest that succeeded.
_SUCCEEDED = """
    SELECT id FROM (
        SELECT id, step_number, row_number() OVER (
            PARTITION BY step_is_build, step_number ORDER BY attempt DESC) AS place
        FROM job WHERE session = ? AND undone_at_ns IS NULL AND state = 'succeeded')
    WHERE place = 1 OR step_number IS NULL
"""


# The newest job that made the artifact.
_MAKER = """
    SELECT job.id FROM edge JOIN job ON job.id = edge.job
    WHERE edge.artifact = ? AND edge.direction = 1 AND job.undone_at_ns IS NULL
    ORDER BY edge.job DESC LIMIT 1
"""


class Closures(Jobs):
    """Lineage hashes: what a session or an artifact came from, as one name."""

    def session_hash(self, session: int | None = None) -> str:
        """Return the lineage hash of a session: its steps' jobs and all that they came from.

        Raises NotFoundError when nothing has succeeded in it.
        """
        with self.snapshot() as db:
            number = active_session(db) if session is None else session
            if db.execute(_SUCCEEDED, (number,)).fetchone() is None:
                raise NotFoundError("nothing has succeeded in this session, so it has no hash yet")
            return _closure_hash(db, _SUCCEEDED, number)

    def artifact_lineage_hash(self, name: str) -> str:
        """Return the lineage hash of an artifact: its newest producer and all that it came from.

        Raises NotFoundError when no recorded job made it.
        """
        algorithm, _, value = name.rpartition(":")
        with self.snapshot() as db:
            for artifact in artifacts_by_digest(db, algorithm or "blake3", value):
                if db.execute(_MAKER, (artifact,)).fetchone() is not None:
                    return _closure_hash(db, _MAKER, artifact)
        raise NotFoundError(f"no recorded job made {name}")


def _closure_hash(db: sqlite3.Connection, jobs: str, *values: object) -> str:
    """Return the lineage hash of the jobs a SELECT of ours gives, and of all upstream."""
    hashes = db.execute(
        UPSTREAM.format(starts=f"SELECT id FROM ({jobs})")  # noqa: S608 (ours)
        + "SELECT hash FROM job WHERE id IN (SELECT job FROM walk) AND hash IS NOT NULL",
        values,
    )
    return lineage_hash(f"blake3:{digest.hex()}" for (digest,) in hashes)
