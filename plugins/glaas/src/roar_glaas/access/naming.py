"""What people, organisations and projects may be called: names go into addresses."""

from __future__ import annotations

import re

from roar_glaas.access.caller import Role
from roar_glaas.door import storable
from roar_glaas.errors import BadRequest

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_MOST_TITLE = 200


def checked_name(text: str, what: str) -> str:
    """A name as it was given; raises BadRequest saying what names are made of."""
    if not _NAME.fullmatch(text):
        raise BadRequest(
            f"{what} {text[:64]!r} must be 1 to 64 of a-z, 0-9 and -, with no - at its ends"
        )
    return text


def checked_title(text: str, what: str) -> str:
    """A name for people to read, of one line; raises BadRequest."""
    text = storable(text, what).strip()
    if len(text) > _MOST_TITLE or not text.isprintable():
        raise BadRequest(f"{what} must be one line of at most {_MOST_TITLE} characters")
    return text


def checked_email(text: str) -> str:
    """A mail address in lower case; raises BadRequest for what can be none."""
    text = storable(text, "the mail address").strip().lower()
    if len(text) > 254 or not text.isprintable() or not _EMAIL.fullmatch(text):
        raise BadRequest(f"{text[:64]!r} is no mail address")
    return text


def role_named(text: str) -> Role:
    """The role called reader, writer or admin; raises BadRequest."""
    try:
        return Role[text.upper()]
    except KeyError as error:
        raise BadRequest(f"a role is reader, writer or admin, not {text[:64]!r}") from error


def split_project(text: str) -> tuple[str, str]:
    """The two names of OWNER/PROJECT; raises BadRequest."""
    owner_name, slash, slug = text.partition("/")
    if not slash:
        raise BadRequest(f"{text[:64]!r} is no project: write OWNER/PROJECT")
    return checked_name(owner_name, "owner"), checked_name(slug, "project")
