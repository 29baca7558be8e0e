"""Inputs and outputs, told to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from roar_core.cli import output, wording

if TYPE_CHECKING:
    from roar_core.model.job import Edge
    from roar_core.project import Project

EDGE_LIMIT = 12
_NAME_WIDTH = 60
_REMARKS = {
    "before_change": "  as it was before the job changed it",
    "unknown": "  changed before it could be hashed",
}


def edge_lines(
    edges: Sequence[Edge], project: Project, steps: Mapping[str, str], *, limit: int | None
) -> list[str]:
    """A line for each edge: path, size, hash, the step that made the bytes; the rest is counted.

    `steps` names jobs by uid; a job it does not know is called by its uid. `limit` None shows all.
    """
    # What belongs to the project comes first: the rest is mostly the machine's.
    edges = sorted(edges, key=lambda edge: (project.relative(edge.path) is None, edge.path))
    shown = edges if limit is None or len(edges) <= limit + 1 else edges[:limit]
    terminal = wording.columns()
    room = None if terminal is None else max(20, terminal - 50)
    names = [wording.fit(project.relative(edge.path) or edge.path, room) for edge in shown]
    width = min(_NAME_WIDTH, max(map(wording.display_width, names), default=0))
    lines = [
        f"{wording.pad(name, width)}  {wording.size(edge.size):>7}"
        f"  {output.style(wording.short_hash(edge.hash), 'dim')}{_origin(edge, steps)}"
        f"{_REMARKS.get(edge.hash_state, '')}"
        for name, edge in zip(names, shown, strict=True)
    ]
    if len(shown) < len(edges):
        lines.append(f"{output.symbol('…', '...')} and {len(edges) - len(shown):,} more: --all")
    return lines


def _origin(edge: Edge, steps: Mapping[str, str]) -> str:
    if edge.producer is None:
        return ""
    name = steps.get(edge.producer) or wording.short_uid(edge.producer)
    return f"  {output.symbol('←', '<-')} {name}"
