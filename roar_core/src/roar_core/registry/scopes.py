"""As whom, and for whom, something is published: flags, the scope that is set, and who one is.

Nothing becomes public, or nobody's, for want of a credential: who has one that is refused is told
so, and so is who asked for what needs one. Only somebody who has none, and asked for nothing,
publishes anonymously.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

from roar_core.config.layers import Config
from roar_core.errors import ConfigError, RoarError, UnauthorisedError, UsageError
from roar_core.registry.accounts import Account, Project, account_of, known_user, signed_in
from roar_core.registry.address import COMMITTED
from roar_core.registry.connection import Connection

ANONYMOUS, PRIVATE, PUBLIC, PROJECT = "anonymous", "private", "public", "project"
WORDS = (ANONYMOUS, PRIVATE, PUBLIC)
_PROJECT_NAME = re.compile(r"[^\s/]{1,100}/[^\s/]{1,100}")


@attrs.frozen(kw_only=True)
class Intent:
    """What is to happen: `kind` is anonymous, private, public or project.

    `visibility` is private or public, or empty where only the registry can tell: a project's.
    `owner` is in whose name it is published, and `owner_id` their id at the registry, both empty
    for nobody; `project` its `owner/project`, empty for none. `scope_request` is the object of the
    protocol's section 3, None where the field is left out.
    """

    kind: str
    visibility: str
    owner: str = ""
    owner_id: str = ""
    project: str = ""
    scope_request: Mapping[str, Any] | None = None

    @property
    def is_anonymous(self) -> bool:
        """Whether no credential of any kind may be sent."""
        return self.kind == ANONYMOUS

    @property
    def is_public(self) -> bool:
        """Whether everybody will be able to see it."""
        return self.visibility == PUBLIC

    @property
    def words(self) -> str:
        """For sentences: `public, as ada`."""
        if self.is_anonymous:
            return "public, without a name"
        by = f", as {self.owner}" if self.owner else ""
        if not self.visibility:
            return f"in {self.project}{by}"
        return f"{self.visibility}{by}{f', in {self.project}' if self.project else ''}"


def refuse_several(*, public: bool, private: bool, anonymous: bool) -> None:
    """Raise UsageError when more than one of these flags is given."""
    if public + private + anonymous > 1:
        raise UsageError("give one of --public, --private and --anonymous")


def intent_of(
    connection: Connection,
    config: Config,
    *,
    public: bool = False,
    private: bool = False,
    anonymous: bool = False,
    asks: bool = True,
) -> Intent:
    """What these flags, the scope that holds, and the caller of the connection come to.

    Asks the registry only where it has to: who an SSH key is the first time, and what a project is;
    without `asks` not even then, and what it would refuse is not known.
    Nothing is asked for what is anonymous; publish that with `connection.as_nobody()`. Raises
    UsageError for flags that contradict each other or the scope, UnauthorisedError when the
    credential is refused or missing, ConfigError for a scope that is none.
    """
    refuse_several(public=public, private=private, anonymous=anonymous)
    scope = "" if anonymous else scope_of(config)
    if anonymous or (scope == ANONYMOUS and not (public or private)):
        return Intent(kind=ANONYMOUS, visibility=PUBLIC)
    if "/" in scope:
        return _in_project(connection, scope, public=public, private=private, asks=asks)
    user = signed_in(connection) if asks else known_user(connection)
    wanted = PUBLIC if public else PRIVATE if private else "" if scope == ANONYMOUS else scope
    if user is None and wanted:
        by = f"--{wanted}" if public or private else f"the scope {wanted}"
        raise UnauthorisedError(
            f"{by} is in your name, and nobody is signed in at {connection.url}; sign in: roar"
            " login, or publish without a name: --anonymous"
        )
    if user is None:
        return Intent(kind=ANONYMOUS, visibility=PUBLIC)
    if wanted == PUBLIC:
        return Intent(kind=PUBLIC, visibility=PUBLIC, owner=user.words, owner_id=user.id)
    return Intent(
        kind=PRIVATE,
        visibility=PRIVATE,
        owner=user.words,
        owner_id=user.id,
        scope_request=_of_user(PRIVATE),
    )


def scope_of(config: Config) -> str:
    """The scope that is set: empty, one of WORDS, or `owner/project`. Raises ConfigError.

    Publishing for everybody is not for a file to ask that a checkout brings.
    """
    setting = config.setting("registry.scope")
    scope = checked_scope(str(setting.value), setting.origin)
    if scope in (PUBLIC, ANONYMOUS) and setting.origin in COMMITTED:
        raise ConfigError(
            f"{setting.origin}: registry.scope: a project's file cannot make your records public;"
            f" say so yourself: roar scope use {scope}"
        )
    return scope


def checked_scope(text: str, where: str) -> str:
    """A scope without blanks around it. Raises ConfigError for what is none."""
    scope = text.strip()
    if not scope or scope in WORDS or (_PROJECT_NAME.fullmatch(scope) and scope.isprintable()):
        return scope
    raise ConfigError(
        f"{where}: {scope[:100]!r} is no scope: it is anonymous, private, public or OWNER/PROJECT"
    )


def writable(account: Account, name: str) -> Project:
    """The project of this name, to publish to. Raises RoarError when it is not there, or not so."""
    found = next((project for project in account.projects if project.name == name), None)
    if found is None:
        raise RoarError(f"you see no project {name}; see: roar scope list")
    if not found.can_write:
        raise RoarError(f"you may read {name} and not publish to it; ask for the role of a writer")
    return found


def _in_project(
    connection: Connection, name: str, *, public: bool, private: bool, asks: bool
) -> Intent:
    user = known_user(connection)
    if user is None:
        raise UnauthorisedError(
            f"the scope {name} needs an account, and nobody is signed in at {connection.url}; sign"
            " in: roar login, or publish without a name: --anonymous"
        )
    if not asks:
        return Intent(kind=PROJECT, visibility="", owner=user.words, owner_id=user.id, project=name)
    account = account_of(connection)
    project = writable(account, name)
    is_public = project.visibility == PUBLIC
    if (public and not is_public) or (private and is_public):
        raise UsageError(
            f"--{PUBLIC if public else PRIVATE} contradicts the scope {name}, a"
            f" {project.visibility} project; leave it with: roar scope clear"
        )
    asked = {
        "owner_id": project.owner_id,
        "owner_type": project.owner_type,
        "visibility": project.visibility,
        "project_id": project.id,
    }
    return Intent(
        kind=PROJECT,
        visibility=project.visibility,
        owner=account.user.words,
        owner_id=account.user.id,
        project=name,
        scope_request=asked,
    )


def _of_user(visibility: str) -> dict[str, Any]:
    return {"owner_resolution": "current_user", "owner_type": "user", "visibility": visibility}
