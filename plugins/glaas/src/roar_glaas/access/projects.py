"""Organisations and projects, and who may do what in them."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.access.caller import Role
from roar_glaas.access.naming import checked_name, checked_title, split_project
from roar_glaas.access.people import Person, add_owner
from roar_glaas.access.visibility import PRIVATE, PUBLIC
from roar_glaas.errors import BadRequest, Conflict, NotFound
from roar_glaas.moments import now_us, written
from roar_glaas.storage.tables import membership, owner, project, project_member

ORGANIZATION = "organization"


class Owner(NamedTuple):
    """A person or an organisation, as the owner of things."""

    id: int
    public_id: str
    kind: str
    name: str
    display_name: str


class Project(NamedTuple):
    """A project; `visibility` is what its sessions get when nobody says."""

    id: int
    public_id: str
    owner_id: int
    owner_name: str
    slug: str
    display_name: str
    visibility: str
    created_at_us: int

    @property
    def name(self) -> str:
        """OWNER/PROJECT."""
        return f"{self.owner_name}/{self.slug}"

    def document(self) -> dict[str, Any]:
        """What the command line and the API tell of a project."""
        return {
            "id": self.public_id,
            "name": self.name,
            "owner": self.owner_name,
            "slug": self.slug,
            "display_name": self.display_name,
            "visibility": self.visibility,
            "created_at": written(self.created_at_us),
        }


class Member(NamedTuple):
    """Somebody with a role in an organisation or a project."""

    name: str
    role: Role


_OWNERS = sa.select(
    *(owner.c.id, owner.c.public_id, owner.c.kind, owner.c.name, owner.c.display_name)
)
_PROJECTS = sa.select(
    *(project.c.id, project.c.public_id, project.c.owner_id, owner.c.name.label("owner_name")),
    *(project.c.slug, project.c.display_name, project.c.visibility, project.c.created_at_us),
).join(owner, owner.c.id == project.c.owner_id)


def add_organization(connection: sa.Connection, name: str, display_name: str = "") -> Owner:
    """Make an organisation. Raises Conflict when the name is taken."""
    number = add_owner(connection, ORGANIZATION, name, display_name)
    return Owner._make(connection.execute(_OWNERS.where(owner.c.id == number)).one())


def find_owner(connection: sa.Connection, name: str) -> Owner:
    """The person or the organisation called so. Raises NotFound."""
    row = connection.execute(_OWNERS.where(owner.c.name == name, owner.c.id != 0)).one_or_none()
    if row is None:
        raise NotFound(f"no person and no organisation is called {name[:64]!r}")
    return Owner._make(row)


def find_organization(connection: sa.Connection, name: str) -> Owner:
    """The organisation called so. Raises NotFound."""
    found = find_owner(connection, name)
    if found.kind != ORGANIZATION:
        raise NotFound(f"{name!r} is a person, not an organisation")
    return found


def all_organizations(connection: sa.Connection) -> list[Owner]:
    """Every organisation, by name."""
    query = _OWNERS.where(owner.c.kind == ORGANIZATION).order_by(owner.c.name)
    return [Owner._make(row) for row in connection.execute(query)]


def add_project(
    connection: sa.Connection,
    of: Owner,
    slug: str,
    *,
    display_name: str = "",
    visibility: str = PRIVATE,
) -> Project:
    """Make a project. Raises BadRequest, Conflict when the owner has one of that name."""
    if visibility not in (PUBLIC, PRIVATE):
        raise BadRequest(f"visibility is {PUBLIC} or {PRIVATE}")
    values = {
        "public_id": str(uuid.uuid4()),
        "owner_id": of.id,
        "slug": checked_name(slug, "the project"),
        "display_name": checked_title(display_name, "the display name") or slug,
        "visibility": visibility,
        "created_at_us": now_us(),
    }
    try:
        number = connection.execute(sa.insert(project).returning(project.c.id), values).scalar_one()
    except sa.exc.IntegrityError as error:
        raise Conflict(f"{of.name} has a project {slug!r} already") from error
    return Project._make(connection.execute(_PROJECTS.where(project.c.id == number)).one())


def find_project(connection: sa.Connection, name: str) -> Project:
    """The project OWNER/PROJECT. Raises BadRequest, NotFound."""
    owner_name, slug = split_project(name)
    query = _PROJECTS.where(owner.c.name == owner_name, project.c.slug == slug)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"there is no project {name!r}")
    return Project._make(row)


def all_projects(connection: sa.Connection) -> list[Project]:
    """Every project, by its owner's name and its own."""
    query = _PROJECTS.order_by(owner.c.name, project.c.slug)
    return [Project._make(row) for row in connection.execute(query)]


def grant(
    connection: sa.Connection, where: Owner | Project, person: Person, role: Role | None
) -> None:
    """Give somebody this role in an organisation or a project, and no other; None takes it away."""
    members, column = _members(where)
    this = {"user_id": person.id, column: where.id}
    same = sa.and_(members.c.user_id == person.id, members.c[column] == where.id)
    connection.execute(sa.delete(members).where(same))
    if role is not None:
        connection.execute(sa.insert(members), {**this, "role": int(role)})


def members_of(connection: sa.Connection, where: Owner | Project) -> list[Member]:
    """Who has a role in an organisation, or in this one project, by name."""
    members, column = _members(where)
    rows = connection.execute(
        sa.select(owner.c.name, members.c.role)
        .join(members, members.c.user_id == owner.c.id)
        .where(members.c[column] == where.id)
        .order_by(owner.c.name)
    )
    return [Member(row.name, Role(row.role)) for row in rows]


def _members(where: Owner | Project) -> tuple[sa.Table, str]:
    if isinstance(where, Project):
        return project_member, "project_id"
    return membership, "organization_id"
