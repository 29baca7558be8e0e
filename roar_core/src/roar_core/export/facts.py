"""What several formats say about a graph in the same words."""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from roar_core import __version__

Graph = Mapping[str, Any]
Job = Mapping[str, Any]
Edge = Mapping[str, Any]

# What this tool is called where a format wants a URI. No address on the web is promised.
TOOL = f"urn:roar-core:{__version__}"


def title(job: Job) -> str:
    """The name given to a job, else its command line."""
    return str(job["name"] or shlex.join(job["command"]))


def short(text: str, most: int = 60) -> str:
    """`text` without control characters, cut where it gets long."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def uuid_of(job: Job) -> str:
    """A job's uid as other tools write 128 bits."""
    return str(uuid.UUID(hex=job["uid"]))


def producers(edge: Edge) -> list[str]:
    """The uids of all jobs that made what was read."""
    return [uid for uid in (edge["producer"], *edge["further_producers"]) if uid]


def urn(name: str) -> str:
    """An artifact's hash as a URI: `urn:blake3:<hex>`."""
    from urllib.parse import quote

    algorithm, _, value = name.partition(":")
    return f"urn:{algorithm}:{quote(value, safe='')}"


def root_artifacts(graph: Graph) -> Iterator[Edge]:
    """The outputs that the graph is about, each name once: an artifact, or what its jobs wrote.

    Of an artifact that no job made there is none.
    """
    root = graph["root"]
    seen: set[tuple[str, str]] = set()
    for job in graph["jobs"]:
        if root["kind"] == "job" and job["uid"] != root["id"]:
            continue
        if root["kind"] == "session" and job["session"] != root["id"]:
            continue
        for edge in job["outputs"]:
            if edge["hash"] is None or (root["kind"] == "artifact" and edge["hash"] != root["id"]):
                continue
            if (edge["path"], edge["hash"]) not in seen:
                seen.add((edge["path"], edge["hash"]))
                yield edge


def names_of_artifacts(graph: Graph) -> dict[str, str]:
    """The path each artifact was written to last, else read from, by hash."""
    read: dict[str, str] = {}
    written: dict[str, str] = {}
    for job in graph["jobs"]:
        read |= {edge["hash"]: edge["path"] for edge in job["inputs"] if edge["hash"]}
        written |= {edge["hash"]: edge["path"] for edge in job["outputs"] if edge["hash"]}
    return read | written


def namespace(job: Job) -> str:
    """Whose work it is: the repository that the code came from, where one is recorded."""
    return str(job["git"]["remote"] or "roar")
