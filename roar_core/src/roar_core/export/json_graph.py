"""The graph as it is: docs/json.md, "graph". `roar import` reads it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from roar_core.export.json_text import write_json


class JsonGraph:
    """roar's own open format, from which all others are made."""

    format = "json"

    def write(self, graph: Mapping[str, Any], target: IO[bytes]) -> None:
        write_json(graph, target)
