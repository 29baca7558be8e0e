"""CycloneDX 1.6, an ML-BOM: data and models as components, jobs as the tasks of a formula.

Specification: cyclonedx.org/docs/1.6/json. What an artifact depends on are the inputs of the jobs
that made it, and the packages they imported.
"""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Iterator
from typing import IO, Any
from urllib.parse import quote

from roar_core import __version__
from roar_core.export.facts import (
    Edge,
    Graph,
    Job,
    names_of_artifacts,
    producers,
    root_artifacts,
    title,
    urn,
    uuid_of,
)
from roar_core.export.json_text import write_json

_ALGORITHMS = {
    "blake3": "BLAKE3",
    "sha256": "SHA-256",
    "sha512": "SHA-512",
    "sha1": "SHA-1",
    "md5": "MD5",
}
# What people keep trained models in; everything else is data.
_MODELS = (
    *(".safetensors", ".ckpt", ".pt", ".pth", ".onnx", ".gguf", ".keras", ".h5", ".tflite"),
    *(".pkl", ".joblib", ".mlmodel", ".pb", ".engine", ".xgb"),
)


class CycloneDx:
    """CycloneDX 1.6 ML-BOM: Dependency-Track and other inventories."""

    format = "cyclonedx"

    def write(self, graph: Graph, target: IO[bytes]) -> None:
        names = names_of_artifacts(graph)
        document = {
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, urn_of_root(graph))}",
            "version": 1,
            "metadata": {
                "tools": {
                    "components": [
                        {"type": "application", "name": "roar-core", "version": __version__}
                    ]
                },
                "component": _about(graph, names),
            },
            "components": _components(graph, names),
            "dependencies": _dependencies(graph),
            "formulation": [
                {
                    "bom-ref": "formula",
                    "workflows": [
                        {
                            "bom-ref": "workflow",
                            "uid": graph["root"]["id"],
                            "taskTypes": ["build"],
                            "tasks": (_task(job) for job in graph["jobs"]),
                        }
                    ],
                }
            ],
        }
        write_json(document, target)


def urn_of_root(graph: Graph) -> str:
    """The name of what the graph is about, as a URI."""
    return f"urn:roar:{graph['root']['kind']}:{graph['root']['id']}"


def _about(graph: Graph, names: dict[str, str]) -> dict[str, Any]:
    """What the inventory is of: the one artifact asked for, else all that was made."""
    found = next(root_artifacts(graph), None)
    if graph["root"]["kind"] == "artifact" and found is not None:
        return _component(found, names) | {"bom-ref": "root"}
    return {
        "type": "application",
        "bom-ref": "root",
        "name": f"{graph['root']['kind']} {graph['root']['id']}",
    }


def _components(graph: Graph, names: dict[str, str]) -> Iterator[dict[str, Any]]:
    for artifact in graph["artifacts"]:
        yield _component(artifact, names)
    seen: set[str] = set()
    for job in graph["jobs"]:
        for reference, name, version in _packages(job):
            if reference not in seen:
                seen.add(reference)
                yield {
                    "type": "library",
                    "bom-ref": reference,
                    "name": name,
                    "version": version,
                    "purl": reference,
                }


def _component(artifact: Edge, names: dict[str, str]) -> dict[str, Any]:
    name = names.get(artifact["hash"], artifact["hash"])
    algorithm, _, value = artifact["hash"].partition(":")
    is_model = str(name).lower().endswith(_MODELS)
    component: dict[str, Any] = {
        "type": "machine-learning-model" if is_model else "data",
        "bom-ref": urn(artifact["hash"]),
        "name": name,
        "version": artifact["hash"],
        "properties": [
            {"name": "roar:size", "value": str(artifact["size"])},
            {"name": "roar:kind", "value": artifact["kind"]},
        ],
    }
    if not is_model:
        component["data"] = [{"type": "dataset", "name": name}]
    digests = artifact.get("digests") or {algorithm: value}
    hashes = [
        {"alg": _ALGORITHMS[known], "content": digest}
        for known, digest in digests.items()
        if known in _ALGORITHMS
    ]
    return component | ({"hashes": hashes} if hashes else {})


def _packages(job: Job) -> Iterator[tuple[str, str, str]]:
    """Package URL (github.com/package-url/purl-spec), name and version of each Python package."""
    for name, version in job["packages"]["python"].items():
        plain = name.lower().replace("_", "-").replace(".", "-")
        yield f"pkg:pypi/{quote(plain, safe='')}@{quote(version, safe='')}", name, version


def _dependencies(graph: Graph) -> Iterator[dict[str, Any]]:
    made: dict[str, dict[str, None]] = {}
    for job in graph["jobs"]:
        needs = dict.fromkeys(urn(edge["hash"]) for edge in job["inputs"] if edge["hash"])
        needs |= dict.fromkeys(reference for reference, _, _ in _packages(job))
        for edge in job["outputs"]:
            if edge["hash"]:
                made.setdefault(urn(edge["hash"]), {}).update(needs)
    roots = dict.fromkeys(urn(edge["hash"]) for edge in root_artifacts(graph))
    yield {"ref": "root", "dependsOn": list(roots)}
    for artifact in graph["artifacts"]:
        reference = urn(artifact["hash"])
        needs = {need: None for need in made.get(reference, {}) if need != reference}
        yield {"ref": reference, "dependsOn": list(needs)}


def _task(job: Job) -> dict[str, Any]:
    inputs = [_used(edge) for edge in job["inputs"] if edge["hash"]]
    outputs = [_used(edge) | {"type": "artifact"} for edge in job["outputs"] if edge["hash"]]
    task: dict[str, Any] = {
        "bom-ref": f"task-{job['uid']}",
        "uid": job["uid"],
        "name": title(job),
        "taskTypes": ["build"],
        "steps": [{"commands": [{"executed": shlex.join(job["command"])}]}],
        "timeStart": job["started_at"],
    }
    if job["ended_at"]:
        task["timeEnd"] = job["ended_at"]
    if inputs:
        task["inputs"] = _once(inputs)
    if outputs:
        task["outputs"] = _once(outputs)
    makers = {uid for edge in job["inputs"] for uid in producers(edge)}
    if makers:
        task["properties"] = [
            {"name": "roar:after", "value": uuid_of({"uid": uid})} for uid in sorted(makers)
        ]
    return task


def _used(edge: Edge) -> dict[str, Any]:
    return {"resource": {"ref": urn(edge["hash"])}}


def _once(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for place, item in enumerate(items) if item not in items[:place]]
