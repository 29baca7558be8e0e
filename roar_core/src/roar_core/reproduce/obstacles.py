"""What stands in the way of a plan, and what of it is not as recorded: sentences for people."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import TYPE_CHECKING

from roar_core.environment.git import GitProbe
from roar_core.environment.output_of import program
from roar_core.model.job import Job
from roar_core.reproduce.plan import EnvironmentPlan, PlannedInput, PlannedOutput, PlannedStep
from roar_core.reproduce.snapshots import has_object

if TYPE_CHECKING:
    from roar_core.reproduce.planning import Where


def notes(steps: Iterable[PlannedStep], environments: Iterable[EnvironmentPlan]) -> list[str]:
    found = []
    for step in steps:
        if not step.code.is_kept:
            found.append(
                f"{step.label} ran with uncommitted changes that were not kept"
                " (--dirty allow): the commit alone is used"
            )
        if step.job.state not in ("succeeded", "failed", "undone"):
            found.append(f"{step.label} is recorded as {step.job.state}, perhaps in part only")
    found += (
        f"{environment.name}: {environment.interpreter} is not here;"
        f" {environment.base_version} is used unless uv finds it"
        for environment in environments
        if environment.base_version not in (None, environment.interpreter)
    )
    return found


def problems_of(
    steps: tuple[PlannedStep, ...] | list[PlannedStep],
    environments: Iterable[EnvironmentPlan],
    where: Where,
) -> list[str]:
    problems = []
    has_builds = any(step.is_build for step in steps)
    for step in steps:
        if step.refusal:
            problems.append(f"{step.label} cannot be run: {step.refusal}")
        snapshot = None if where.in_place else step.code.snapshot
        if snapshot and not has_object(where.objects, snapshot):
            problems.append(
                f"{step.label}: its snapshot of uncommitted changes {snapshot[:19]}"
                " is not in .roar/objects"
            )
        for needed in step.inputs:
            if needed.origin == "missing":
                problems.append(f"{step.label} needs {_missing(needed)}")
            elif needed.lacking:
                problems.append(
                    f"{step.label} needs {len(needed.lacking)} members of"
                    f" {needed.relative or needed.path!r} that are"
                    f" not found, such as {needed.lacking[0]!r}"
                )
    for environment in environments:
        if environment.base is None and program("uv") is None:
            problems.append(
                f"{environment.name}: {environment.interpreter} is not on PATH;"
                " install it, or uv, which fetches it"
            )
        if not has_builds:
            problems += [
                f"{environment.name}: {name} {environment.packages[name]} is on no index: {what}"
                for name, what in sorted(environment.local.items())
            ]
    return problems


def _missing(needed: PlannedInput) -> str:
    name = needed.relative or needed.path
    if needed.hash is None:
        return f"{name!r}, whose bytes were not recorded and which is not there"
    known = f"; they were fetched from {needed.source}" if needed.source else ""
    what = f"{name!r} with the bytes {needed.hash[:23]}"
    return f"{what}, which nobody produced and are not found{known}"


def unlike_here(commits: set[str], where: Where) -> list[str]:
    """Why a run in place would not run the recorded code."""
    with closing(GitProbe.start(where.project)) as probe:
        status = probe.result()
    here = None if status is None else status.commit
    return [
        f"--in-place runs the code that is here, which is not commit {commit[:12]};"
        f" git checkout {commit[:12]} first, or leave --in-place out"
        for commit in sorted(commits - {here})
    ]


def refusal_of(
    job: Job, cwd: str | None, outputs: Iterable[PlannedOutput], where: Where
) -> str | None:
    """Why a job cannot be run again without harm, or at all."""
    if not job.command or any("\0" in word for word in job.command):
        return "its recorded command cannot be executed"
    if cwd is None:
        return f"its working directory {job.cwd!r} is outside the project"
    if where.in_place:
        return None
    for output in outputs:
        if output.kind == "object":
            return f"it wrote {output.path!r}, which would be overwritten"
        if output.relative is None:
            return (
                f"it wrote {output.path!r} outside the project, which would be overwritten"
                " (--in-place allows it)"
            )
    return None
