"""RO-Crate: the metadata document of a Process Run Crate, of the Workflow Run RO-Crate family.

Specification: w3id.org/ro/crate/1.1 and w3id.org/ro/wfrun/process/0.5, the profile for tools that
ran without a workflow engine. The crate describes files and holds none: they are named by hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from roar_core.export.facts import Edge, Graph, Job, names_of_artifacts, short, title, urn, uuid_of
from roar_core.export.json_text import write_json

_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_CRATE = "https://w3id.org/ro/crate/1.1"
_STATUS = {"succeeded": "CompletedActionStatus"}
Entity = dict[str, Any]


class RoCrate:
    """RO-Crate (Process Run Crate), its ro-crate-metadata.json: WorkflowHub, Zenodo, rocrate."""

    format = "ro-crate"

    def write(self, graph: Graph, target: IO[bytes]) -> None:
        document = {
            "@context": f"{_CRATE}/context",
            "@graph": _entities(graph),
        }
        write_json(document, target)


def _entities(graph: Graph) -> Iterator[Entity]:
    names = names_of_artifacts(graph)
    yield {
        "@id": "ro-crate-metadata.json",
        "@type": "CreativeWork",
        "conformsTo": {"@id": _CRATE},
        "about": {"@id": "./"},
    }
    yield _root(graph)
    yield {"@id": _PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    yield {
        "@id": "#not-licensed",
        "@type": "CreativeWork",
        "name": "No licence is recorded",
        "description": "roar records what was read and written, not under which terms.",
    }
    programs: dict[str, None] = {}
    for job in graph["jobs"]:
        if (program := _program(job)) not in programs:
            programs[program] = None
            yield {"@id": program, "@type": "SoftwareApplication", "name": _program_name(job)}
        yield _action(job)
        yield from _unhashed(job)
    for artifact in graph["artifacts"]:
        yield _file(artifact, names.get(artifact["hash"], artifact["hash"]))


def _root(graph: Graph) -> Entity:
    times = [job["ended_at"] or job["started_at"] for job in graph["jobs"]]
    times += [artifact["first_seen_at"] for artifact in graph["artifacts"]]
    parts = [urn(artifact["hash"]) for artifact in graph["artifacts"]]
    parts += [entity["@id"] for job in graph["jobs"] for entity in _unhashed(job)]
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Lineage of {graph['root']['kind']} {graph['root']['id']}",
        "description": "What was run, and what it read and wrote, as roar recorded it.",
        "datePublished": max(times, default="1970-01-01T00:00:00Z"),
        "license": {"@id": "#not-licensed"},
        "conformsTo": {"@id": _PROFILE},
        "hasPart": [{"@id": part} for part in parts],
        "mentions": [{"@id": f"#{uuid_of(job)}"} for job in graph["jobs"]],
    }


def _program_name(job: Job) -> str:
    return short(job["command"][0]) if job["command"] else "nothing"


def _program(job: Job) -> str:
    from urllib.parse import quote

    return f"#program-{quote(_program_name(job), safe='')}"


def _action(job: Job) -> Entity:
    action: Entity = {
        "@id": f"#{uuid_of(job)}",
        "@type": "CreateAction",
        "name": short(title(job), 200),
        "description": " ".join(job["command"]),
        "instrument": {"@id": _program(job)},
        "startTime": job["started_at"],
        "actionStatus": {
            "@id": f"http://schema.org/{_STATUS.get(job['state'], 'FailedActionStatus')}"
        },
        "object": [{"@id": _id(job, "inputs", n, e)} for n, e in enumerate(job["inputs"])],
        "result": [{"@id": _id(job, "outputs", n, e)} for n, e in enumerate(job["outputs"])],
    }
    if job["ended_at"]:
        action["endTime"] = job["ended_at"]
    if job["state"] != "succeeded":
        action["error"] = job["signal"] or f"exit code {job['exit_code']}"
    return action


def _id(job: Job, side: str, place: int, edge: Edge) -> str:
    return urn(edge["hash"]) if edge["hash"] else f"urn:roar:unhashed:{job['uid']}-{side}-{place}"


def _unhashed(job: Job) -> Iterator[Entity]:
    for side in ("inputs", "outputs"):
        for place, edge in enumerate(job[side]):
            if edge["hash"] is None:
                yield {
                    "@id": _id(job, side, place, edge),
                    "@type": "File",
                    "name": short(edge["path"], 200),
                    "description": "It changed before it could be hashed.",
                    "contentSize": str(edge["size"]),
                }


def _file(artifact: Edge, name: str) -> Entity:
    return {
        "@id": urn(artifact["hash"]),
        "@type": "Dataset" if artifact["kind"] == "composite" else "File",
        "name": short(name, 200),
        "alternateName": artifact["hash"],
        "contentSize": str(artifact["size"]),
    }
