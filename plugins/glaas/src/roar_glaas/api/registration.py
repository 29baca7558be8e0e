"""Registering over HTTP (GLaaS v1, sections 4.1 to 4.9): public, and by nobody known."""

from __future__ import annotations

from typing import Any

from litestar import Request, Router, post

from roar_glaas import door
from roar_glaas.door import Door
from roar_glaas.errors import BadRequest, Forbidden, Unauthenticated
from roar_glaas.labels.wire import Labels
from roar_glaas.registration import intake, staging, wire
from roar_glaas.registration.finalize import finalize, registered_sessions
from roar_glaas.registration.labels import add_labels
from roar_glaas.registration.pieces import Git
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database

Answer = dict[str, Any]
Asked = Request[Any, Any, Any]

ANONYMOUS = "anonymous_public"
_MOST_LINKS = 10_000


@post("/", status_code=201, sync_to_thread=True)
def open_one(
    request: Asked, settings: Settings, database: Database, data: wire.Opening | None = None
) -> Answer:
    """Open a registration. What is registered in it will be public."""
    # Who has credentials, or does not say anonymous, means to register privately or under a name.
    if "authorization" in request.headers or data is None or data.mode != ANONYMOUS:
        raise Unauthenticated("say mode anonymous_public, or sign in: roar login")
    if not settings.takes_anonymous:
        raise Forbidden("this registry takes no anonymous registrations")
    version = request.headers.get("x-roar-version", "")[:64]
    address = request.client.host if request.client else ""
    with database.write() as connection:
        name, secret = staging.open_registration(
            connection, settings, door.storable(version, "X-Roar-Version"), address
        )
    return {
        "registration_session_id": name,
        "registration_session_token": secret,
        "status": "open",
        "created": True,
        "mode": ANONYMOUS,
    }


@post("/{name:str}/artifacts/composites", status_code=201, sync_to_thread=True)
def composites(
    request: Asked, settings: Settings, database: Database, name: str, data: wire.Composite
) -> Answer:
    """Stage a dataset."""
    entry = Door()
    key, piece = intake.composite_piece(entry, data)
    new = _stage(request, settings, database, name, "composite", [(key, piece)])
    return {"artifact_id": key, "created": bool(new), "masked": entry.masked}


@post("/{name:str}/artifacts/batch", status_code=201, sync_to_thread=True)
def artifacts(
    request: Asked, settings: Settings, database: Database, name: str, data: wire.Artifacts
) -> Answer:
    """Stage what is said of artifacts."""
    entry = Door()
    pieces = [intake.artifact_piece(entry, body) for body in data.artifacts]
    new = _stage(request, settings, database, name, "artifact", pieces)
    return {
        "created": new,
        "updated": len(pieces) - new,
        "errors": 0,
        "masked": entry.masked,
    }


@post("/{name:str}/jobs/batch", status_code=201, sync_to_thread=True)
def jobs(
    request: Asked, settings: Settings, database: Database, name: str, data: wire.Jobs
) -> Answer:
    """Stage jobs, unless they are registered already: then the answer names their sessions."""
    entry = Door()
    pieces = [intake.job_piece(entry, body) for body in data.jobs]
    if not pieces:
        raise BadRequest("jobs must not be empty")
    with database.write() as connection:
        found = _find(connection, request, name)
        uids = [bytes.fromhex(key) for key, _ in pieces]
        registered = registered_sessions(connection, found.owner_id, uids)
        if len(registered) == 1:
            staging.bind(connection, found, next(iter(registered)))
        new = 0
        if not registered:
            new = staging.stage(connection, settings, found, "job", pieces)
    return {
        "job_ids": [key for key, _ in pieces],
        "errors": [None] * len(pieces),
        "created_count": new,
        "existing_count": 0 if registered else len(pieces) - new,
        "already_registered_session_hashes": sorted(h.hex() for h in registered.values()),
        "existing_binding_prepared": len(registered) == 1,
        "masked": entry.masked,
    }


@post("/{name:str}/jobs", status_code=201, sync_to_thread=True)
def one_job(
    request: Asked, settings: Settings, database: Database, name: str, data: wire.Job
) -> Answer:
    """Stage one more job: that of a `put`."""
    entry = Door()
    key, piece = intake.job_piece(entry, data)
    _stage(request, settings, database, name, "job", [(key, piece)])
    return {"id": key, "masked": entry.masked}


@post("/{name:str}/jobs/{job_uid:str}/inputs", status_code=201, sync_to_thread=True)
def inputs(
    request: Asked,
    settings: Settings,
    database: Database,
    name: str,
    job_uid: str,
    data: wire.Links,
) -> Answer:
    """Stage what a job read."""
    count, masked = _links(request, settings, database, name, (job_uid, "in"), data)
    return {"inputs_linked": count, "artifacts_registered": count, "masked": masked}


@post("/{name:str}/jobs/{job_uid:str}/outputs", status_code=201, sync_to_thread=True)
def outputs(
    request: Asked,
    settings: Settings,
    database: Database,
    name: str,
    job_uid: str,
    data: wire.Links,
) -> Answer:
    """Stage what a job wrote."""
    count, masked = _links(request, settings, database, name, (job_uid, "out"), data)
    return {"outputs_linked": count, "artifacts_registered": count, "masked": masked}


@post("/{name:str}/links/batch", status_code=201, sync_to_thread=True)
def links(
    request: Asked, settings: Settings, database: Database, name: str, data: wire.LinksOfJobs
) -> Answer:
    """Stage what many jobs read and wrote: one request in place of two for each job."""
    entry = Door()
    pieces = []
    for body in data.links:
        uid = door.uid(body.job_uid, "links: job_uid").hex()
        pieces += [intake.edge_piece(entry, uid, "in", link) for link in body.inputs]
        pieces += [intake.edge_piece(entry, uid, "out", link) for link in body.outputs]
    if len(pieces) > _MOST_LINKS:
        raise BadRequest(f"links: at most {_MOST_LINKS} artifacts in one request")
    _stage(request, settings, database, name, "edge", pieces)
    return {"links_linked": len(pieces), "masked": entry.masked}


@post("/{name:str}/jobs/{job_uid:str}/view-edges", status_code=201, sync_to_thread=True)
def view_edges(
    request: Asked,
    settings: Settings,
    database: Database,
    name: str,
    job_uid: str,
    data: wire.ViewEdges,
) -> Answer:
    """Stage the datasets of which a job touched members."""
    uid = door.uid(job_uid, "the job in the address").hex()
    pieces = [intake.view_piece(uid, body) for body in data.view_edges]
    _stage(request, settings, database, name, "edge", pieces)
    return {"view_edges_linked": len(pieces)}


@post("/{name:str}/finalize", status_code=200, sync_to_thread=True)
def finalize_one(
    request: Asked, settings: Settings, database: Database, name: str, data: wire.Finalize
) -> Answer:
    """Register everything that was staged, at once; asked again, the answer is the same."""
    entry = Door()
    git = Git(
        entry.text(data.git_repo or "", "git_repo"),
        intake.commit(data.git_commit, "git_commit"),
        entry.text(data.git_branch or "", "git_branch"),
    )
    with database.append() as connection:
        found = _find(connection, request, name, must_be_open=False)
        outcome = finalize(connection, found, git, data.expected)
    return {
        "published_session_hash": outcome.session_hash,
        "session_hash": outcome.session_hash,
        "published_url": f"{settings.url}/dag/{outcome.session_hash}",
        "mode": ANONYMOUS,
        "created": outcome.created,
        "status": "closed",
        "masked": entry.masked,
    }


@post("/{name:str}/labels/batch", status_code=200, sync_to_thread=True)
def labels(request: Asked, database: Database, name: str, data: Labels) -> Answer:
    """Register labels of a session that is registered; equal ones make no version."""
    entry = Door()
    with database.append() as connection:
        found = _find(connection, request, name, must_be_open=False)
        counts = add_labels(connection, found, entry, data.labels)
    return {**counts._asdict(), "masked": entry.masked}


def _links(
    request: Asked,
    settings: Settings,
    database: Database,
    name: str,
    side: tuple[str, str],
    data: wire.Links,
) -> tuple[int, list[dict[str, str]]]:
    entry = Door()
    uid = door.uid(side[0], "the job in the address").hex()
    if len(data.artifacts) > _MOST_LINKS:
        raise BadRequest(f"at most {_MOST_LINKS} artifacts in one request")
    pieces = [intake.edge_piece(entry, uid, side[1], body) for body in data.artifacts]
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
    with database.write() as connection:
        found = _find(connection, request, name)
        return staging.stage(connection, settings, found, kind, pieces)


def _find(
    connection: Any, request: Asked, name: str, *, must_be_open: bool = True
) -> staging.Registration:
    authorization = request.headers.get("authorization", "")
    return staging.find_registration(connection, name, authorization, must_be_open=must_be_open)


registration_routes = Router(
    path="/api/v1/registration-sessions",
    route_handlers=[
        *(open_one, composites, artifacts, jobs, one_job, inputs, outputs, links, view_edges),
        *(finalize_one, labels),
    ],
)
