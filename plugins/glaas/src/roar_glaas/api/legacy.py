"""The legacy path over HTTP (GLaaS v1, section 5): see `roar_glaas.legacy` for how it is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import attrs
import sqlalchemy as sa
from litestar import Request, post

from roar_glaas import door
from roar_glaas.access.caller import Caller
from roar_glaas.door import Door
from roar_glaas.errors import BadRequest, Forbidden
from roar_glaas.legacy import additions, sessions
from roar_glaas.legacy import wire as legacy_wire
from roar_glaas.registration import intake, wire
from roar_glaas.registration.pieces import Git
from roar_glaas.registration.quota import use_as_nobody
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database

Answer = dict[str, Any]
Asked = Request[Any, Any, Any]
T = TypeVar("T")

_JOB = "/api/v1/sessions/{name:str}/jobs/{job_uid:str}"
_MOST_LINKS = 10_000


@post("/api/v1/sessions", status_code=201, sync_to_thread=True)
def open_session(
    request: Asked,
    settings: Settings,
    database: Database,
    caller: Caller,
    data: legacy_wire.Session,
) -> Answer:
    """Open a session, public and by nobody known; one that is there already stays as it is."""
    if caller.is_known or "authorization" in request.headers or data.scope_request:
        raise Forbidden(
            "sessions are for those without an account, and public; sign in and update roar to "
            "register under your name"
        )
    entry = Door()
    git = Git(
        entry.text(data.git_repo or "", "git_repo"),
        intake.commit(data.git_commit, "git_commit"),
        entry.text(data.git_branch or "", "git_branch"),
    )
    version = door.storable(request.headers.get("x-roar-version", "")[:64], "X-Roar-Version")
    size = sum(map(len, git))

    def work(connection: sa.Connection) -> tuple[str, bool]:
        return sessions.open_session(connection, data.hash, git, version)

    name, created = _anonymously(request, settings, database, 0, size, work)
    return {
        "hash": data.hash,  # what it is called in the requests to come
        "registered_hash": name,
        "url": f"{settings.url}/dag/{name}",
        "created": created,
        "masked": entry.masked,
    }


@post("/api/v1/sessions/{name:str}/jobs/batch", status_code=201, sync_to_thread=True)
def jobs(
    request: Asked, settings: Settings, database: Database, name: str, data: wire.Jobs
) -> Answer:
    """Register jobs."""
    if not data.jobs:
        raise BadRequest("jobs must not be empty")
    new, masked = _add_jobs(request, settings, database, name, data.jobs)
    return {
        "job_ids": [body.job_uid for body in data.jobs],
        "errors": [None] * len(data.jobs),
        "created_count": new,
        "existing_count": len(data.jobs) - new,
        "masked": masked,
    }


@post("/api/v1/sessions/{name:str}/jobs", status_code=201, sync_to_thread=True)
def one_job(
    request: Asked, settings: Settings, database: Database, name: str, data: wire.Job
) -> Answer:
    """Register one more job: that of a `put`."""
    new, masked = _add_jobs(request, settings, database, name, [data])
    return {"id": data.job_uid, "created": bool(new), "masked": masked}


@post("/api/v1/artifacts/batch", status_code=201, sync_to_thread=True)
def artifacts(
    request: Asked, settings: Settings, database: Database, data: legacy_wire.Artifacts
) -> Answer:
    """Register what is said of artifacts."""
    new, masked = _add_artifacts(request, settings, database, data.artifacts)
    return {"created": new, "existing": len(data.artifacts) - new, "masked": masked}


@post("/api/v1/artifacts", status_code=201, sync_to_thread=True)
def one_artifact(
    request: Asked, settings: Settings, database: Database, data: legacy_wire.Artifact
) -> Answer:
    """Register what is said of one artifact."""
    new, masked = _add_artifacts(request, settings, database, [data])
    return {"hash": data.hashes[0].digest, "created": bool(new), "masked": masked}


@post("/api/v1/artifacts/composites", status_code=201, sync_to_thread=True)
def composites(
    request: Asked, settings: Settings, database: Database, data: legacy_wire.Composite
) -> Answer:
    """Register a dataset."""
    entry = Door()
    key, piece = intake.composite_piece(entry, data)

    def work(connection: sa.Connection) -> bool:
        place = sessions.find_open(connection, settings, data.session_hash)
        return additions.add_composite(connection, place, piece)

    created = _anonymously(request, settings, database, 0, len(json.dumps(piece)), work)
    return {"artifact_id": key, "created": created, "masked": entry.masked}


@post(f"{_JOB}/inputs", status_code=201, sync_to_thread=True)
def inputs(
    request: Asked,
    settings: Settings,
    database: Database,
    name: str,
    job_uid: str,
    data: wire.Links,
) -> Answer:
    """Register what a job read."""
    count, masked = _link(request, settings, database, (name, job_uid, "in"), data)
    return {"job_uid": job_uid, "inputs_linked": count, "masked": masked}


@post(
    "/api/v1/sessions/{name:str}/jobs/{job_uid:str}/outputs", status_code=201, sync_to_thread=True
)
def outputs(
    request: Asked,
    settings: Settings,
    database: Database,
    name: str,
    job_uid: str,
    data: wire.Links,
) -> Answer:
    """Register what a job wrote."""
    count, masked = _link(request, settings, database, (name, job_uid, "out"), data)
    return {"job_uid": job_uid, "outputs_linked": count, "masked": masked}


@post("/api/v1/jobs/{job_uid:str}/artifacts", status_code=201, sync_to_thread=True)
def view_edges(
    request: Asked, settings: Settings, database: Database, job_uid: str, data: wire.ViewEdges
) -> Answer:
    """Register the datasets of which a job touched members."""
    # The session is found with the job; until then the pieces need a uid of the right form.
    pieces = [intake.view_piece("0" * 32, body)[1] for body in data.view_edges]

    def work(connection: sa.Connection) -> int:
        found = sessions.find_recent_job(connection, settings, _address(request), job_uid)
        job_id, uid, place = found
        edges = [piece | {"job": uid} for piece in pieces]
        return additions.add_edges(connection, place, job_id, edges)

    _anonymously(request, settings, database, 0, len(json.dumps(pieces)), work)
    return {"view_edges_linked": len(pieces)}


def _add_jobs(
    request: Asked, settings: Settings, database: Database, name: str, bodies: list[wire.Job]
) -> tuple[int, list[dict[str, str]]]:
    entry = Door()
    local = {}
    pieces = []
    for body in bodies:
        uid = sessions.registered_uid(name, body.job_uid)
        local[uid] = body.job_uid
        parent = body.parent_job_uid and sessions.registered_uid(name, body.parent_job_uid)
        pieces.append(
            intake.job_piece(entry, attrs.evolve(body, job_uid=uid, parent_job_uid=parent))[1]
        )

    def work(connection: sa.Connection) -> int:
        place = sessions.find_open(connection, settings, name)
        new = additions.add_jobs(connection, place, pieces)
        ids = {local[uid]: number for uid, number in new.items()}
        sessions.note_jobs(connection, settings, _address(request), ids)
        return len(new)

    size = len(json.dumps(pieces))
    return _anonymously(request, settings, database, len(pieces), size, work), entry.masked


def _add_artifacts(
    request: Asked, settings: Settings, database: Database, bodies: list[legacy_wire.Artifact]
) -> tuple[int, list[dict[str, str]]]:
    entry = Door()
    by_session: dict[str, list[additions.Body]] = {}
    for body in bodies:
        by_session.setdefault(body.session_hash, []).append(intake.artifact_piece(entry, body)[1])

    def work(connection: sa.Connection) -> int:
        new = 0
        for name, pieces in by_session.items():
            place = sessions.find_open(connection, settings, name)
            new += additions.add_artifacts(connection, place, pieces)
        return new

    size = len(json.dumps(by_session))
    return _anonymously(request, settings, database, 0, size, work), entry.masked


def _link(
    request: Asked,
    settings: Settings,
    database: Database,
    side: tuple[str, str, str],
    data: wire.Links,
) -> tuple[int, list[dict[str, str]]]:
    name, local_uid, direction = side
    entry = Door()
    uid = sessions.registered_uid(name, local_uid)
    if len(data.artifacts) > _MOST_LINKS:
        raise BadRequest(f"at most {_MOST_LINKS} artifacts in one request")
    pieces = [intake.edge_piece(entry, uid, direction, body)[1] for body in data.artifacts]

    def work(connection: sa.Connection) -> int:
        place = sessions.find_open(connection, settings, name)
        job_id, _ = sessions.find_job(connection, place, local_uid)
        return additions.add_edges(connection, place, job_id, pieces)

    _anonymously(request, settings, database, 0, len(json.dumps(pieces)), work)
    return len(pieces), entry.masked


def _anonymously(
    request: Asked,
    settings: Settings,
    database: Database,
    jobs: int,
    size: int,
    work: Callable[[sa.Connection], T],
) -> T:
    """What `work` returns, within the day's quota of an address; raises Forbidden and TooMany."""
    if not settings.takes_anonymous:
        raise Forbidden("this registry takes no anonymous registrations")
    with database.append() as connection:
        use_as_nobody(connection, settings, _address(request), jobs, size)
        return work(connection)


def _address(request: Asked) -> str:
    return request.client.host if request.client else ""


# No router of their own: others answer GET at some of these paths, and one path of two routers
# would have two handlers of OPTIONS. For the same reason they come after every router.
legacy_routes = [
    *(open_session, jobs, one_job, artifacts, one_artifact, composites),
    *(inputs, outputs, view_edges),
]
