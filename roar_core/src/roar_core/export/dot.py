"""Graphviz: steps are boxes, files are ellipses; what was read points at the step that read it."""

from __future__ import annotations

from typing import IO

from roar_core.export.facts import Graph, short, title
from roar_core.export.picture import arrows, called, files
from roar_core.lineage.dot import quoted


class Dot:
    """The language of Graphviz: dot -Tsvg, xdot, Gephi."""

    format = "dot"

    def write(self, graph: Graph, target: IO[bytes]) -> None:
        target.write(b'digraph lineage {\n  rankdir=LR;\n  node [fontname="sans-serif"];\n')
        for job in graph["jobs"]:
            colour = "" if job["state"] == "succeeded" else ", color=red"
            label = quoted(f"{called(job)} {short(title(job))}".strip())
            target.write(f"  j{job['uid']} [shape=box, label={label}{colour}];\n".encode())
        for node, label, tip in files(graph):
            text = f"  {node} [shape=ellipse, label={quoted(label)}, tooltip={quoted(tip)}];\n"
            target.write(text.encode())
        for start, end in arrows(graph):
            target.write(f"  {start} -> {end};\n".encode())
        target.write(b"}\n")
