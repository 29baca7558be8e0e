"""The JSON documents roar prints; docs/json.md is their reference.

Every document starts `{"schema": 1, "type": …}`. A file name may hold any bytes: where they are
not UTF-8 the text has U+FFFD in their place and `raw` holds the bytes in base64. Times are RFC
3339 in UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from roar_core.spelling import base64_of, is_text
from roar_core.spelling import text as text
from roar_core.spelling import timestamp as timestamp

if TYPE_CHECKING:
    from roar_core.lineage.dag import Node, Source
    from roar_core.lineage.session import JobRow, Session
    from roar_core.lineage.tasks import Family, Need, TaskGroup, TaskRow
    from roar_core.model.composite import CompositeUse
    from roar_core.model.coverage import Coverage
    from roar_core.model.environment import Environment, GitState
    from roar_core.model.job import Edge, Job
    from roar_core.project import Project

SCHEMA = 1

Document = dict[str, Any]


def document(type_: str, **fields: Any) -> Document:
    """A document of the current schema version."""
    return {"schema": SCHEMA, "type": type_, **fields}


def job_document(
    job: Job,
    project: Project,
    family: Family,
    needs: Sequence[Need] = (),
    origin: str | None = None,
) -> Document:
    """All about one job; `needs` are the results it got, `origin` as in a `JobRow`."""
    fields = document(
        "job",
        uid=job.uid,
        hash=job.hash,
        step=None if job.step is None else str(job.step),
        attempt=None if job.step is None else job.step.attempt,
        session=job.session,
        kind=job.kind,
        name=None if job.name is None else text(job.name),
        command=[text(argument) for argument in job.command],
        cwd=text(job.cwd),
        state=job.state,
        exit_code=job.exit_code,
        signal=job.signal,
        started_at=timestamp(job.started_at_ns),
        duration_s=job.duration_s,
        rerun_of=job.rerun_of,
        parent=job.parent,
        task=family.task and _task(family.task),
        tasks=[task_group_document(group) for group in family.groups],
        needs=[
            {"backend": need.backend, "task": text(need.task), "job": need.uid} for need in needs
        ],
        tracer=job.tracer,
        coverage=coverage_document(job.coverage),
        inputs=[edge_document(edge, project) for edge in job.inputs],
        outputs=[edge_document(edge, project) for edge in job.outputs],
        git=_git(job.git),
        sources=None
        if job.sources is None
        else [
            {"path": text(path), "hash": digest and f"blake3:{digest}"}
            for path, digest in sorted(job.sources.items())
        ],
        packages={
            "python": _texts(job.packages.python),
            "system": _texts(job.packages.system),
        },
        environment=None if job.environment is None else _environment(job.environment),
        trackers=[
            {
                "tracker": reference.tracker,
                "run_id": reference.run_id,
                "project": reference.project,
                "entity": reference.entity,
                "name": reference.name,
                "url": reference.url,
                "host": reference.host,
                "title": reference.title,
            }
            for reference in job.trackers
        ],
        labels=dict(job.labels),
        imported=job.is_imported,
        origin=origin_document(origin),
    )
    return fields | _raw_of_job(job)


def summary_document(job: JobRow) -> Document:
    """A job in a list: numbers of edges instead of edges."""
    return {
        "uid": job.uid,
        "hash": job_hash(job),
        "step": None if job.place is None else str(job.place),
        "attempt": None if job.place is None else job.place.attempt,
        "session": job.session,
        "kind": job.kind,
        "name": None if job.name is None else text(job.name),
        "command": job.command if job.is_plain else [text(argument) for argument in job.command],
        "state": job.state,
        "exit_code": job.exit_code,
        "signal": job.signal,
        "started_at": timestamp(job.started_at_ns),
        "duration_s": job.duration_s,
        "coverage": "complete" if job.is_complete else "partial",
        "input_count": job.inputs,
        "output_count": job.outputs,
        "origin": origin_document(job.origin),
    }


def origin_document(origin: str | None) -> Document | None:
    """Where a job that was not recorded here is known from."""
    if origin is None:
        return None
    registry, _, session = origin.rpartition("/dag/")
    return {"registry": registry or None, "session": session}


def _task(row: TaskRow) -> Document:
    """Which attempt at which task a job is."""
    document: Document = {
        "backend": row.backend,
        "task": text(row.task),
        "attempt": row.attempt,
        "where": row.where or None,
    }
    if row.role != "task":
        document["role"] = row.role
    if row.group:
        document["group"] = text(row.group)
    if row.is_declared:
        document["declared"] = True
    return document


def task_group_document(group: TaskGroup) -> Document:
    """Tasks of one name."""
    return {
        "name": text(group.name),
        "count": group.number,
        "attempts": group.attempts,
        "states": group.states,
        "ended": group.ended,
        "tracers": group.tracers,
        "groups": [text(name) for name in group.groups],
        "declared": group.declared,
        "infrastructure": group.is_hidden,
        "jobs": [
            summary_document(row.job) | {"task": _task(row), "tracer": row.tracer}
            for row in group.rows
        ],
    }


def session_document(session: Session) -> Document:
    """A session, without its jobs."""
    return {
        "number": session.number,
        "started_at": timestamp(session.started_at_ns),
        "is_active": session.is_active,
    }


def step_document(node: Node) -> Document:
    """A step of the graph."""
    fields = summary_document(node.shown)
    fields["attempts"] = node.attempts
    fields["newest_state"] = node.newest.state
    return fields


def link_documents(
    nodes: Sequence[Node], label: Callable[[Node], str], call: Callable[[Source], str]
) -> list[Document]:
    """The edges of the graph; `call` says how `roar show` calls the job that bytes came from.

    `label` says what a node is called.
    """
    standing = {node.shown.id: label(node) for node in nodes}
    return [
        {
            "from": standing.get(source.job) or call(source),
            "to": standing[node.shown.id],
            "artifacts": source.artifacts,
            "superseded": source.is_superseded,
        }
        for node in nodes
        for source in node.sources
    ]


def job_hash(job: JobRow) -> str | None:
    """The job hash as it is written everywhere."""
    return None if job.hash is None else f"blake3:{job.hash.hex()}"


def edge_document(edge: Edge, project: Project) -> Document:
    """One input or output; `raw` only when the path is not UTF-8."""
    return path_fields(edge.path, project) | {
        "hash": edge.hash,
        "size": edge.size,
        "kind": edge.kind,
        "producer": edge.producer,
        "further_producers": list(edge.further_producers),
        "hash_state": edge.hash_state,
        "composite": None if edge.composite is None else _composite(edge.composite),
        **version_fields(edge),
    }


def version_fields(edge: Edge) -> Document:
    """How a store calls the bytes of an object, and which were read, as far as it was told."""
    ranges = [list(each) for each in edge.ranges] or None
    told = {"version": edge.version, "etag": edge.etag, "ranges": ranges}
    return {name: value for name, value in told.items() if value is not None}


def _composite(use: CompositeUse) -> Document:
    return {
        "layout": use.layout,
        "members": use.members,
        "touched": use.touched,
        "whole": use.is_whole,
    }


def path_fields(path: str, project: Project) -> Document:
    """`path`, `relative` (None outside the project) and, when the name is not UTF-8, `raw`."""
    relative = project.relative(path)
    fields: Document = {"path": text(path), "relative": relative and text(relative)}
    if not is_text(path):
        fields["raw"] = base64_of(path)
    return fields


def coverage_document(coverage: Coverage) -> Document:
    """How much of a run was seen, and what is known to be missing."""
    return {
        "state": coverage.state,
        "reasons": [
            {"code": reason.code, "count": reason.count, "detail": text(reason.detail)}
            for reason in coverage.reasons
        ],
    }


def _git(git: GitState) -> Document:
    return {
        "commit": git.commit,
        "branch": None if git.branch is None else text(git.branch),
        "remote": None if git.remote is None else text(git.remote),
        "dirty": git.dirty,
        "snapshot": git.snapshot,
    }


def _environment(environment: Environment) -> Document:
    return {
        "os": environment.os,
        "arch": environment.arch,
        "interpreter": environment.interpreter,
        "cpu": environment.cpu,
        "memory_bytes": environment.memory_bytes,
        "gpus": [
            {"name": gpu.name, "memory_bytes": gpu.memory_bytes, "driver": gpu.driver}
            for gpu in environment.gpus
        ],
        "cuda": environment.cuda,
        "container": environment.container,
        "variables": _texts(environment.variables),
    }


def _raw_of_job(job: Job) -> Document:
    """The exact bytes of the command and the working directory, where either is not UTF-8."""
    raw: Document = {}
    if not all(map(is_text, job.command)):
        raw["command"] = [base64_of(argument) for argument in job.command]
    if not is_text(job.cwd):
        raw["cwd"] = base64_of(job.cwd)
    return {"raw": raw} if raw else {}


def _texts(mapping: Mapping[str, str]) -> dict[str, str]:
    return {text(name): text(mapping[name]) for name in sorted(mapping)}
