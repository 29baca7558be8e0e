"""What somebody agreed to publish, and where: kept for the user, never in a project.

A checkout that comes with an answer to the question would not be the user's own consent. Publishing
for everybody is agreed to for one project: of another one, nobody has said so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roar_core.config.files import state_folder
from roar_core.config.own_files import locked, replace
from roar_core.registry.publishing.destination import Destination


class Consent:
    """The registries that the user publishes to, and for each which projects in public."""

    def __init__(self, path: Path | None, project: str) -> None:
        self._path = path
        self._project = project

    @classmethod
    def of(cls, environ: Mapping[str, str], project: str) -> Consent:
        """That of the user whose environment this is, about what `project`, a folder, holds."""
        folder = state_folder(environ)
        return cls(None if folder is None else folder / "published.json", project)

    def is_given(self, destination: Destination) -> bool:
        """Whether the user agreed before to publish to this registry, and as publicly."""
        public = self._read().get(destination.registry)
        return isinstance(public, list) and (not destination.is_public or self._project in public)

    def keep(self, destination: Destination) -> None:
        """Remember that the user agreed; where there is no home to write to, nothing is kept."""
        if self._path is None or self.is_given(destination):
            return
        try:
            with locked(self._path):
                agreed = self._read()
                before = agreed.get(destination.registry)
                public = before if isinstance(before, list) else []
                new = [self._project] if destination.is_public else []
                kept = agreed | {destination.registry: [*public, *new]}
                replace(self._path, json.dumps(kept, indent=1).encode())
        except OSError:  # then the question comes again
            return

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_bytes()) if self._path else {}
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}
