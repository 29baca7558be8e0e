"""A session and its jobs, drawn and listed; one job, whole."""

from __future__ import annotations

import math
from typing import Annotated, Any

import sqlalchemy as sa
from litestar import Response, get
from litestar.params import Parameter

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import PUBLIC, visible
from roar_glaas.graph.jobs import find_job
from roar_glaas.graph.sessions import session_document
from roar_glaas.log.withheld import reasons
from roar_glaas.log.withheld import told as text_or_reason
from roar_glaas.pages.drawing import drawing
from roar_glaas.pages.facts import environment, metadata_of
from roar_glaas.pages.labels import session_labels
from roar_glaas.pages.links import tracker_links
from roar_glaas.pages.rendering import can_draw, page
from roar_glaas.pages.workflow import workflow_links
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database
from roar_glaas.storage.tables import job, owner, project, session

JOBS_ON_A_PAGE = 100


@get("/dag/{reference:str}", sync_to_thread=True)
def session_page(
    settings: Settings,
    database: Database,
    caller: Caller,
    reference: str,
    number: Annotated[int, Parameter(query="page", ge=1, le=1_000_000)] = 1,
) -> Response[str]:
    """The jobs of a session, in the order they ran."""
    with database.read() as connection:
        told = session_document(connection, caller, reference)
        labels = session_labels(connection, caller, told["hash"])
        scope = _scope(connection, caller, told["hash"])
    jobs = told["jobs"]
    pages = max(1, math.ceil(len(jobs) / JOBS_ON_A_PAGE))
    start = (min(number, pages) - 1) * JOBS_ON_A_PAGE
    return page(
        "session.html",
        session=told,
        scope=scope,
        jobs=jobs[start : start + JOBS_ON_A_PAGE],
        page=min(number, pages),
        pages=pages,
        links=workflow_links(settings, None, told),
        labels=labels,
        has_graph=can_draw(),
    )


def _scope(connection: sa.Connection, caller: Caller, name: str) -> dict[str, Any]:
    """Whose a session is and who may see it, in words; its caller has been let see it."""
    found = connection.execute(
        sa.select(owner.c.name, project.c.slug, session.c.visibility, session.c.owner_id)
        .add_columns(session.c.project_id, project.c.visibility.label("of_project"))
        .join(owner, owner.c.id == session.c.owner_id)
        .outerjoin(project, project.c.id == session.c.project_id)
        .where(session.c.hash == bytes.fromhex(name))
    ).one()
    if found.visibility == PUBLIC:
        seen_by = "everybody"
    else:
        seen_by = "members of the project" if found.slug else "its owner"
    # A public session of a private project: its page is for those who have a role there.
    is_seen = found.of_project == PUBLIC or caller.role(found.owner_id, found.project_id)
    return {
        "owner": found.name,
        "project": found.slug,
        "project_is_seen": bool(is_seen),
        "seen_by": seen_by,
    }


@get("/dag/{reference:str}/graph", sync_to_thread=True)
def session_graph(database: Database, caller: Caller, reference: str) -> dict[str, Any]:
    """What the session's page draws."""
    with database.read() as connection:
        return drawing(session_document(connection, caller, reference)["jobs"])


@get("/jobs/{reference:str}", sync_to_thread=True)
def job_page(
    settings: Settings,
    database: Database,
    caller: Caller,
    reference: str,
    session_hash: Annotated[str | None, Parameter(query="session", max_length=64)] = None,
) -> Response[str]:
    """One job: its command, what it read and wrote, where it ran."""
    with database.read() as connection:
        told = find_job(connection, caller, reference, session_hash)
        labels = session_labels(connection, caller, told["sessionHash"], told["id"])
        parent = _parent(connection, caller, told["id"])
    metadata = metadata_of(told)
    return page(
        "job.html",
        job=told,
        parent=parent,
        environment=environment(metadata),
        links=[*workflow_links(settings, None, told), *tracker_links(metadata)],
        labels=labels,
    )


def _parent(connection: sa.Connection, caller: Caller, job_id: int) -> dict[str, Any] | None:
    """The job that started this one, when it may be seen."""
    child, above = job.alias("child"), job.alias("above")
    row = connection.execute(
        sa.select(above.c.uid, above.c.command, above.c.leaf_index, session.c.hash)
        .select_from(child)
        .join(above, above.c.id == child.c.parent_id)
        .join(session, session.c.id == above.c.session_id)
        .where(child.c.id == job_id, visible(caller))
    ).one_or_none()
    if row is None:
        return None
    uid, hash_ = bytes(row.uid).hex(), bytes(row.hash).hex()
    why = reasons(connection, [row.leaf_index] if row.command is None else [])
    command = text_or_reason(row.command, why.get(row.leaf_index))
    return {"jobUid": uid, "sessionHash": hash_, "command": command}
