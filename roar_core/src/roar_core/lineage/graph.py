"""A graph to be drawn, as plain values: what `mermaid`, `dot` and the page are written from.

Whoever has nodes and edges can have them drawn: `roar dag` and the exporters make theirs apart.
"""

from __future__ import annotations

import os
from typing import Literal, NamedTuple

# job: a step or an attempt; other: a job that is read from and is no step here; tasks: those of one
# name below a job; artifact: bytes; dataset: a composite.
Kind = Literal["job", "other", "tasks", "artifact", "dataset"]


class GraphNode(NamedTuple):
    """A node. `id` is letters and digits; `lines` are what is written in it, the heading first.

    `state` is a job's (`succeeded`, `failed` …), empty for everything else.
    """

    id: str
    kind: Kind
    lines: tuple[str, ...]
    state: str = ""


class GraphEdge(NamedTuple):
    """What passed from `source` to `target`, the ids of nodes. `is_superseded`: old bytes did."""

    source: str
    target: str
    label: str = ""
    is_superseded: bool = False


class Graph(NamedTuple):
    """Nodes in the order of the session, and what ties them."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]


def legible(text: str) -> str:
    """`text` in which nothing is invisible or turns the rest around: such characters are escaped.

    Undecodable bytes read `\\xff`. The result encodes to UTF-8.
    """
    return text if text.isprintable() else "".join(map(_legible, text))


def _legible(character: str) -> str:
    if character.isprintable():
        return character
    if 0xDC80 <= ord(character) <= 0xDCFF:
        return f"\\x{os.fsencode(character)[0]:02x}"
    return character.encode("unicode_escape").decode("ascii")
