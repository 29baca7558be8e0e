"""The graph of a session, told to a person: a line for each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from roar_core.cli import output, wording

if TYPE_CHECKING:
    from roar_core.lineage.dag import Node, Source

_SOURCE_LIMIT = 6
# A column no wider than this, so that one long command does not push every other line aside.
_TITLE_WIDTH = 44


def step_lines(
    nodes: Sequence[Node],
    labels: Sequence[str],
    uids: Mapping[int, str],
    tasks: Mapping[str, int],
    *,
    exact: bool = False,
) -> list[str]:
    """`✓ @2  train.py  2 in  1 out  ← @1` for each node, columns aligned.

    `labels` are what the nodes are called. `uids` names the sources of other sessions, `tasks`
    counts those below a job, by its uid. `exact` names attempts: `@2.1`.
    """
    terminal = wording.columns()
    room = None if terminal is None else max(16, min(_TITLE_WIDTH, terminal - 40))
    titles = [
        wording.fit(wording.title(node.shown.name, node.shown.command), room) for node in nodes
    ]
    title_width = min(_TITLE_WIDTH, max(map(wording.display_width, titles), default=0))
    step_width = max(map(len, labels), default=0)
    arrow = output.symbol("←", "<-")
    return [
        f"{wording.mark(node.shown.state)} {output.style(step.ljust(step_width), 'bold')}"
        f"  {wording.pad(title, title_width)}"
        f"  {node.shown.inputs:>3} in  {node.shown.outputs:>3} out"
        f"{f'  {arrow} {_sources(node, uids, exact)}' if node.sources else ''}"
        f"{_remarks(node, uids, tasks.get(node.shown.uid, 0), exact)}"
        for node, step, title in zip(nodes, labels, titles, strict=True)
    ]


def reference(source: Source, uids: Mapping[int, str], *, exact: bool = False) -> str:
    """What `roar show` calls a source: `@1`, `@1.2` when that attempt is superseded, or a uid."""
    if source.place is None:
        return uids[source.job]
    return source.place.exact if exact or source.is_superseded else str(source.place)


def _sources(node: Node, uids: Mapping[int, str], exact: bool) -> str:
    sources = node.sources
    shown = sources if len(sources) <= _SOURCE_LIMIT + 1 else sources[:_SOURCE_LIMIT]
    names = " ".join(_short(source, uids, exact) for source in shown)
    left = len(sources) - len(shown)
    return f"{names} {output.symbol('…', '...')} and {left:,} more" if left else names


def _short(source: Source, uids: Mapping[int, str], exact: bool) -> str:
    return wording.short_label(reference(source, uids, exact=exact))


def _remarks(node: Node, uids: Mapping[int, str], tasks: int, exact: bool) -> str:
    """What a reader must not miss about a step."""
    remarks = [wording.count(tasks, "task")] if tasks else []
    if node.shown.state not in ("succeeded", "running"):
        remarks.append(wording.ending(node.shown.state, node.shown.exit_code, node.shown.signal))
    if not node.shown.is_complete:
        remarks.append("partial")
    if node.newest.id != node.shown.id and not exact:
        remarks.append(
            f"attempt {node.newest.place.attempt if node.newest.place else ''} {node.newest.state}"
        )
    superseded = [_short(source, uids, exact) for source in node.sources if source.is_superseded]
    if superseded:
        remarks.append(f"{' '.join(superseded[:3])} superseded")
    registry = wording.registry_in(node.shown.origin)
    where = f"  {output.style(f'at {registry}', 'dim')}" if registry else ""
    return "".join(f"  {output.style(remark, 'yellow')}" for remark in remarks) + where
