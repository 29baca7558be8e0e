"""A recorded step, made ready to be run again: its command, where it ran, and what is changed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from roar_core.cli import output, wording
from roar_core.errors import NotFoundError, RefusedError, UsageError
from roar_core.identity import relative_to_project
from roar_core.project import Project, find_project, working_directory
from roar_core.run.options import RunOptions
from roar_core.run.overrides import with_overrides

if TYPE_CHECKING:
    from roar_core.model.job import Job


def recorded_step(step: str, overrides: Sequence[str], options: RunOptions) -> RunOptions:
    """`options` with the command of `step`; this process then stands where that command ran.

    `options.command` holds the arguments to add. Raises `NotFoundError` when there is no such step,
    `UsageError` when an override has nowhere to go, `RefusedError` when it cannot be run again.
    """
    from roar_core.cli.opening import open_project
    from roar_core.model.job import Job
    from roar_core.store.queries import Queries
    from roar_core.store.tags import tags_of_job

    with open_project(Queries) as (project, store):
        job = store.resolve(step, os.fspath(project.root), os.fspath(project.root))
        assert isinstance(job, Job)  # what begins with @ names nothing else
        options = options._replace(tags=tags_of_job(store, job.uid))
    return rerun_options(job, project, overrides, options)


def rerun_options(
    job: Job, project: Project, overrides: Sequence[str], options: RunOptions
) -> RunOptions:
    """The options that run `job` again; see `recorded_step`."""
    if job.kind not in ("run", "build") or job.step is None:
        raise RefusedError(
            f"{job.step or job.uid[:8]} was recorded by roar {job.kind}, which has no command of"
            " its own to run again"
        )
    if options.kind == "build" and job.kind != "build":
        raise UsageError(f"{job.step} is no build; run it again with: roar run {job.step}")
    command = (*with_overrides(job.command, overrides), *options.command)
    _stand_in(_where_it_ran(job, project), project, job)
    if options.verbosity >= 0:
        changed = ", changed" if command != job.command else ""
        output.tell(f"{job.step} again{changed}: {wording.command_line(command)}")
    return options._replace(
        command=command,
        kind=job.kind,
        name=options.name or job.name,
        rerun_of=job.step,
    )


def _where_it_ran(job: Job, project: Project) -> str:
    """The recorded working directory; in the project as it lies now, should it have been moved."""
    inside = relative_to_project(job.cwd, job.project)
    return job.cwd if inside is None else os.path.join(project.root, inside)  # noqa: PTH118 - any bytes


def _stand_in(folder: str, project: Project, job: Job) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise RefusedError(
            f"{job.step} ran in {folder}, which cannot be entered ({error.strerror});"
            " make that directory, then try again"
        ) from error
    if find_project(working_directory()) != project:
        raise NotFoundError(
            f"{job.step} ran in {folder}, which belongs to another project now; run it from there"
        )
    # As a shell has it there (POSIX, "cd"): programs ask for it instead of the kernel.
    os.environ["PWD"] = folder
