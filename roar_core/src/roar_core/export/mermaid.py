"""Mermaid, which GitHub, GitLab and many editors draw inside Markdown."""

from __future__ import annotations

from typing import IO

from roar_core.export.facts import Graph, short, title
from roar_core.export.picture import arrows, called, files


class Mermaid:
    """A Mermaid flowchart: Markdown on GitHub and GitLab, Notion, Obsidian."""

    format = "mermaid"

    def write(self, graph: Graph, target: IO[bytes]) -> None:
        target.write(b"flowchart LR\n")
        for job in graph["jobs"]:
            label = _quoted(f"{called(job)} {short(title(job))}".strip())
            failed = "" if job["state"] == "succeeded" else ":::failed"
            target.write(f"  j{job['uid']}[{label}]{failed}\n".encode())
        for node, label, _ in files(graph):
            target.write(f"  {node}([{_quoted(label)}])\n".encode())
        for start, end in arrows(graph):
            target.write(f"  {start} --> {end}\n".encode())
        target.write(b"  classDef failed stroke:#c00\n")


def _quoted(text: str) -> str:
    """A string in which nothing but letters and the like is itself: markup is not obeyed.

    `#60;` is how Mermaid writes a character by its number (mermaid.js.org, "Entity codes").
    """
    plain = " -_.,:/()[]=+@%~^"
    return '"' + "".join(c if c.isalnum() or c in plain else f"#{ord(c)};" for c in text) + '"'
