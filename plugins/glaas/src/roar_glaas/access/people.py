"""People who have accounts: made, found, closed and opened again; never deleted."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.access.naming import checked_email, checked_name, checked_title
from roar_glaas.errors import Conflict, NotFound
from roar_glaas.moments import now_us, written
from roar_glaas.storage.tables import account, owner

USER = "user"


class Person(NamedTuple):
    """Somebody who has an account."""

    id: int
    public_id: str
    name: str
    display_name: str
    email: str | None
    is_operator: bool
    is_disabled: bool
    has_password: bool
    created_at_us: int

    def document(self) -> dict[str, Any]:
        """What the command line and the API tell of somebody."""
        return {
            "id": self.public_id,
            "name": self.name,
            "display_name": self.display_name,
            "email": self.email,
            "is_operator": self.is_operator,
            "is_disabled": self.is_disabled,
            "has_password": self.has_password,
            "created_at": written(self.created_at_us),
        }


_PEOPLE = sa.select(
    *(owner.c.id, owner.c.public_id, owner.c.name, owner.c.display_name),
    *(account.c.email, account.c.is_operator, account.c.is_disabled),
    account.c.password_hash.is_not(None).label("has_password"),
    owner.c.created_at_us,
).join(account, account.c.owner_id == owner.c.id)


def add_person(
    connection: sa.Connection,
    name: str,
    *,
    display_name: str = "",
    email: str | None = None,
    is_operator: bool = False,
    password_hash: str | None = None,
    oidc: tuple[str, str] | None = None,
) -> Person:
    """Make an account; `oidc` is the issuer and the subject of a provider.

    Raises BadRequest for a malformed name, Conflict when the name or the address is taken.
    """
    checked_name(name, "the name")
    email = checked_email(email) if email else None
    found = add_owner(connection, USER, name, display_name)
    values = {
        "owner_id": found,
        "email": email,
        "password_hash": password_hash,
        "is_operator": is_operator,
        "is_disabled": False,
        "oidc_issuer": oidc[0] if oidc else None,
        "oidc_subject": oidc[1] if oidc else None,
    }
    try:
        connection.execute(sa.insert(account), values)
    except sa.exc.IntegrityError as error:
        raise Conflict("the mail address, or the sign-in, belongs to another account") from error
    return person_of(connection, found)


def add_owner(connection: sa.Connection, kind: str, name: str, display_name: str) -> int:
    """A new owner's id. People and organisations share one space of names: Conflict when taken."""
    values = {
        "public_id": str(uuid.uuid4()),
        "kind": kind,
        "name": checked_name(name, "the name"),
        "display_name": checked_title(display_name, "the display name") or name,
        "created_at_us": now_us(),
    }
    try:
        number: int = connection.execute(
            sa.insert(owner).returning(owner.c.id), values
        ).scalar_one()
    except sa.exc.IntegrityError as error:
        raise Conflict(f"the name {name!r} is taken; choose another") from error
    return number


def find_person(connection: sa.Connection, name: str) -> Person:
    """The person called so. Raises NotFound."""
    row = connection.execute(_PEOPLE.where(owner.c.name == name)).one_or_none()
    if row is None:
        raise NotFound(f"nobody is called {name[:64]!r}; `glaas user list` shows who there is")
    return Person._make(row)


def person_of(connection: sa.Connection, owner_id: int) -> Person:
    """The person with this id. Raises NotFound."""
    row = connection.execute(_PEOPLE.where(owner.c.id == owner_id)).one_or_none()
    if row is None:
        raise NotFound("there is no such account")
    return Person._make(row)


def public_id_of(connection: sa.Connection, owner_id: int) -> str:
    """The public id of any owner there is, nobody included."""
    query = sa.select(owner.c.public_id).where(owner.c.id == owner_id)
    return str(connection.execute(query).scalar_one())


def all_people(connection: sa.Connection) -> list[Person]:
    """Everybody, by name."""
    return [Person._make(row) for row in connection.execute(_PEOPLE.order_by(owner.c.name))]


def set_disabled(connection: sa.Connection, person: Person, is_disabled: bool) -> None:
    """Close an account to every credential it has, or open it again."""
    _change(connection, person, is_disabled=is_disabled)


def set_password_hash(connection: sa.Connection, person: Person, password_hash: str | None) -> None:
    """Give somebody another password, or none: then they cannot sign in by password."""
    _change(connection, person, password_hash=password_hash)


def _change(connection: sa.Connection, person: Person, **values: Any) -> None:
    connection.execute(sa.update(account).where(account.c.owner_id == person.id).values(**values))
