"""A graph as a flowchart of Mermaid (https://mermaid.js.org/syntax/flowchart.html).

Mermaid reads a label three times over: as its own syntax, as Markdown, as HTML. So only letters,
digits, blanks and what cannot begin anything in any of the three stand for themselves; the rest is
written as Mermaid's entity codes (`#34;`), which it puts back when the label is drawn. Checked with
Mermaid 11.17 in a browser, with the texts of test_drawings.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from roar_core.lineage.graph import Graph, GraphEdge, GraphNode, legible

# kind -> what stands before and after the quoted label, which draws the shape
_SHAPES = {
    "job": ("(", ")"),
    "other": ("(", ")"),
    "tasks": ("[[", "]]"),
    "artifact": ("[", "]"),
    "dataset": ("[(", ")]"),
}
_CLASSES = (
    "classDef other stroke-dasharray: 4 3",
    "classDef failed stroke:#b3261e",
    "classDef interrupted stroke:#8a5a00",
    "classDef running stroke:#1a5fb4",
)
# Inside of words `.`, `-` and `=` begin no list, no rule and no heading of Markdown; `a@b` and
# `www.` would become links.
_SPECIAL = re.compile(
    r"[^\w ,/=@.-]|_|(?<![0-9A-Za-z])[.=-]|[.=-](?![0-9A-Za-z])|(?<=\w)@|(?<=[wW])\.|(?<!\S) "
)


def mermaid_lines(graph: Graph) -> Iterator[str]:
    """The lines of a Mermaid document; any text may stand in `graph`.

    Ids of nodes are letters and digits, and no keyword of Mermaid such as `end`.
    """
    yield "flowchart LR"
    for node in graph.nodes:
        yield f"  {_node(node)}"
    for edge in graph.edges:
        yield f"  {edge.source} {_arrow(edge)} {edge.target}"
    for line in _CLASSES:
        yield f"  {line}"


def quoted(text: str) -> str:
    """`text` as a label in quotation marks that reads as just that text when it is drawn.

    But for a backslash before an n, which Mermaid 11 draws as a line's end however it is written.
    """
    text = text or " "  # an empty label is a syntax error
    return f'"{_SPECIAL.sub(lambda found: f"#{ord(found[0])};", legible(text))}"'


def _node(node: GraphNode) -> str:
    before, after = _SHAPES[node.kind]
    label = "<br/>".join(quoted(line)[1:-1] for line in node.lines)
    look = node.kind if node.kind == "other" else node.state
    known = any(line.startswith(f"classDef {look} ") for line in _CLASSES) and look
    return f'{node.id}{before}"{label}"{after}{f":::{look}" if known else ""}'


def _arrow(edge: GraphEdge) -> str:
    line = "-.->" if edge.is_superseded else "-->"
    return f"{line}|{quoted(edge.label)}|" if edge.label else line
