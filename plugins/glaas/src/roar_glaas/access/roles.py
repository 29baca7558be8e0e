"""From an account to the caller it makes: their roles everywhere, in one query."""

from __future__ import annotations

import sqlalchemy as sa

from roar_glaas.access.caller import Caller, Role
from roar_glaas.errors import Unauthenticated
from roar_glaas.storage.tables import account, membership, owner, project, project_member


def caller_of(
    connection: sa.Connection,
    owner_id: int,
    *,
    is_read_only: bool = False,
    project_id: int | None = None,
) -> Caller:
    """Somebody with all they may do, or only with what a token of theirs is narrowed to.

    With `project_id` they have their role in that project, through whatever way, and nothing else.
    Raises Unauthenticated when there is no such account, or it is disabled.
    """
    roles = sa.union_all(
        sa.select(
            sa.literal(True).label("is_owner"),
            membership.c.organization_id.label("id"),
            membership.c.role,
        ).where(membership.c.user_id == owner_id),
        sa.select(sa.literal(False), project_member.c.project_id, project_member.c.role).where(
            project_member.c.user_id == owner_id
        ),
    ).subquery("roles")
    # Whoever has no role anywhere is one row all the same.
    found = connection.execute(
        sa.select(owner.c.name, account.c.is_operator, account.c.is_disabled, *roles.c)
        .join(account, account.c.owner_id == owner.c.id)
        .outerjoin(roles, sa.true())
        .where(owner.c.id == owner_id)
    ).all()
    if not found or found[0].is_disabled:
        raise Unauthenticated("this account is disabled; ask who runs this registry")
    me, rows = found[0], [row for row in found if row.role is not None]
    most = Role.READER if is_read_only else Role.ADMIN
    owners = {row.id: min(Role(row.role), most) for row in rows if row.is_owner}
    owners[owner_id] = most
    projects = {row.id: min(Role(row.role), most) for row in rows if not row.is_owner}
    if project_id is not None:
        owners, projects = {}, _only(connection, project_id, owners, projects)
    return Caller(
        owner_id=owner_id,
        name=me.name,
        is_operator=bool(me.is_operator) and project_id is None and not is_read_only,
        owners=owners,
        projects=projects,
    )


def _only(
    connection: sa.Connection, project_id: int, owners: dict[int, Role], projects: dict[int, Role]
) -> dict[int, Role]:
    of = connection.execute(
        sa.select(project.c.owner_id).where(project.c.id == project_id)
    ).scalar_one()
    role = max(filter(None, (owners.get(of), projects.get(project_id))), default=None)
    return {} if role is None else {project_id: role}
