"""What a caller sees of projects, organisations and the sessions in them, in lists for pages.

A project is seen by all who have a role in it, and by everybody when it is public; of its sessions
everybody sees those that `visible` says. What is not seen is told exactly as what does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.access.caller import Caller, Role
from roar_glaas.access.projects import ORGANIZATION, Owner, Project, find_owner, find_project
from roar_glaas.access.visibility import PUBLIC, visible
from roar_glaas.errors import BadRequest, NotFound
from roar_glaas.storage.tables import job, owner, project, session

MOST_PROJECTS = 500
SESSIONS_A_PAGE = 50


class SeenProject(NamedTuple):
    """A project, and what the caller may do in it; None: no more than everybody."""

    project: Project
    role: Role | None

    @property
    def is_admin(self) -> bool:
        """Whether the caller says who works in it."""
        return self.role == Role.ADMIN


class SeenSessions(NamedTuple):
    """Sessions, the newest first, and where the next page starts; None: that is all."""

    sessions: list[dict[str, Any]]
    before: str | None


def projects_seen(
    connection: sa.Connection, caller: Caller, of: Owner | None = None
) -> list[SeenProject]:
    """The projects that a caller sees, by name; all of them or those of one owner."""
    query = sa.select(project, owner.c.name).join(owner, owner.c.id == project.c.owner_id)
    if of is not None:
        query = query.where(project.c.owner_id == of.id)
    rows = connection.execute(
        query.where(_seen(caller)).order_by(owner.c.name, project.c.slug).limit(MOST_PROJECTS)
    )
    return [
        SeenProject(
            Project(
                *(row.id, row.public_id, row.owner_id, row.name),
                *(row.slug, row.display_name, row.visibility, row.created_at_us),
            ),
            caller.role(row.owner_id, row.id),
        )
        for row in rows
    ]


def project_seen(
    connection: sa.Connection, caller: Caller, owner_name: str, slug: str
) -> SeenProject:
    """The project of this name. Raises NotFound, also when the caller does not see it."""
    unknown = NotFound("there is no such project, or you may not see it")
    try:
        found = find_project(connection, f"{owner_name}/{slug}")
    except (BadRequest, NotFound) as error:
        raise unknown from error
    role = caller.role(found.owner_id, found.id)
    if role is None and found.visibility != PUBLIC:
        raise unknown
    return SeenProject(found, role)


def organization_seen(
    connection: sa.Connection, caller: Caller, name: str
) -> tuple[Owner, Role | None, list[SeenProject]]:
    """An organisation, the caller's role and the projects they see in it. Raises NotFound.

    Who does not belong to it sees it as long as they see a project of it.
    """
    unknown = NotFound("there is no such organisation, or you may not see it")
    try:
        found = find_owner(connection, name)
    except NotFound as error:
        raise unknown from error
    projects, role = projects_seen(connection, caller, found), caller.role(found.id, None)
    if found.kind != ORGANIZATION or (role is None and not projects):
        raise unknown
    return found, role, projects


def organizations_of(connection: sa.Connection, caller: Caller) -> list[Owner]:
    """The organisations that a caller belongs to, by name."""
    rows = connection.execute(
        sa.select(owner.c.id, owner.c.public_id, owner.c.kind, owner.c.name, owner.c.display_name)
        .where(owner.c.id.in_(sorted(caller.owners)), owner.c.kind == ORGANIZATION)
        .order_by(owner.c.name)
    )
    return [Owner._make(row) for row in rows]


def sessions_seen(
    connection: sa.Connection,
    caller: Caller,
    which: Sequence[sa.ColumnElement[bool]],
    before: str = "",
) -> SeenSessions:
    """One page of the sessions that a caller sees and that are one of `which`.

    `before` is where the page before it ended. Raises BadRequest when it is no such place.
    """
    newest = [_newest(caller, condition, before).subquery() for condition in which]
    ids = sa.union(*(sa.select(one.c.id) for one in newest)).subquery()
    jobs = sa.select(sa.func.count()).where(job.c.session_id == session.c.id).scalar_subquery()
    rows = connection.execute(
        sa.select(
            *(session, owner.c.name, project.c.slug, _person.c.name.label("person")),
            jobs.label("jobs"),
        )
        .join(ids, ids.c.id == session.c.id)
        .join(owner, owner.c.id == session.c.owner_id)
        .outerjoin(project, project.c.id == session.c.project_id)
        .outerjoin(_person, _person.c.id == session.c.registered_by)
        .order_by(*_NEWEST_FIRST)
        .limit(SESSIONS_A_PAGE + 1)
    ).all()
    last = rows[SESSIONS_A_PAGE - 1] if len(rows) > SESSIONS_A_PAGE else None
    return SeenSessions(
        [_told(caller, row) for row in rows[:SESSIONS_A_PAGE]],
        None if last is None else f"{last.registered_at_us}-{last.id}",
    )


_person = owner.alias("person")
_NEWEST_FIRST = (session.c.registered_at_us.desc(), session.c.id.desc())
_PLACE = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)


def _newest(
    caller: Caller, condition: sa.ColumnElement[bool], before: str
) -> sa.Select[tuple[int]]:
    query = sa.select(session.c.id).where(condition, visible(caller))
    if before:
        place = _PLACE.fullmatch(before)
        if place is None:
            raise BadRequest("before is not where a page of sessions ended; open the first page")
        moment, number = int(place[1]), int(place[2])
        query = query.where(
            session.c.registered_at_us <= moment,
            sa.or_(session.c.registered_at_us < moment, session.c.id < number),
        )
    return query.order_by(*_NEWEST_FIRST).limit(SESSIONS_A_PAGE + 1)


def _told(caller: Caller, row: Any) -> dict[str, Any]:
    # Who of an organisation registered something is told to those who work there.
    is_inside = caller.role(row.owner_id, row.project_id) is not None
    return {
        "hash": bytes(row.hash).hex(),
        "by": row.person if is_inside and row.person else row.name,
        "owner": row.name,
        "project": f"{row.name}/{row.slug}" if row.slug else None,
        "visibility": row.visibility,
        "git_commit": row.git_commit,
        "git_branch": row.git_branch,
        "jobs": row.jobs,
        "registered_at": row.registered_at_us / 1e6,
    }


def _seen(caller: Caller) -> sa.ColumnElement[bool]:
    return sa.or_(
        project.c.visibility == PUBLIC,
        project.c.owner_id.in_(sorted(caller.owners)),
        project.c.id.in_(sorted(caller.projects)),
    )
