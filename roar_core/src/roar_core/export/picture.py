"""What the formats that draw a graph have in common: which nodes there are, and which arrows."""

from __future__ import annotations

from collections.abc import Iterator

from roar_core.export.facts import Edge, Graph, Job, names_of_artifacts, producers, short


def called(job: Job) -> str:
    """How a job is called in a picture: by its step, else by its uid's beginning."""
    return str(job["step"] or job["uid"][:8])


def node_of(edge: Edge, job: Job, side: str, place: int) -> str:
    """The name of an artifact's node; of one without hash a node of its own."""
    if edge["hash"]:
        return "a" + "".join(
            c if c.isalnum() and c.isascii() else f"_{ord(c)}_" for c in edge["hash"]
        )
    return f"u{job['uid']}_{side}_{place}"


def files(graph: Graph) -> Iterator[tuple[str, str, str]]:
    """Node, label and hash of every artifact, and of every file whose bytes are unknown."""
    names = names_of_artifacts(graph)
    for artifact in graph["artifacts"]:
        label = short(names.get(artifact["hash"], artifact["hash"]))
        yield node_of(artifact, artifact, "", 0), label, artifact["hash"]
    for job in graph["jobs"]:
        for side in ("inputs", "outputs"):
            for place, edge in enumerate(job[side]):
                if edge["hash"] is None:
                    yield node_of(edge, job, side, place), short(edge["path"]), "unknown bytes"


def arrows(graph: Graph) -> Iterator[tuple[str, str]]:
    """Pairs of nodes: a file and the job that read it, a job and the file it wrote.

    A job that wrote members of a dataset, or the dataset of a file, points at what was read of it.
    """
    written = {(job["uid"], edge["hash"]) for job in graph["jobs"] for edge in job["outputs"]}
    jobs = {job["uid"] for job in graph["jobs"]}
    for job in graph["jobs"]:
        node = f"j{job['uid']}"
        pairs: list[tuple[str, str]] = []
        for place, edge in enumerate(job["inputs"]):
            file = node_of(edge, job, "inputs", place)
            pairs.append((file, node))
            makers = [uid for uid in producers(edge) if uid in jobs]
            pairs += [(f"j{uid}", file) for uid in makers if (uid, edge["hash"]) not in written]
        for place, edge in enumerate(job["outputs"]):
            pairs.append((node, node_of(edge, job, "outputs", place)))
        pairs += [(f"j{uid}", node) for uid in job.get("needs", ()) if uid in jobs]
        if job["parent"] in jobs:
            pairs.append((f"j{job['parent']}", node))
        yield from dict.fromkeys(pairs)
