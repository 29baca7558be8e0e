"""From objects that were seen to pass to edges."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from roar_core.model.job import Edge, HashState

if TYPE_CHECKING:
    from roar_core.model.fragment import ObservedObject


def object_edges(objects: Iterable[ObservedObject]) -> tuple[tuple[Edge, ...], tuple[Edge, ...]]:
    """What was read and what was written, each distinct object once.

    An object's hash is known when all its bytes passed; its other digests are kept either way.
    """
    sides: dict[str, dict[object, Edge]] = {"input": {}, "output": {}}
    for found in objects:
        state: HashState = "exact" if "blake3" in found.digests else "unknown"
        edge = Edge(
            found.url,
            found.size,
            found.digests,
            "object",
            state,
            version=found.version,
            etag=found.etag,
            ranges=found.ranges,
        )
        sides[found.direction][(found.url, tuple(sorted(found.digests.items())))] = edge
    return tuple(sides["input"].values()), tuple(sides["output"].values())
