"""Who asks: the one value that every handler decides by."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import attrs

NOBODY = 0
"""The id of the owner that is nobody known: of all that is registered anonymously."""


class Role(IntEnum):
    """What one may do with a project, or with all that an owner has; each includes the last."""

    READER = 1
    WRITER = 2
    ADMIN = 3


@attrs.frozen(kw_only=True)
class Caller:
    """Somebody who asks, as far as credentials told.

    `owner_id` is the owner that they are themselves. `owners` are the owners all of whose sessions
    they may read, themselves and the organisations they belong to; `projects` the single projects
    of others. `is_operator` may look after accounts, and sees no more than anybody else.
    """

    owner_id: int = NOBODY
    name: str = ""
    is_operator: bool = False
    owners: Mapping[int, Role] = attrs.field(factory=dict)
    projects: Mapping[int, Role] = attrs.field(factory=dict)

    @property
    def is_known(self) -> bool:
        """Whether they have signed in."""
        return self.owner_id != NOBODY

    def role(self, owner_id: int, project_id: int | None) -> Role | None:
        """What they may do with what an owner, or one of its projects, has; None: nothing."""
        of_project = None if project_id is None else self.projects.get(project_id)
        return max(filter(None, (self.owners.get(owner_id), of_project)), default=None)

    def may_write(self, owner_id: int, project_id: int | None) -> bool:
        """Whether they may add to what an owner, or one of its projects, has."""
        role = self.role(owner_id, project_id)
        return role is not None and role >= Role.WRITER


ANYBODY = Caller()
"""Somebody without credentials."""
