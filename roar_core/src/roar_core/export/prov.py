"""W3C PROV-JSON: artifacts are entities, jobs activities, roar the agent that recorded them.

Specification: w3.org/submissions/prov-json and w3.org/TR/prov-dm. What was read or written without
its hash being known is an entity of its own, since nobody can say what it equals.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any
from urllib.parse import quote

from roar_core.export.facts import TOOL, Edge, Graph, Job, producers, title, uuid_of
from roar_core.export.json_text import Pairs, write_json

Pair = tuple[str, dict[str, Any]]


class Prov:
    """W3C PROV-JSON: provenance stores and the `prov` library."""

    format = "prov-json"

    def write(self, graph: Graph, target: IO[bytes]) -> None:
        sections = {
            "prefix": {
                "roar": "urn:roar:",
                "artifact": "urn:roar:artifact:",
                "unhashed": "urn:roar:unhashed:",
                "job": "urn:uuid:",
            },
            "agent": {
                "roar:core": {
                    "prov:type": {"$": "prov:SoftwareAgent", "type": "prov:QUALIFIED_NAME"},
                    "prov:label": TOOL.removeprefix("urn:").replace(":", " "),
                }
            },
            "entity": Pairs(_entities(graph)),
            "activity": Pairs(_activities(graph)),
            "used": Pairs(_used(graph)),
            "wasGeneratedBy": Pairs(_generated(graph)),
            "wasInformedBy": Pairs(_informed(graph)),
            "wasAssociatedWith": Pairs(_associated(graph)),
        }
        write_json(sections, target)


def _entities(graph: Graph) -> Iterator[Pair]:
    for artifact in graph["artifacts"]:
        yield (
            _name(artifact["hash"]),
            {
                "prov:label": artifact["hash"],
                "roar:size": _integer(artifact["size"]),
                "roar:kind": artifact["kind"],
            },
        )
    for job in graph["jobs"]:
        for side in ("inputs", "outputs"):
            for place, edge in enumerate(job[side]):
                if edge["hash"] is None:
                    yield _unhashed(job, side, place), {"prov:label": edge["path"]}


def _activities(graph: Graph) -> Iterator[Pair]:
    for job in graph["jobs"]:
        fields = {
            "prov:startTime": job["started_at"],
            "prov:label": title(job),
            "roar:command": job["command"],
            "roar:cwd": job["cwd"],
            "roar:state": job["state"],
            "roar:coverage": job["coverage"]["state"],
        }
        if job["ended_at"]:
            fields["prov:endTime"] = job["ended_at"]
        if job["hash"]:
            fields["roar:hash"] = job["hash"]
        if job["git"]["commit"]:
            fields["roar:commit"] = job["git"]["commit"]
        if job["exit_code"] is not None:
            fields["roar:exitCode"] = _integer(job["exit_code"])
        yield _job(job), {name: value for name, value in fields.items() if value != []}


def _used(graph: Graph) -> Iterator[Pair]:
    for job in graph["jobs"]:
        for place, edge in enumerate(job["inputs"]):
            entity = _entity(job, "inputs", place, edge)
            yield (
                f"_:u{job['uid']}-{place}",
                {"prov:activity": _job(job), "prov:entity": entity, "roar:path": edge["path"]},
            )


def _generated(graph: Graph) -> Iterator[Pair]:
    for job in graph["jobs"]:
        for place, edge in enumerate(job["outputs"]):
            fields = {
                "prov:entity": _entity(job, "outputs", place, edge),
                "prov:activity": _job(job),
                "roar:path": edge["path"],
            }
            if job["ended_at"]:
                fields["prov:time"] = job["ended_at"]
            yield f"_:g{job['uid']}-{place}", fields


def _informed(graph: Graph) -> Iterator[Pair]:
    for job in graph["jobs"]:
        makers = {uid for edge in job["inputs"] for uid in producers(edge)} | {
            *job.get("needs", ()),
            job["parent"],
        }
        for maker in sorted(filter(None, makers)):
            yield (
                f"_:i{job['uid']}-{maker}",
                {"prov:informed": _job(job), "prov:informant": _job({"uid": maker})},
            )


def _associated(graph: Graph) -> Iterator[Pair]:
    for job in graph["jobs"]:
        yield f"_:a{job['uid']}", {"prov:activity": _job(job), "prov:agent": "roar:core"}


def _entity(job: Job, side: str, place: int, edge: Edge) -> str:
    return _name(edge["hash"]) if edge["hash"] else _unhashed(job, side, place)


def _name(artifact: str) -> str:
    # In the local part of a qualified name a colon would have to be escaped.
    algorithm, _, value = artifact.partition(":")
    return f"artifact:{algorithm}-{quote(value, safe='').replace('%', '-')}"


def _unhashed(job: Job, side: str, place: int) -> str:
    return f"unhashed:{job['uid']}-{side}-{place}"


def _job(job: Job) -> str:
    return f"job:{uuid_of(job)}"


def _integer(number: int) -> dict[str, str]:
    return {"$": str(number), "type": "xsd:long"}
