"""A graph in DOT, the language of Graphviz (https://graphviz.org/doc/info/lang.html)."""

from __future__ import annotations

from collections.abc import Iterator

from roar_core.lineage.graph import Graph, GraphEdge, GraphNode, legible

_LOOKS = {
    "job": "shape=box style=rounded",
    "other": 'shape=box style="rounded,dashed" fontcolor="#606060"',
    "tasks": "shape=box style=dotted",
    "artifact": "shape=note fontsize=10",
    "dataset": "shape=cylinder fontsize=10",
}
_COLOURS = {"failed": "#b3261e", "interrupted": "#8a5a00", "running": "#1a5fb4"}


def dot_lines(graph: Graph, name: str = "roar") -> Iterator[str]:
    """The lines of a DOT document; any text may stand in `graph` and in `name`."""
    yield f"digraph {quoted(name)} {{"
    yield '  graph [rankdir=LR fontname="sans-serif"]'
    yield '  node [fontname="sans-serif" fontsize=11]'
    yield '  edge [fontname="sans-serif" fontsize=9]'
    for node in graph.nodes:
        yield f"  {quoted(node.id)} [{_node(node)}]"
    for edge in graph.edges:
        yield f"  {quoted(edge.source)} -> {quoted(edge.target)}{_edge(edge)}"
    yield "}"


def quoted(text: str) -> str:
    """`text` as a string of DOT, in which nothing is an escape, an entity or a line's end."""
    # In a label a backslash begins an escape (\\N is the node's name) and & an entity of HTML.
    text = legible(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text.replace("&", "&amp;")}"'


def _node(node: GraphNode) -> str:
    label = "\\n".join(quoted(line)[1:-1] for line in node.lines)
    colour = _COLOURS.get(node.state)
    look = f'{_LOOKS[node.kind]} color="{colour}"' if colour else _LOOKS[node.kind]
    return f'label="{label}" {look}'


def _edge(edge: GraphEdge) -> str:
    attributes = [f"label={quoted(edge.label)}"] if edge.label else []
    attributes += ["style=dashed"] if edge.is_superseded else []
    return f" [{' '.join(attributes)}]" if attributes else ""
