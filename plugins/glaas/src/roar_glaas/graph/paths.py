"""How one artifact led to another: the shortest way through jobs."""

from __future__ import annotations

import itertools
import time
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.graph.artifacts import Found
from roar_glaas.graph.closure import MOST_JOBS, Step, newest_job, walk_up
from roar_glaas.graph.jobs import brief_jobs
from roar_glaas.graph.limits import ENOUGH_S
from roar_glaas.graph.subgraph import brief_artifacts
from roar_glaas.graph.uses import AT_ONCE
from roar_glaas.storage.tables import edge


def path_between(
    connection: sa.Connection, caller: Caller, start: Found, end: Found
) -> dict[str, Any]:
    """`{"direction", "hops", "path", "truncated"}`: from `start` to `end`, artifacts and jobs.

    `direction` is "downstream" when `start` led to `end`, "upstream" when it was the other way
    round, None when neither is known; `path` then is empty. `truncated` tells that not all was
    looked through: more than 10,000 jobs, or two seconds. An artifact is no way to itself.
    """
    as_of = newest_job(connection)
    is_whole = True
    for direction, origin, made in (("downstream", start, end), ("upstream", end, start)):
        chain, saw_all = _way(connection, caller, origin, made, as_of)
        is_whole = is_whole and saw_all
        if chain:
            return {
                "direction": direction,
                "hops": len(chain),
                "path": _told(connection, direction, origin, made, chain),
                "truncated": False,
            }
    return {"direction": None, "hops": None, "path": [], "truncated": not is_whole}


def _way(
    connection: sa.Connection, caller: Caller, origin: Found, made: Found, as_of: int
) -> tuple[list[Step], bool]:
    """The steps from a job that read `origin` to the one that made `made`; whether all was seen."""
    steps: dict[int, Step] = {}
    enough_at = time.monotonic() + ENOUGH_S
    walk = walk_up(connection, caller, made, as_of)
    for _, hop in itertools.groupby(walk, key=lambda step: step.hop):
        new = list(itertools.islice(hop, MOST_JOBS))
        steps |= {step.job_id: step for step in new}
        for start in range(0, len(new), AT_ONCE):
            reader = connection.execute(
                sa.select(sa.func.min(edge.c.job_id)).where(
                    edge.c.artifact_id == origin.id,
                    edge.c.direction == "in",
                    edge.c.job_id.in_([step.job_id for step in new[start : start + AT_ONCE]]),
                )
            ).scalar()
            if reader is not None:
                chain = [steps[reader]]
                while chain[-1].via_job is not None:
                    chain.append(steps[chain[-1].via_job])
                return chain, True
        if len(steps) >= MOST_JOBS or time.monotonic() > enough_at:
            return [], False
    return [], True


def _told(
    connection: sa.Connection, direction: str, origin: Found, made: Found, chain: list[Step]
) -> list[dict[str, Any]]:
    between = [step.via_artifact for step in chain if step.via_artifact is not None]
    artifacts = brief_artifacts(connection, [origin.id, *between, made.id])
    jobs = brief_jobs(connection, [step.job_id for step in chain])
    told: list[dict[str, Any]] = [{"kind": "artifact", **artifacts[0]}]
    for job, artifact in zip(jobs, artifacts[1:], strict=True):
        told += [{"kind": "job", **job}, {"kind": "artifact", **artifact}]
    return told if direction == "downstream" else told[::-1]
