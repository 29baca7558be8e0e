"""in-toto statements with SLSA provenance: one a line for each job that wrote something.

Specification: in-toto.io/Statement/v1 and slsa.dev/spec/v1.0/provenance. They are unsigned; a
signer takes each line as it is. Several lines are an in-toto bundle without its envelopes.
"""

from __future__ import annotations

from typing import IO, Any

from roar_core import __version__
from roar_core.export.facts import Edge, Graph, Job, uuid_of
from roar_core.export.json_text import one_line

BUILD_TYPE = "urn:roar:run:v1"
BUILDER = "urn:roar:local"


class Slsa:
    """in-toto statements with SLSA provenance v1, unsigned, one a line: cosign, slsa-verifier."""

    format = "slsa"

    def write(self, graph: Graph, target: IO[bytes]) -> None:
        for job in graph["jobs"]:
            subjects = [_descriptor(edge) for edge in job["outputs"] if edge["hash"]]
            if subjects:  # a statement about nothing is none
                target.write(one_line(_statement(job, subjects)))


def _statement(job: Job, subjects: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"command": job["command"], "cwd": job["cwd"]},
                "internalParameters": {
                    "jobHash": job["hash"],
                    "state": job["state"],
                    "exitCode": job["exit_code"],
                    "coverage": job["coverage"]["state"],
                    "environment": job["environment"],
                    "packages": job["packages"],
                },
                "resolvedDependencies": [*_code(job), *map(_descriptor, job["inputs"])],
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {"roar-core": __version__}},
                "metadata": {
                    "invocationId": f"urn:uuid:{uuid_of(job)}",
                    "startedOn": job["started_at"],
                    **({"finishedOn": job["ended_at"]} if job["ended_at"] else {}),
                },
            },
        },
    }


def _code(job: Job) -> list[dict[str, Any]]:
    git = job["git"]
    if not git["commit"]:
        return []
    remote = git["remote"] or "."
    descriptor: dict[str, Any] = {"name": "code", "digest": {"gitCommit": git["commit"]}}
    if "://" in remote:
        descriptor["uri"] = f"git+{remote}"
    if git["dirty"]:
        descriptor["annotations"] = {"uncommittedChanges": git["snapshot"] or "not kept"}
    return [descriptor]


def _descriptor(edge: Edge) -> dict[str, Any]:
    descriptor: dict[str, Any] = {"name": edge["path"]}
    if edge["place"] == "store":
        descriptor["uri"] = edge["path"]
    if edge["hash"]:
        algorithm, _, value = edge["hash"].partition(":")
        descriptor["digest"] = {algorithm: value}
    producer = edge["producer"]
    annotations = {"kind": edge["kind"], "size": edge["size"]}
    return descriptor | {"annotations": annotations | ({"producer": producer} if producer else {})}
