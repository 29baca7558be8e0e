"""What a client is told of the account it uses: whose it is, and where that one may publish."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller, Role
from roar_glaas.access.people import person_of
from roar_glaas.storage.tables import owner, project


def user_document(connection: sa.Connection, caller: Caller) -> dict[str, Any]:
    """`user` of the protocol (section 2). Raises NotFound for anybody."""
    person = person_of(connection, caller.owner_id)
    return {
        "id": person.public_id,
        "sub": person.public_id,
        "email": person.email,
        "username": person.name,
        "display_name": person.display_name,
    }


def access_context(connection: sa.Connection, caller: Caller) -> dict[str, Any]:
    """`user`, `owners` and `projects_by_owner`: all the scopes that the caller may choose from."""
    of_owners = project.c.owner_id.in_(sorted(caller.owners))
    of_projects = project.c.id.in_(sorted(caller.projects))
    projects = connection.execute(
        sa.select(project, owner.c.public_id.label("owner_public_id"))
        .join(owner, owner.c.id == project.c.owner_id)
        .where(sa.or_(of_owners, of_projects))
        .order_by(owner.c.name, project.c.slug)
    ).all()
    wanted = sorted({caller.owner_id, *caller.owners, *(row.owner_id for row in projects)})
    owners = connection.execute(
        sa.select(owner).where(owner.c.id.in_(wanted)).order_by(owner.c.name)
    ).all()
    by_owner: dict[str, list[dict[str, Any]]] = {row.public_id: [] for row in owners}
    for row in projects:
        role = caller.role(row.owner_id, row.id)
        by_owner[row.owner_public_id].append(
            {
                "id": row.public_id,
                "slug": row.slug,
                "name": row.display_name,
                "visibility": row.visibility,
                "can_write": role is not None and role >= Role.WRITER,
            }
        )
    return {
        "user": user_document(connection, caller),
        "owners": [
            {
                "id": row.public_id,
                "type": row.kind,
                "username": row.name,
                "display_name": row.display_name,
            }
            for row in owners
        ],
        "projects_by_owner": by_owner,
    }
