"""Mermaid, which GitHub, GitLab and many editors draw inside Markdown."""

from __future__ import annotations

from typing import IO

from roar_core.export.facts import Graph, short, title
from roar_core.export.picture import arrows, called, files
from roar_core.lineage.mermaid import quoted


class Mermaid:
    """A Mermaid flowchart: Markdown on GitHub and GitLab, Notion, Obsidian."""

    format = "mermaid"

    def write(self, graph: Graph, target: IO[bytes]) -> None:
        target.write(b"flowchart LR\n")
        for job in graph["jobs"]:
            label = quoted(f"{called(job)} {short(title(job))}".strip())
            failed = "" if job["state"] == "succeeded" else ":::failed"
            target.write(f"  j{job['uid']}[{label}]{failed}\n".encode())
        for node, label, _ in files(graph):
            target.write(f"  {node}([{quoted(label)}])\n".encode())
        for start, end in arrows(graph):
            target.write(f"  {start} --> {end}\n".encode())
        target.write(b"  classDef failed stroke:#c00\n")
