"""Invented jobs are registered through the real protocol, each with what it read and wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

# What a job has here -> where it is told, and as what.
_EDGES = {
    "reads": ("inputs", "artifacts"),
    "writes": ("outputs", "artifacts"),
    "views": ("view-edges", "view_edges"),
}


def digest(name: str) -> str:
    """A digest that is always the same for a name."""
    return hashlib.sha256(name.encode()).hexdigest()


def register(
    registry: Registry,
    jobs: list[dict[str, Any]],
    *,
    artifacts: Iterable[dict[str, Any]] = (),
    composites: Iterable[dict[str, Any]] = (),
    labels: Iterable[dict[str, Any]] = (),
    **final: Any,
) -> str:
    """Register a session of jobs, and return its hash; `final` is what its end is told with.

    Besides what is told of a job, it may have `reads` and `writes`, which are links, and `views`,
    which are its edges to parts of datasets.
    """
    opened = registry.open()
    for body in composites:
        opened.post("artifacts/composites", body)
    bare = [{key: value for key, value in job.items() if key not in _EDGES} for job in jobs]
    opened.post("jobs/batch", {"jobs": bare})
    if artifacts := list(artifacts):
        opened.post("artifacts/batch", {"artifacts": artifacts})
    for key, (path, name) in _EDGES.items():
        for job in jobs:
            if job.get(key):
                opened.post(f"jobs/{job['job_uid']}/{path}", {name: job[key]})
    session = str(opened.post("finalize", final)["session_hash"])
    for body in labels:
        opened.post("labels/batch", {"labels": [{"session_hash": session, **body}]})
    return session
