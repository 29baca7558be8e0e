"""Where else a run was logged."""

from __future__ import annotations

import attrs


@attrs.frozen
class TrackerReference:
    """A run in a tracker; what is not known is None.

    `url` opens the run, so it is given only when all its parts are known; `host` is the tracker's
    server, e.g. `https://mlflow.example.org`. `run_id` is None when all that is known is which
    server was logged to. `title` is what people call the tracker, and the core fills it in.
    """

    tracker: str
    run_id: str | None = None
    project: str | None = None
    entity: str | None = None
    name: str | None = None
    url: str | None = None
    host: str | None = None
    title: str | None = None
