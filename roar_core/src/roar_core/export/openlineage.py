"""OpenLineage run events: a START and an end for each job, one event a line (NDJSON).

Specification: openlineage.io/spec/2-0-2/OpenLineage.json, and the facets named below. Files are of
the namespace `file`, objects of that of their store (openlineage.io/docs/spec/naming).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from roar_core.export.facts import TOOL, Edge, Graph, Job, namespace, short, title, uuid_of
from roar_core.export.json_text import one_line

_SPEC = "https://openlineage.io/spec"
_ENDS = {"succeeded": "COMPLETE", "failed": "FAIL", "interrupted": "ABORT"}


class OpenLineage:
    """OpenLineage run events, one a line: Marquez, DataHub, OpenMetadata."""

    format = "openlineage"

    def write(self, graph: Graph, target: IO[bytes]) -> None:
        titles = {job["uid"]: (namespace(job), _name(job)) for job in graph["jobs"]}
        for job in graph["jobs"]:
            for kind, time in (("START", "started_at"), (_ENDS[job["state"]], "ended_at")):
                target.write(one_line(_event(job, kind, job[time] or job["started_at"], titles)))


def _event(job: Job, kind: str, time: str, titles: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    has_ended = kind != "START"
    return {
        "eventType": kind,
        "eventTime": time,
        "producer": TOOL,
        "schemaURL": f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": uuid_of(job), "facets": _run_facets(job, titles, has_ended=has_ended)},
        "job": {"namespace": namespace(job), "name": _name(job), "facets": _job_facets(job)},
        "inputs": [_dataset(edge, "inputFacets") for edge in job["inputs"]],
        "outputs": [_dataset(edge, "outputFacets") for edge in job["outputs"]] if has_ended else [],
    }


def _facet(name: str, revision: str, /, **fields: Any) -> dict[str, Any]:
    url = f"{_SPEC}/facets/{revision}/{name}.json#/$defs/{name}"
    return {"_producer": TOOL, "_schemaURL": url, **fields}


def _name(job: Job) -> str:
    """A job in OpenLineage is what runs again and again: its name is that of the command."""
    return short(title(job), 200)


def _run_facets(
    job: Job, titles: Mapping[str, tuple[str, str]], *, has_ended: bool
) -> dict[str, Any]:
    facets: dict[str, Any] = {
        "processing_engine": _facet(
            "ProcessingEngineRunFacet", "1-1-1", version=TOOL.rpartition(":")[2], name="roar"
        ),
        # A custom facet, as the specification has them: prefixed with who defines it.
        "roar_job": {
            "_producer": TOOL,
            "_schemaURL": "urn:roar-core:documents.json#/$defs/graph_job",
            "hash": job["hash"],
            "command": job["command"],
            "cwd": job["cwd"],
            "exitCode": job["exit_code"],
            "signal": job["signal"],
            "coverage": job["coverage"]["state"],
            "packages": job["packages"]["python"],
        },
    }
    if job["environment"] and job["environment"]["variables"]:
        variables = job["environment"]["variables"]
        facets["environmentVariables"] = _facet(
            "EnvironmentVariablesRunFacet",
            "1-0-0",
            environmentVariables=[{"name": n, "value": v} for n, v in variables.items()],
        )
    if job["parent"] in titles:
        name_space, name = titles[job["parent"]]
        facets["parent"] = _facet(
            "ParentRunFacet",
            "1-2-0",
            run={"runId": uuid_of({"uid": job["parent"]})},
            job={"namespace": name_space, "name": name},
        )
    if has_ended and job["state"] != "succeeded":
        how = job["signal"] or f"exit code {job['exit_code']}"
        facets["errorMessage"] = _facet(
            "ErrorMessageRunFacet", "1-0-1", message=f"ended by {how}", programmingLanguage="shell"
        )
    return facets


def _job_facets(job: Job) -> dict[str, Any]:
    facets: dict[str, Any] = {
        "jobType": _facet(
            "JobTypeJobFacet",
            "2-0-4",
            processingType="BATCH",
            integration="ROAR",
            jobType=job["kind"].upper(),
        )
    }
    git = job["git"]
    if git["remote"] and "://" in git["remote"]:
        facets["sourceCodeLocation"] = _facet(
            "SourceCodeLocationJobFacet",
            "1-1-0",
            **{
                key: value
                for key, value in (
                    ("type", "git"),
                    ("url", git["remote"]),
                    ("repoUrl", git["remote"]),
                    ("version", git["commit"]),
                    ("branch", git["branch"]),
                )
                if value
            },
        )
    return facets


def _dataset(edge: Edge, side: str) -> dict[str, Any]:
    name_space, name = "file", edge["path"]
    if edge["place"] == "store" and "://" in edge["path"]:
        scheme, _, rest = edge["path"].partition("://")
        bucket, _, key = rest.partition("/")
        name_space, name = f"{scheme}://{bucket}", key or "/"
    facets: dict[str, Any] = {}
    if edge["hash"]:
        facets["version"] = _facet(
            "DatasetVersionDatasetFacet", "1-0-1", datasetVersion=edge["hash"]
        )
    if side == "outputFacets":
        measured = _facet("OutputStatisticsOutputDatasetFacet", "1-0-2", size=edge["size"])
        own = {"outputStatistics": measured}
    else:
        measured = _facet("InputStatisticsInputDatasetFacet", "1-0-0", size=edge["size"])
        own = {"inputStatistics": measured}
    return {"namespace": name_space, "name": name, "facets": facets, side: own}
