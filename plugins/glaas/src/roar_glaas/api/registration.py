"""Registering over HTTP (GLaaS v1, sections 4.1 to 4.9), by somebody or by nobody known."""

from __future__ import annotations

from typing import Any

import attrs
import sqlalchemy as sa
from litestar import Request, Router, post
from litestar.di import Provide

from roar_glaas import door
from roar_glaas.access.asking import known
from roar_glaas.access.caller import NOBODY, Caller, Role
from roar_glaas.access.scopes import require_writer
from roar_glaas.door import Door
from roar_glaas.errors import BadRequest, Forbidden
from roar_glaas.labels.wire import Labels, bytes_of
from roar_glaas.registration import intake, staging, wire
from roar_glaas.registration.finalize import finalize
from roar_glaas.registration.labels import add_labels
from roar_glaas.registration.overlaps import Registered, registered_sessions
from roar_glaas.registration.quota import use
from roar_glaas.serving.peers import address_of
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database

Answer = dict[str, Any]
Asked = Request[Any, Any, Any]

ANONYMOUS = "anonymous_public"


@attrs.frozen
class Place:
    """One registration as it is addressed, and who addresses it."""

    settings: Settings
    database: Database
    caller: Caller
    name: str
    authorization: str

    def find(self, connection: sa.Connection, *, must_be_open: bool = True) -> staging.Registration:
        """The registration, if the caller may add to it; see `staging.find_registration`."""
        if self.caller.is_known:
            _writer(self.caller)
        return staging.find_registration(
            connection, self.name, self.caller, self.authorization, must_be_open=must_be_open
        )

    def stage(self, kind: str, pieces: list[intake.Piece]) -> int:
        """Keep pieces of one kind until `finalize`; returns how many were new."""
        with self.database.write() as connection:
            return staging.stage(connection, self.settings, self.find(connection), kind, pieces)


def _place(
    request: Asked, settings: Settings, database: Database, caller: Caller, name: str
) -> Place:
    return Place(settings, database, caller, name, request.headers.get("authorization", ""))


@post("/", status_code=201, sync_to_thread=True)
def open_one(
    request: Asked,
    settings: Settings,
    database: Database,
    caller: Caller,
    data: wire.Opening | None = None,
) -> Answer:
    """Open a registration: the caller's own, in a scope that `finalize` names; or anonymous.

    What is registered anonymously is public. Who has credentials, or does not say anonymous, never
    means that.
    """
    body = data or wire.Opening()
    is_anonymous = body.mode == ANONYMOUS
    if is_anonymous and (caller.is_known or body.client_session_id):
        raise BadRequest("an anonymous registration has no credentials and no client_session_id")
    if body.mode and not is_anonymous:
        raise BadRequest(f"mode can only be {ANONYMOUS}; leave it out to register as yourself")
    if is_anonymous and not settings.takes_anonymous:
        raise Forbidden("this registry takes no anonymous registrations; sign in: roar login")
    if not is_anonymous:
        _writer(caller)
    version = intake.client_version(Door(), request.headers.get("x-roar-version"))
    address = address_of(request)
    with database.write() as connection:
        opened = staging.open_registration(
            connection,
            settings,
            caller.owner_id,
            version,
            address,
            intake.client_session_id(body.client_session_id),
        )
    return {
        "registration_session_id": opened.name,
        "registration_session_token": opened.secret if is_anonymous else None,
        "status": "open" if opened.is_open else "closed",
        "created": opened.is_new,
        "mode": ANONYMOUS if is_anonymous else "authenticated",
    }


@post("/artifacts/composites", status_code=201, sync_to_thread=True)
def composites(at: Place, data: wire.Composite) -> Answer:
    """Stage a dataset."""
    entry = Door()
    key, piece = intake.composite_piece(entry, data)
    new = at.stage("composite", [(key, piece)])
    return {"artifact_id": key, "created": bool(new), "masked": entry.masked}


@post("/artifacts/batch", status_code=201, sync_to_thread=True)
def artifacts(at: Place, data: wire.Artifacts) -> Answer:
    """Stage what is said of artifacts."""
    entry = Door()
    pieces = [intake.artifact_piece(entry, body) for body in data.artifacts]
    new = at.stage("artifact", pieces)
    return {
        "created": new,
        "updated": len(pieces) - new,
        "errors": 0,
        "masked": entry.masked,
    }


@post("/jobs/batch", status_code=201, sync_to_thread=True)
def jobs(at: Place, data: wire.Jobs) -> Answer:
    """Stage jobs, unless they are registered already: then the answer names their sessions."""
    entry = Door()
    pieces = [intake.job_piece(entry, body) for body in data.jobs]
    if not pieces:
        raise BadRequest("jobs must not be empty")
    with at.database.write() as connection:
        found = at.find(connection)
        uids = [bytes.fromhex(key) for key, _ in pieces]
        # Of somebody known only `finalize` says whose the work becomes: until then it is staged.
        registered, unknown = (
            registered_sessions(connection, NOBODY, uids)
            if found.owner_id == NOBODY
            else Registered({}, set(uids))
        )
        is_bound = len(registered) == 1 and not unknown
        # Some known and some not is an overlap, by the count of the new: clients go no further.
        new = len(unknown)
        if is_bound:
            staging.bind(connection, found, next(iter(registered)))
            sent: list[intake.Piece] = [(key, {}) for key, _ in pieces]
            staging.stage(connection, at.settings, found, "known", sent)
        elif not registered:
            new = staging.stage(connection, at.settings, found, "job", pieces)
    return {
        "job_ids": [key for key, _ in pieces],
        "errors": [None] * len(pieces),
        "created_count": new,
        "existing_count": 0 if registered else len(pieces) - new,
        "already_registered_session_hashes": sorted(h.hex() for h in registered.values()),
        "existing_binding_prepared": is_bound,
        "masked": entry.masked,
    }


@post("/jobs", status_code=201, sync_to_thread=True)
def one_job(at: Place, data: wire.Job) -> Answer:
    """Stage one more job: that of a `put`."""
    entry = Door()
    key, piece = intake.job_piece(entry, data)
    at.stage("job", [(key, piece)])
    return {"id": key, "masked": entry.masked}


@post("/jobs/{job_uid:str}/inputs", status_code=201, sync_to_thread=True)
def inputs(at: Place, job_uid: str, data: wire.Links) -> Answer:
    """Stage what a job read."""
    count, masked = _links(at, (job_uid, "in"), data)
    return {"inputs_linked": count, "artifacts_registered": count, "masked": masked}


@post("/jobs/{job_uid:str}/outputs", status_code=201, sync_to_thread=True)
def outputs(at: Place, job_uid: str, data: wire.Links) -> Answer:
    """Stage what a job wrote."""
    count, masked = _links(at, (job_uid, "out"), data)
    return {"outputs_linked": count, "artifacts_registered": count, "masked": masked}


@post("/links/batch", status_code=201, sync_to_thread=True)
def links(at: Place, data: wire.LinksOfJobs) -> Answer:
    """Stage what many jobs read and wrote: one request in place of two for each job."""
    entry = Door()
    pieces = []
    for body in data.links:
        uid = door.uid(body.job_uid, "links: job_uid").hex()
        pieces += [intake.edge_piece(entry, uid, "in", link) for link in body.inputs]
        pieces += [intake.edge_piece(entry, uid, "out", link) for link in body.outputs]
    if len(pieces) > intake.MOST_LINKS:
        raise BadRequest(f"links: at most {intake.MOST_LINKS} artifacts in one request")
    at.stage("edge", pieces)
    return {"links_linked": len(pieces), "masked": entry.masked}


@post("/jobs/{job_uid:str}/view-edges", status_code=201, sync_to_thread=True)
def view_edges(at: Place, job_uid: str, data: wire.ViewEdges) -> Answer:
    """Stage the datasets of which a job touched members."""
    uid = door.uid(job_uid, "the job in the address").hex()
    pieces = [intake.view_piece(uid, body) for body in data.view_edges]
    at.stage("edge", pieces)
    return {"view_edges_linked": len(pieces)}


@post("/finalize", status_code=200, sync_to_thread=True)
def finalize_one(at: Place, data: wire.Finalize) -> Answer:
    """Register everything that was staged, at once; asked again, the answer is the same."""
    entry = Door()
    git = intake.git(entry, data)
    with at.database.append() as connection:
        found = at.find(connection, must_be_open=False)
        outcome = finalize(connection, at.caller, found, git, data)
        use(connection, at.settings, found.user, size=len(git.repo) + len(git.branch))
    return {
        "published_session_hash": outcome.session_hash,
        "session_hash": outcome.session_hash,
        "published_url": f"{at.settings.url}/dag/{outcome.session_hash}",
        "mode": "authenticated" if at.caller.is_known else ANONYMOUS,
        "created": outcome.created,
        "logIndex": outcome.leaf_index,
        "status": "closed",
        "masked": entry.masked,
    }


@post("/labels/batch", status_code=200, sync_to_thread=True)
def labels(at: Place, data: Labels) -> Answer:
    """Register labels of a session that is registered; equal ones make no version."""
    entry = Door()
    with at.database.append() as connection:
        found = at.find(connection, must_be_open=False)
        if found.session_id is not None and at.caller.is_known:
            require_writer(connection, at.caller, found.session_id)
        counts = add_labels(connection, found, entry, data.labels)
        use(connection, at.settings, found.user, size=bytes_of(data.labels))
    return {**counts._asdict(), "masked": entry.masked}


def _links(at: Place, side: tuple[str, str], data: wire.Links) -> tuple[int, list[dict[str, str]]]:
    entry = Door()
    uid = door.uid(side[0], "the job in the address").hex()
    pieces = intake.edge_pieces(entry, uid, side[1], data.artifacts)
    at.stage("edge", pieces)
    return len(pieces), entry.masked


def _writer(caller: Caller) -> None:
    """Refuse early whoever may write nowhere; `finalize` asks for the very place."""
    if max((*known(caller).owners.values(), *caller.projects.values()), default=0) < Role.WRITER:
        raise Forbidden("these credentials are for reading only; use others to register")


_of_one = Router(
    path="/{name:str}",
    dependencies={"at": Provide(_place, sync_to_thread=False)},
    route_handlers=[
        *(composites, artifacts, jobs, one_job, inputs, outputs, links, view_edges),
        *(finalize_one, labels),
    ],
)
registration_routes = Router(
    path="/api/v1/registration-sessions", route_handlers=[open_one, _of_one]
)
