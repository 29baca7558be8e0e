"""Where work goes in a registry: whose it becomes there, and who can see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from roar_core.config.layers import Config
from roar_core.registry.connection import Connection
from roar_core.registry.scopes import ANONYMOUS, PUBLIC, Intent, intent_of

EVERYBODY = "everybody"


@attrs.frozen
class Destination:
    """A place in one registry.

    `owner` is how receipts call whose the work is there; `visibility` is empty where it is not
    known. `scope` is the `scope_request` that
    `finalize` gets; None is the protocol's word for anonymous, and for public with an account.
    `audience` is who can see it then.
    """

    registry: str
    owner: str
    visibility: str
    scope: Mapping[str, Any] | None
    words: str
    audience: str

    @property
    def place(self) -> tuple[str, str]:
        """Registry and owner, under which receipts are kept."""
        return self.registry, self.owner

    @property
    def is_anonymous(self) -> bool:
        return self.owner == ANONYMOUS

    @property
    def is_public(self) -> bool:
        return self.visibility == PUBLIC


@attrs.frozen
class Flags:
    """The options that say in whose name something is published, and for whom."""

    public: bool = False
    private: bool = False
    anonymous: bool = False


def destination_of(connection: Connection, config: Config, flags: Flags) -> Destination:
    """Where these flags and the scope that holds lead; may ask the registry: see `intent_of`."""
    intent = intent_of(connection, config, **attrs.asdict(flags))
    return _place(connection.url, intent)


def planned_destination(connection: Connection, config: Config, flags: Flags) -> Destination:
    """The same as far as can be told without asking: a project's visibility is not known here."""
    intent = intent_of(connection, config, **attrs.asdict(flags), asks=False)
    return _place(connection.url, intent)


def _place(url: str, intent: Intent) -> Destination:
    if intent.is_anonymous:
        owner = ANONYMOUS
    elif intent.project:
        owner = f"project:{intent.project}"
    else:
        owner = f"user:{intent.owner}"
    if intent.is_public:
        audience = EVERYBODY
    elif intent.project:
        audience = f"those who may see {intent.project}"
    else:
        audience = intent.owner or "you"
    return Destination(
        registry=url,
        owner=owner,
        visibility=intent.visibility,
        scope=intent.scope_request,
        words=intent.words,
        audience=audience,
    )
