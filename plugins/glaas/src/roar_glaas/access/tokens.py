"""Tokens: random secrets that stand for somebody. Only their SHA-256 is kept.

A log-in gives two, a family: one opens everything for an hour, the other is exchanged for the next
two, once. A personal token is made by hand, for programs.

A client that lost the answer, or asked twice at once, may exchange once more, for some seconds and
as long as what came of it is not used. Of several that came of one only one goes on: two are two
hands.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.access.naming import checked_title
from roar_glaas.access.people import Person
from roar_glaas.access.projects import Project
from roar_glaas.errors import NotFound, Unauthenticated
from roar_glaas.moments import DAY_S, SECOND_US, now_us, written
from roar_glaas.storage.tables import account, owner, project, token

ACCESS, REFRESH, PERSONAL = "access", "refresh", "personal"
ACCESS_S = 3600
REFRESH_S = 30 * DAY_S
GRACE_S = 10
_MOST_OF_ONE = 8
# What a secret starts with, so that scanners of secrets and people know it when they see it.
PREFIX = "glaas_"


class Pair(NamedTuple):
    """What a log-in gives: two secrets, and when they end."""

    owner_id: int
    access: str
    refresh: str
    refresh_expires_at_us: int


class Known(NamedTuple):
    """Whom a token stands for, and what it narrows them to."""

    token_id: int
    owner_id: int
    kind: str
    family: str
    is_read_only: bool
    project_id: int | None
    used_at_us: int | None


def hash_of(secret: str) -> bytes:
    """What is kept of a secret. It is random, so that one round is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def issue_pair(
    connection: sa.Connection,
    owner_id: int,
    title: str,
    family: str = "",
    came_of: int | None = None,
) -> Pair:
    """Two new tokens of one family; a new family unless named. What has expired is forgotten."""
    family = family or secrets.token_hex(16)
    connection.execute(
        sa.delete(token).where(token.c.kind != PERSONAL, token.c.expires_at_us < now_us())
    )
    access, refresh = (
        _issue(connection, owner_id, kind, lasts_s, title=title, family=family, came_of=came_of)
        for kind, lasts_s in ((ACCESS, ACCESS_S), (REFRESH, REFRESH_S))
    )
    return Pair(owner_id, access, refresh, now_us() + REFRESH_S * SECOND_US)


def issue_personal(
    connection: sa.Connection,
    owner_id: int,
    title: str,
    *,
    days: int,
    is_read_only: bool = False,
    limited_to: Project | None = None,
) -> str:
    """The secret of a new personal token, which nobody can be told again."""
    return _issue(
        connection,
        owner_id,
        PERSONAL,
        days * DAY_S,
        title=checked_title(title, "the title"),
        is_read_only=is_read_only,
        project_id=limited_to.id if limited_to else None,
    )


def _issue(
    connection: sa.Connection,
    owner_id: int,
    kind: str,
    lifetime_s: int,
    *,
    title: str,
    family: str = "",
    came_of: int | None = None,
    is_read_only: bool = False,
    project_id: int | None = None,
) -> str:
    secret = PREFIX + secrets.token_urlsafe(32)
    now = now_us()
    values = {
        "hash": hash_of(secret),
        "owner_id": owner_id,
        "kind": kind,
        "family": family,
        "came_of": came_of,
        "title": title,
        "is_read_only": is_read_only,
        "project_id": project_id,
        "created_at_us": now,
        "expires_at_us": now + lifetime_s * SECOND_US,
    }
    connection.execute(sa.insert(token), values)
    return secret


def known_by(connection: sa.Connection, secret: str) -> Known:
    """Whom an access or a personal token stands for. Raises Unauthenticated with the remedy."""
    row = _find(connection, secret, (ACCESS, PERSONAL))
    if row is None:
        raise Unauthenticated("this token is unknown here; sign in again: roar login")
    if row.is_disabled:
        raise Unauthenticated("this account is disabled; ask who runs this registry")
    if row.revoked_at_us is not None:
        raise Unauthenticated("this token was revoked; sign in again: roar login")
    if row.expires_at_us <= now_us():
        raise Unauthenticated("this token has expired; sign in again: roar login")
    return Known(
        *(row.id, row.owner_id, row.kind, row.family),
        *(row.is_read_only, row.project_id, row.used_at_us),
    )


def refresh(connection: sa.Connection, secret: str) -> Pair | None:
    """Exchange a refresh token, once, for the next pair. None: it is good for nothing.

    One that was exchanged before is in two hands, so its whole family is revoked: commit that, and
    only then refuse. The access token before stays good to its end, for what runs with it now.
    """
    row = _find(connection, secret, (REFRESH,))
    if row is None or row.is_disabled or row.expires_at_us <= now_us():
        return None
    if not _may_go_on(connection, row):
        revoke_family(connection, row.family)
        return None
    connection.execute(
        sa.update(token)
        .where(token.c.id == row.id, token.c.revoked_at_us.is_(None))
        .values(revoked_at_us=now_us())
    )
    return issue_pair(connection, row.owner_id, row.title, row.family, row.id)


def _may_go_on(connection: sa.Connection, row: Any) -> bool:
    """Whether a refresh token is good for another pair, as far as others of its family tell."""
    family = sa.select(token).where(token.c.family == row.family, token.c.kind == REFRESH)
    # Whoever exchanges another of the family at the same moment is waited for, then looked at.
    connection.execute(family.order_by(token.c.id).with_for_update()).all()
    of_family = connection.execute(family).all()
    this = next((one for one in of_family if one.id == row.id), None)
    if this is None:  # it has expired meanwhile
        return False
    if this.revoked_at_us is None:
        beside = [one for one in of_family if one.came_of == row.came_of and one.id != row.id]
        return row.came_of is None or all(one.revoked_at_us is None for one in beside)
    came = [one for one in of_family if one.came_of == row.id]
    is_again = this.revoked_at_us + GRACE_S * SECOND_US > now_us() and 0 < len(came) < _MOST_OF_ONE
    return is_again and all(one.revoked_at_us is None for one in came)


def revoke_family(connection: sa.Connection, family: str) -> None:
    """End all the tokens of one log-in."""
    connection.execute(
        sa.update(token)
        .where(token.c.family == family, token.c.family != "", token.c.revoked_at_us.is_(None))
        .values(revoked_at_us=now_us())
    )


def revoke(connection: sa.Connection, token_id: int) -> None:
    """End one token, or with a log-in's token the log-in. Raises NotFound."""
    row = connection.execute(sa.select(token.c.family).where(token.c.id == token_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no token {token_id}; `glaas token list` shows them")
    if row.family:
        revoke_family(connection, row.family)
    connection.execute(
        sa.update(token)
        .where(token.c.id == token_id, token.c.revoked_at_us.is_(None))
        .values(revoked_at_us=now_us())
    )


def note_use(connection: sa.Connection, token_id: int) -> None:
    """Remember that a token was used just now."""
    connection.execute(sa.update(token).where(token.c.id == token_id).values(used_at_us=now_us()))


def all_tokens(connection: sa.Connection, of: Person | None = None) -> list[dict[str, Any]]:
    """What there is to be told of tokens, the newest first; never their secrets.

    Of a log-in only what can still be used is told; personal tokens are told for ever.
    """
    query = (
        sa.select(token, owner.c.name, project.c.slug, _project_owner.c.name.label("project_owner"))
        .join(owner, owner.c.id == token.c.owner_id)
        .outerjoin(project, project.c.id == token.c.project_id)
        .outerjoin(_project_owner, _project_owner.c.id == project.c.owner_id)
        .where(
            sa.or_(
                token.c.kind == PERSONAL,
                sa.and_(token.c.revoked_at_us.is_(None), token.c.expires_at_us > now_us()),
            )
        )
        .order_by(token.c.id.desc())
    )
    if of is not None:
        query = query.where(token.c.owner_id == of.id)
    return [_told(row) for row in connection.execute(query)]


_project_owner = owner.alias("project_owner")


def _told(row: Any) -> dict[str, Any]:
    state = "revoked" if row.revoked_at_us is not None else "valid"
    if state == "valid" and row.expires_at_us <= now_us():
        state = "expired"
    return {
        "id": row.id,
        "user": row.name,
        "kind": row.kind,
        "title": row.title,
        "state": state,
        "is_read_only": row.is_read_only,
        "project": f"{row.project_owner}/{row.slug}" if row.slug else None,
        "created_at": written(row.created_at_us),
        "expires_at": written(row.expires_at_us),
        "revoked_at": written(row.revoked_at_us),
        "used_at": written(row.used_at_us),
    }


def _find(connection: sa.Connection, secret: str, kinds: tuple[str, ...]) -> Any:
    return connection.execute(
        sa.select(token, account.c.is_disabled)
        .join(account, account.c.owner_id == token.c.owner_id)
        .where(token.c.hash == hash_of(secret), token.c.kind.in_(kinds))
    ).one_or_none()
