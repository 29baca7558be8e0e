"""Between the model's values and the database's columns: names, edges' paths, jobs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import attrs

from roar_core.errors import DatabaseError
from roar_core.identity import portable_name, relative_to_project
from roar_core.model.coverage import Coverage, CoverageReason
from roar_core.model.environment import Environment, GitState, Gpu, Packages
from roar_core.model.job import Job, Step
from roar_core.store.names import INPUT as INPUT
from roar_core.store.names import OUTPUT as OUTPUT
from roar_core.store.names import from_sql as from_sql
from roar_core.store.names import path_from_sql as path_from_sql


def to_sql(name: str | None) -> str | bytes | None:
    """Return a name as TEXT when it is valid UTF-8, else as its raw bytes."""
    if name is None or name.isascii():
        return name
    name = portable_name(name)
    try:
        name.encode()
    except UnicodeEncodeError:
        return name.encode("utf-8", "surrogateescape")
    return name


def optional_name(value: str | bytes | None) -> str | None:
    """Like `from_sql`, for columns that may be NULL."""
    return None if value is None else from_sql(value)


def path_to_sql(path: str, project: str, *, is_object: bool = False) -> str | bytes:
    """Return an edge's path as stored: relative inside the project, so that a project can move."""
    inside = None if is_object else relative_to_project(path, project)
    stored = to_sql(path if inside is None else inside)
    assert stored is not None
    return stored


def unhex(name: str | None) -> bytes | None:
    """Return the digest of a `blake3:<hex>` name."""
    return None if name is None else bytes.fromhex(name.removeprefix("blake3:"))


def named(digest: bytes | None) -> str | None:
    """Return the `blake3:<hex>` name of a digest."""
    return None if digest is None else f"blake3:{digest.hex()}"


def command_to_json(command: tuple[str, ...]) -> str:
    return json.dumps([portable_name(argument) for argument in command])


def _command_from_json(text: str) -> tuple[str, ...]:
    command = _loads(text)
    if "\\u" not in text:
        return tuple(command)
    return tuple(os.fsdecode(argument.encode("utf-8", "surrogateescape")) for argument in command)


def environment_json(environment: Environment) -> str:
    return json.dumps(attrs.asdict(environment), sort_keys=True)


def environment_from_json(text: str) -> Environment:
    fields = _loads(text)
    return Environment(**fields | {"gpus": tuple(Gpu(**gpu) for gpu in fields["gpus"])})


def packages_json(packages: Packages) -> str:
    return json.dumps(
        {"python": dict(packages.python), "system": dict(packages.system)}, sort_keys=True
    )


def coverage_json(coverage: Coverage) -> str:
    if not coverage.reasons:
        return "[]"
    return json.dumps([[reason.code, reason.count, reason.detail] for reason in coverage.reasons])


# What `job_from_row` reads, in its order.
JOB_COLUMNS = """
    job.uid, job.kind, job.command, job.cwd, job.project, job.state, job.started_at_ns, job.session,
    job.step_number, job.step_is_build, job.attempt, job.name, job.hash, job.exit_code, job.signal,
    job.duration_s, job.tracer, job.rerun_of, job.parent, job.coverage, job.undone_at_ns,
    job.git_commit, job.git_branch, job.git_remote, job.git_dirty, job.git_snapshot
"""
_COMPLETE = Coverage()
_NO_PACKAGES = Packages()


def job_from_row(row: tuple[Any, ...], **more: Any) -> Job:
    """Return the job of JOB_COLUMNS; `more` are the fields that other tables hold."""
    (
        uid, kind, command, cwd, project, state, started_at_ns, session,
        step_number, step_is_build, attempt, name, digest, exit_code, signal,
        duration_s, tracer, rerun_of, parent, coverage, undone_at_ns,
        commit, branch, remote, dirty, snapshot,
    ) = row  # fmt: skip
    return Job(
        uid=uid,
        kind=kind,
        command=_command_from_json(command),
        cwd=from_sql(cwd),
        project=from_sql(project),
        state=state if undone_at_ns is None else "undone",
        started_at_ns=started_at_ns,
        session=session,
        step=None if step_number is None else Step(step_number, bool(step_is_build), attempt),
        name=optional_name(name),
        hash=named(digest),
        exit_code=exit_code,
        signal=signal,
        duration_s=duration_s,
        tracer=tracer,
        rerun_of=rerun_of,
        parent=parent,
        coverage=_coverage(coverage),
        git=GitState(commit, optional_name(branch), optional_name(remote), bool(dirty), snapshot),
        **more,
    )


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DatabaseError(
            f"the database holds damaged JSON ({text[:40]!r}); "
            "`roar db recover` saves all that can be read"
        ) from error


def _coverage(text: str) -> Coverage:
    if text == "[]":
        return _COMPLETE
    return Coverage(tuple(CoverageReason(*reason) for reason in _loads(text)))


def packages_from_json(text: str | None) -> Packages:
    """Return the packages of a package_set, none for NULL."""
    if text is None:
        return _NO_PACKAGES
    fields: Mapping[str, Mapping[str, str]] = _loads(text)
    return Packages(fields["python"], fields["system"])
