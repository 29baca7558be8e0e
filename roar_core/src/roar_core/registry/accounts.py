"""Who somebody is at a registry, and which projects they may publish to: as it tells them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import attrs

from roar_core.errors import ConfigError, UnauthorisedError, UnreachableError, UnregisteredError
from roar_core.registry.answers import object_of, objects_in
from roar_core.registry.callers import KeyCaller
from roar_core.registry.connection import Connection
from roar_core.registry.credentials import CredentialFile, KnownKey, User

_CONTEXTS = ("auth/access-context", "user/access-context")


@attrs.frozen
class Project:
    """A project that the caller sees: `name` is `owner/project`."""

    name: str
    id: str
    owner_id: str
    owner_type: str
    visibility: str
    can_write: bool


@attrs.frozen
class Account:
    """Who the caller is, and the projects they see, by name."""

    user: User
    projects: tuple[Project, ...]


def account_of(connection: Connection) -> Account:
    """Ask who the caller is. Raises UnauthorisedError when the registry does not know them."""
    told: object = None
    for path in _CONTEXTS:
        try:
            told = connection.get_as_caller(path)
            break
        except UnregisteredError as error:
            if path == _CONTEXTS[-1]:
                raise UnregisteredError(
                    f"{error}; it does not say who one is there: is registry.url a registry's?",
                    *(error.status, error.code),
                ) from error
    if not isinstance(told, Mapping) or not isinstance(told.get("user"), Mapping):
        raise UnreachableError(f"{connection.url} does not say who one is there; is it a registry?")
    return Account(User.from_document(told["user"]), tuple(_projects(told)))


def signed_in(connection: Connection) -> User | None:
    """The caller, None being nobody; of a log-in as it was kept, without asking.

    A token's owner is asked for, and an SSH key shown to the registry once: that it knows it is
    kept. Raises UnauthorisedError when it does not, or when the credential may not be used there:
    nobody is then taken for anybody.
    """
    caller = connection.caller
    if caller is None:
        return None
    if caller.user.words:
        return caller.user
    if not isinstance(caller, KeyCaller):
        return account_of(connection).user
    told = connection.get_as_caller("auth/me")
    user = User.from_document(object_of(told).get("user"))
    if not user.words:
        raise UnauthorisedError(f"{connection.url} does not say whose SSH key this is")
    try:
        keep_key(caller, connection.url, user)
    except ConfigError as error:  # a home that cannot be written: it is asked again next time
        connection.warn(f"whose the SSH key is cannot be kept: {error}")
    return user


def known_user(connection: Connection) -> User | None:
    """The caller as far as is known here: NOBODY where it was not asked yet, None for nobody.

    Raises UnauthorisedError for a credential that cannot be used there.
    """
    caller = connection.caller
    if caller is None:
        return None
    if caller.reason:
        raise UnauthorisedError(caller.reason)
    return caller.user


def keep_key(caller: KeyCaller, url: str, user: User, *, allow: bool = False) -> None:
    """Keep whose an SSH key is at a registry; with `allow`, that it may sign there.

    Raises ConfigError when it cannot be kept.
    """
    with CredentialFile.of(caller.environ).changing(url, time.time()) as change:
        before = change.record.key
        is_allowed = allow or (before is not None and before.is_allowed)
        known = KnownKey(fingerprint=caller.key.fingerprint, user=user, is_allowed=is_allowed)
        change.keep(attrs.evolve(change.record, key=known))


def _projects(told: Mapping[str, Any]) -> list[Project]:
    groups = told.get("projects_by_owner")
    found = []
    for owner in objects_in(told, "owners"):
        owner_id, kind = str(owner.get("id", "")), str(owner.get("type", "user"))
        name = str(owner.get("username") or owner_id)
        for project in objects_in(groups, owner_id):
            slug = str(project.get("slug") or project.get("id", ""))
            found.append(
                Project(
                    f"{name}/{slug}",
                    str(project.get("id", "")),
                    owner_id,
                    kind,
                    str(project.get("visibility", "")),
                    project.get("can_write") is not False,
                )
            )
    return sorted(found, key=lambda project: project.name)
