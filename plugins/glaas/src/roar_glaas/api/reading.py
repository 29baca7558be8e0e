"""Reading over HTTP (GLaaS v1, section 6)."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Router, get
from litestar.params import Parameter

from roar_glaas.access.caller import Caller
from roar_glaas.errors import NotFound
from roar_glaas.graph.artifacts import describe, find_artifact
from roar_glaas.graph.closure import upstream
from roar_glaas.graph.descriptions import describe_jobs
from roar_glaas.graph.limits import reading
from roar_glaas.graph.membership import components_of
from roar_glaas.graph.neighbours import jobs_at
from roar_glaas.graph.sessions import session_document
from roar_glaas.legacy.sessions import is_waiting
from roar_glaas.serving.peers import address_of
from roar_glaas.storage.database import Database

Answer = dict[str, Any]

_MOST_COMPONENTS = 1000
_DEEPEST = 100_000


def _addresses(part: str) -> list[str]:
    """Where something of an artifact is read: also below `public`, where clients look second."""
    return [f"{start}/artifacts/{{reference:str}}{part}" for start in ("", "/public")]


@get(_addresses(""), sync_to_thread=True)
def artifact_by_hash(
    request: Request[Any, Any, Any], database: Database, caller: Caller, reference: str
) -> Answer:
    """An artifact by a digest of any algorithm, or a prefix of 8 digits or more."""
    with reading(database) as connection:
        try:
            found = find_artifact(connection, caller, reference)
        except NotFound:
            address = address_of(request)
            if is_waiting(connection, address, reference):
                return {"hash": reference, "isRegistered": False}
            raise
        return describe(connection, caller, found)


@get(_addresses("/lineage"), sync_to_thread=True)
def lineage(
    database: Database,
    caller: Caller,
    reference: str,
    depth: Annotated[int | None, Parameter(ge=1, le=_DEEPEST)] = None,
) -> Answer:
    """The job that made an artifact, and the jobs that read it: one hop each way.

    With `depth` also `jobs`, those that it came from in so many hops, whole, as they ran.
    """
    with reading(database) as connection:
        found = find_artifact(connection, caller, reference)
        made = jobs_at(connection, caller, found, "out")
        read = jobs_at(connection, caller, found, "in")
        further = {}
        if depth is not None:
            ids, is_whole = upstream(connection, caller, found, hops=depth)
            further = {"jobs": describe_jobs(connection, ids), "isWhole": is_whole}
    return {
        "artifact": {"hash": found.digest},
        "producedBy": made[0] if made else None,
        "producers": made,
        "consumers": read,
        **further,
    }


@get(_addresses("/dag"), sync_to_thread=True)
def dag(database: Database, caller: Caller, reference: str) -> Answer:
    """Every job that an artifact came from, in the order they ran: the recipe."""
    with reading(database) as connection:
        found = find_artifact(connection, caller, reference)
        ids, is_whole = upstream(connection, caller, found)
        jobs = describe_jobs(connection, ids)
        told = describe(connection, caller, found)
    last = jobs[-1] if jobs else {}
    return {
        "artifact": told,
        "gitRepo": last.get("gitRepo", ""),
        "gitCommit": last.get("gitCommit", ""),
        "jobs": jobs,
        "isWhole": is_whole,
    }


@get(_addresses("/components"), sync_to_thread=True)
def components(database: Database, caller: Caller, reference: str) -> Answer:
    """The members of a dataset, the first thousand of them."""
    with reading(database) as connection:
        found = find_artifact(connection, caller, reference)
        return {"components": components_of(connection, caller, found, _MOST_COMPONENTS)}


@get(
    ["/public/sessions/{reference:str}/reproduction", "/sessions/{reference:str}"],
    sync_to_thread=True,
)
def session_by_hash(database: Database, caller: Caller, reference: str) -> Answer:
    """A session and its jobs, in the order they ran."""
    with reading(database) as connection:
        return session_document(connection, caller, reference)


reading_routes = Router(
    path="/api/v1",
    route_handlers=[artifact_by_hash, lineage, dag, components, session_by_hash],
)
