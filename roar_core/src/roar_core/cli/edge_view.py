"""Inputs and outputs, told to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from roar_core.cli import output, wording
from roar_core.identity import is_on_a_node

if TYPE_CHECKING:
    from roar_core.model.composite import CompositeUse
    from roar_core.model.job import Edge
    from roar_core.project import Project

EDGE_LIMIT = 12
_NAME_WIDTH = 60
_MAKERS_LIMIT = 3
_REMARKS = {
    "before_change": "  as it was before the job changed it",
    "unknown": "  changed before it could be hashed",
}


def edge_lines(
    edges: Sequence[Edge],
    project: Project,
    steps: Mapping[str, str],
    *,
    limit: int | None,
    declared: bool = False,
) -> list[str]:
    """A line for each edge: path, size, hash, the step that made the bytes; the rest is counted.

    `steps` names jobs by uid; a job it does not know is called by its uid. `limit` None shows all.
    `declared` ones were not observed.
    """
    # What belongs to the project comes first: the rest is mostly the machine's.
    edges = sorted(edges, key=lambda edge: (project.relative(edge.path) is None, edge.path))
    shown = edges if limit is None or len(edges) <= limit + 1 else edges[:limit]
    terminal = wording.columns()
    room = None if terminal is None else max(20, terminal - 50)
    names = [wording.fit(_name(edge, project), room) for edge in shown]
    width = min(_NAME_WIDTH, max(map(wording.display_width, names), default=0))
    lines = [
        f"{wording.pad(name, width)}  {wording.size(edge.size):>7}"
        f"  {output.style(wording.short_hash(edge.hash), 'dim')}{_origin(edge, steps)}"
        f"{_members(edge)}{_remark(edge, declared=declared)}"
        for name, edge in zip(names, shown, strict=True)
    ]
    if len(shown) < len(edges):
        lines.append(f"{output.symbol('…', '...')} and {len(edges) - len(shown):,} more: --all")
    return lines


def composite_words(use: CompositeUse) -> str:
    """`zarr, 2 of 100 members`: what kind of dataset, and how much of it was touched."""
    members = (
        "more members than were counted" if use.members is None else f"{use.members:,} members"
    )
    if use.touched == use.members:
        return f"{use.layout}, {members}"
    words = f"{use.layout}, {use.touched:,} of {members}"
    return words if use.is_whole else f"{words}; the hash is of those alone"


def _remark(edge: Edge, *, declared: bool) -> str:
    if declared:
        return "  declared, not observed"
    if edge.hash_state == "unknown" and is_on_a_node(edge.path):
        return "  not hashed on its node"
    if edge.hash_state == "unknown" and edge.kind == "object":
        return f"  {read_words(edge) or 'not all of its bytes were seen'}"
    return _REMARKS.get(edge.hash_state, "")


def _name(edge: Edge, project: Project) -> str:
    return (project.relative(edge.path) or edge.path) + ("/" if edge.composite else "")


def _members(edge: Edge) -> str:
    return f"  {composite_words(edge.composite)}" if edge.composite else ""


def read_words(edge: Edge) -> str:
    """`4.2 kB of it was read`, of an object that was not read whole; else nothing."""
    read = sum(end - first for first, end in edge.ranges)
    return f"{wording.size(read).strip()} of it was read" if edge.ranges else ""


def _origin(edge: Edge, steps: Mapping[str, str]) -> str:
    makers = [uid for uid in (edge.producer, *edge.further_producers) if uid is not None]
    if not makers:
        return ""
    names = [steps.get(uid) or wording.short_uid(uid) for uid in makers[:_MAKERS_LIMIT]]
    if len(makers) > _MAKERS_LIMIT:
        names.append(f"and {len(makers) - _MAKERS_LIMIT} more")
    return f"  {output.symbol('←', '<-')} {', '.join(names)}"
