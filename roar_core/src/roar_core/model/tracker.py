"""Where else a run was logged."""

from __future__ import annotations

import attrs


@attrs.frozen
class TrackerReference:
    """A run in a tracker; `url` only when host, entity, project and id are all known."""

    tracker: str
    run_id: str
    project: str | None = None
    entity: str | None = None
    name: str | None = None
    url: str | None = None
