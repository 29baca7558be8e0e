"""From whom a provider says somebody is to the account they have here, or get."""

from __future__ import annotations

import logging
import re

import sqlalchemy as sa

from roar_glaas.access.naming import checked_email
from roar_glaas.access.oidc import Identity
from roar_glaas.access.oidc_settings import OidcSettings
from roar_glaas.access.people import Person, add_person, person_of
from roar_glaas.errors import BadRequest, Forbidden
from roar_glaas.storage.tables import account, owner

_log = logging.getLogger(__name__)
_MOST_NAME = 56  # leaves room for a number
_MOST_SUBJECT = 255


def person_for(connection: sa.Connection, settings: OidcSettings, identity: Identity) -> Person:
    """The account of an identity: the one it has, the one with its address, or a new one.

    Raises Forbidden when there is none and none may be made, or it is disabled.
    """
    if not 0 < len(identity.subject) <= _MOST_SUBJECT:
        raise Forbidden("what the provider says of this sign-in does not hold")
    found = connection.execute(
        sa.select(account.c.owner_id).where(
            account.c.oidc_issuer == identity.issuer, account.c.oidc_subject == identity.subject
        )
    ).scalar_one_or_none()
    if found is None:
        person = _by_email(connection, settings, identity)
    else:
        person = person_of(connection, found)
    if person.is_disabled:
        raise Forbidden("this account is disabled; ask who runs this registry")
    return person


def _by_email(connection: sa.Connection, settings: OidcSettings, identity: Identity) -> Person:
    # What the provider has not verified, anybody could have typed in there.
    if identity.email is None:
        raise Forbidden("the provider did not verify your mail address, so it proves nothing here")
    try:
        email = checked_email(identity.email)
    except BadRequest as error:
        raise Forbidden("your mail address at the provider cannot be used here") from error
    if settings.email_domains and email.rpartition("@")[2] not in settings.email_domains:
        raise Forbidden("people with your mail address do not sign in here")
    row = connection.execute(
        sa.select(account.c.owner_id, account.c.oidc_subject).where(account.c.email == email)
    ).one_or_none()
    if row is None:
        if not settings.create_accounts:
            raise Forbidden("no account here has your mail address; ask who runs this registry")
        person = add_person(
            connection,
            _free_name(connection, identity.username),
            display_name=_title(identity.display_name),
            email=email,
            oidc=(identity.issuer, identity.subject),
        )
        _log.info("account %s was made for a sign-in by %s", person.name, identity.issuer)
        return person
    if row.oidc_subject is not None:
        # The address went from one person to the next; the account did not.
        raise Forbidden("the account with your mail address belongs to another sign-in")
    connection.execute(
        sa.update(account)
        .where(account.c.owner_id == row.owner_id)
        .values(oidc_issuer=identity.issuer, oidc_subject=identity.subject)
    )
    return person_of(connection, row.owner_id)


def _title(text: str) -> str:
    return "".join(c for c in text if c.isprintable()).strip()[:200]


def _free_name(connection: sa.Connection, wish: str) -> str:
    """A name that nobody has, as near to a wish as names go."""
    start = re.sub(r"[^a-z0-9]+", "-", wish.lower())[:_MOST_NAME].strip("-") or "user"
    taken = set(
        connection.execute(sa.select(owner.c.name).where(owner.c.name.like(f"{start}%"))).scalars()
    )
    names = (start, *(f"{start}-{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)
