"""Where work goes in a registry: whose it becomes there, and who can see it."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen
class Destination:
    """A place in one registry.

    `owner` is how receipts call whose the work is there. `scope` is the `scope_request` that
    `finalize` gets; None is the protocol's word for anonymous, and for public with an account.
    `audience` ends the sentence "it can be seen by …".
    """

    registry: str
    owner: str
    visibility: str
    scope: dict[str, Any] | None
    name: str
    audience: str

    @property
    def is_anonymous(self) -> bool:
        return self.owner == "anonymous"

    @property
    def is_public(self) -> bool:
        return self.visibility == "public"
