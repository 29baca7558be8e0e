"""The legacy path over HTTP (GLaaS v1, section 5): see `roar_glaas.legacy` for how it is kept."""

from __future__ import annotations

from typing import Any

import attrs
from litestar import Request, post

from roar_glaas.access.caller import NOBODY, Caller
from roar_glaas.door import Door
from roar_glaas.errors import BadRequest, Conflict, Forbidden
from roar_glaas.legacy import sessions
from roar_glaas.legacy import wire as legacy_wire
from roar_glaas.legacy.names import registered_uid
from roar_glaas.registration import intake, staging, wire
from roar_glaas.registration.quota import User, use
from roar_glaas.serving.peers import address_of
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database

Answer = dict[str, Any]
Asked = Request[Any, Any, Any]

_JOB = "/api/v1/sessions/{name:str}/jobs/{job_uid:str}"
# What an open session costs the database though nothing is sent.
_OPENING_BYTES = 512


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
    git = intake.git(entry, data)
    version = intake.client_version(entry, request.headers.get("x-roar-version"))
    _must_take_anonymous(settings)
    with database.write() as connection:
        name, created = sessions.open_session(connection, settings, data.hash, git, version)
        size = _OPENING_BYTES + len(git.repo) + len(git.branch)
        use(connection, settings, User(NOBODY, address_of(request)), size=size)
    return {
        "hash": data.hash,  # what it is called in the requests to come
        "url": f"{settings.url}/dag/{name}",
        "created": created,
        "masked": entry.masked,
    }


@post("/api/v1/sessions/{name:str}/jobs/batch", status_code=201, sync_to_thread=True)
def jobs(
    request: Asked, settings: Settings, database: Database, name: str, data: wire.Jobs
) -> Answer:
    """Stage jobs."""
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
    """Stage one more job: that of a `put`."""
    new, masked = _add_jobs(request, settings, database, name, [data])
    return {"id": data.job_uid, "created": bool(new), "masked": masked}


@post("/api/v1/artifacts/batch", status_code=201, sync_to_thread=True)
def artifacts(
    request: Asked, settings: Settings, database: Database, data: legacy_wire.Artifacts
) -> Answer:
    """Stage what is said of artifacts."""
    new, masked = _add_artifacts(request, settings, database, data.artifacts)
    return {"created": new, "existing": len(data.artifacts) - new, "masked": masked}


@post("/api/v1/artifacts", status_code=201, sync_to_thread=True)
def one_artifact(
    request: Asked, settings: Settings, database: Database, data: legacy_wire.Artifact
) -> Answer:
    """Stage what is said of one artifact."""
    new, masked = _add_artifacts(request, settings, database, [data])
    return {"hash": data.hashes[0].digest, "created": bool(new), "masked": masked}


@post("/api/v1/artifacts/composites", status_code=201, sync_to_thread=True)
def composites(
    request: Asked, settings: Settings, database: Database, data: legacy_wire.Composite
) -> Answer:
    """Stage a dataset."""
    entry = Door()
    key, piece = intake.composite_piece(entry, data)
    pieces = [(key, piece)]
    new = _stage(request, settings, database, data.session_hash, "composite", pieces)
    return {"artifact_id": key, "created": bool(new), "masked": entry.masked}


@post(f"{_JOB}/inputs", status_code=201, sync_to_thread=True)
def inputs(
    request: Asked,
    settings: Settings,
    database: Database,
    name: str,
    job_uid: str,
    data: wire.Links,
) -> Answer:
    """Stage what a job read."""
    count, masked = _link(request, settings, database, (name, job_uid, "in"), data)
    return {"job_uid": job_uid, "inputs_linked": count, "masked": masked}


@post(f"{_JOB}/outputs", status_code=201, sync_to_thread=True)
def outputs(
    request: Asked,
    settings: Settings,
    database: Database,
    name: str,
    job_uid: str,
    data: wire.Links,
) -> Answer:
    """Stage what a job wrote."""
    count, masked = _link(request, settings, database, (name, job_uid, "out"), data)
    return {"job_uid": job_uid, "outputs_linked": count, "masked": masked}


@post("/api/v1/jobs/{job_uid:str}/artifacts", status_code=201, sync_to_thread=True)
def view_edges(job_uid: str, data: wire.ViewEdges) -> Answer:
    """Refuse the datasets of which a job touched members: they come after its session is whole."""
    for body in data.view_edges:
        intake.view_piece("0" * 32, body)
    raise Conflict(
        "a registered job takes no more links; update roar, which sends them before",
        code="closed",
    )


def _add_jobs(
    request: Asked, settings: Settings, database: Database, name: str, bodies: list[wire.Job]
) -> tuple[int, list[dict[str, str]]]:
    entry = Door()
    pieces = []
    for body in bodies:
        uid = registered_uid(name, body.job_uid)
        parent = body.parent_job_uid and registered_uid(name, body.parent_job_uid)
        pieces.append(
            intake.job_piece(entry, attrs.evolve(body, job_uid=uid, parent_job_uid=parent))
        )
    return _stage(request, settings, database, name, "job", pieces), entry.masked


def _add_artifacts(
    request: Asked, settings: Settings, database: Database, bodies: list[legacy_wire.Artifact]
) -> tuple[int, list[dict[str, str]]]:
    entry = Door()
    names = {body.session_hash for body in bodies}
    if len(names) != 1:
        raise BadRequest("artifacts must have one session_hash")
    pieces = [intake.artifact_piece(entry, body) for body in bodies]
    return _stage(request, settings, database, names.pop(), "artifact", pieces), entry.masked


def _link(
    request: Asked,
    settings: Settings,
    database: Database,
    side: tuple[str, str, str],
    data: wire.Links,
) -> tuple[int, list[dict[str, str]]]:
    name, local_uid, direction = side
    entry = Door()
    uid = registered_uid(name, local_uid)
    pieces = intake.edge_pieces(entry, uid, direction, data.artifacts)
    _stage(request, settings, database, name, "edge", pieces)
    return len(pieces), entry.masked


def _stage(
    request: Asked,
    settings: Settings,
    database: Database,
    name: str,
    kind: str,
    pieces: list[intake.Piece],
) -> int:
    _must_take_anonymous(settings)
    with database.write() as connection:
        found = sessions.find_open(connection, settings, name, address_of(request))
        return staging.stage(connection, settings, found, kind, pieces)


def _must_take_anonymous(settings: Settings) -> None:
    if not settings.takes_anonymous:
        raise Forbidden("this registry takes no anonymous registrations")


# No router of their own: others answer GET at some of these paths, and one path of two routers
# would have two handlers of OPTIONS. For the same reason they come after every router.
legacy_routes = [
    *(open_session, jobs, one_job, artifacts, one_artifact, composites),
    *(inputs, outputs, view_edges),
]
