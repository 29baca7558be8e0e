"""`glaas project` and `glaas org`: where work belongs that is not one person's alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roar_glaas.cli.options import json_option, of_registry, tell, tell_all

if TYPE_CHECKING:
    import sqlalchemy as sa

    from roar_glaas.access.projects import Owner, Project
    from roar_glaas.storage.database import Database

_roles = click.Choice(["reader", "writer", "admin", "none"])
_MEMBER_COLUMNS = ("name", "role")


@click.group()
def project() -> None:
    """Projects, and who may work in them.

    \b
    Examples:
      glaas project add lab/cats
      glaas project grant lab/cats ada writer     she may register to it
      glaas project members lab/cats
    """


@click.group()
def org() -> None:
    """Organisations; a role in one holds for all of its projects.

    \b
    Examples:
      glaas org add lab --display-name "The Lab"
      glaas org grant lab ada admin
      glaas org grant lab ada none                 she leaves
    """


@org.command("add")
@click.argument("name")
@click.option("--display-name", default="", metavar="TEXT", help="What pages call it.")
@json_option
@of_registry
def add_org(database: Database, name: str, display_name: str, as_json: bool) -> None:
    """Make an organisation. NAME is made of a-z, 0-9 and -."""
    from roar_glaas.access.projects import add_organization

    with database.write() as connection:
        made = add_organization(connection, name, display_name)
    tell(_org(made), "organization", as_json, f"made the organisation {name}")


@org.command("list")
@json_option
@of_registry
def list_orgs(database: Database, as_json: bool) -> None:
    """Every organisation."""
    from roar_glaas.access.projects import all_organizations

    with database.read() as connection:
        rows = [_org(found) for found in all_organizations(connection)]
    tell_all(rows, "organizations", ("name", "display_name"), as_json)


@org.command("grant")
@click.argument("name")
@click.argument("user")
@click.argument("role", type=_roles)
@of_registry
def grant_org(database: Database, name: str, user: str, role: str) -> None:
    """Give USER this role in the organisation.

    It takes the place of any other. A reader sees, a writer registers, an admin looks after the
    members; `none` takes the role away.
    """
    from roar_glaas.access.projects import find_organization

    with database.write() as connection:
        _grant(connection, find_organization(connection, name), user, role)
    click.echo(f"{user} is {role} of {name}", err=True)


@org.command("members")
@click.argument("name")
@json_option
@of_registry
def org_members(database: Database, name: str, as_json: bool) -> None:
    """Who belongs to the organisation."""
    from roar_glaas.access.projects import find_organization

    with database.read() as connection:
        rows = _members(connection, find_organization(connection, name))
    tell_all(rows, "members", _MEMBER_COLUMNS, as_json)


@project.command("add")
@click.argument("name", metavar="OWNER/PROJECT")
@click.option("--public", "is_public", is_flag=True, help="Its work is public unless told.")
@click.option("--display-name", default="", metavar="TEXT", help="What pages call it.")
@json_option
@of_registry
def add_project(
    database: Database, name: str, is_public: bool, display_name: str, as_json: bool
) -> None:
    """Make a project of a person or an organisation."""
    from roar_glaas.access import projects
    from roar_glaas.access.naming import split_project
    from roar_glaas.access.visibility import PRIVATE, PUBLIC

    owner_name, slug = split_project(name)
    with database.write() as connection:
        made = projects.add_project(
            connection,
            projects.find_owner(connection, owner_name),
            slug,
            display_name=display_name,
            visibility=PUBLIC if is_public else PRIVATE,
        )
    tell(made.document(), "project", as_json, f"made the project {name}")


@project.command("list")
@json_option
@of_registry
def list_projects(database: Database, as_json: bool) -> None:
    """Every project."""
    from roar_glaas.access.projects import all_projects

    with database.read() as connection:
        rows = [found.document() for found in all_projects(connection)]
    tell_all(rows, "projects", ("name", "display_name", "visibility", "created_at"), as_json)


@project.command("grant")
@click.argument("name", metavar="OWNER/PROJECT")
@click.argument("user")
@click.argument("role", type=_roles)
@of_registry
def grant_project(database: Database, name: str, user: str, role: str) -> None:
    """Give USER this role in the project.

    It takes the place of any other. A reader sees, a writer registers, an admin looks after the
    members; `none` takes the role away. What somebody may do through the project's organisation
    stays.
    """
    from roar_glaas.access.projects import find_project

    with database.write() as connection:
        _grant(connection, find_project(connection, name), user, role)
    click.echo(f"{user} is {role} of {name}", err=True)


@project.command("members")
@click.argument("name", metavar="OWNER/PROJECT")
@json_option
@of_registry
def project_members(database: Database, name: str, as_json: bool) -> None:
    """Who has a role in this one project."""
    from roar_glaas.access.projects import find_project

    with database.read() as connection:
        rows = _members(connection, find_project(connection, name))
    tell_all(rows, "members", _MEMBER_COLUMNS, as_json)


def _org(found: Owner) -> dict[str, str]:
    return {"id": found.public_id, "name": found.name, "display_name": found.display_name}


def _grant(connection: sa.Connection, where: Owner | Project, user: str, role: str) -> None:
    from roar_glaas.access.naming import role_named
    from roar_glaas.access.people import find_person
    from roar_glaas.access.projects import grant

    given = None if role == "none" else role_named(role)
    grant(connection, where, find_person(connection, user), given)


def _members(connection: sa.Connection, where: Owner | Project) -> list[dict[str, str]]:
    from roar_glaas.access.projects import members_of

    return [
        {"name": member.name, "role": member.role.name.lower()}
        for member in members_of(connection, where)
    ]
