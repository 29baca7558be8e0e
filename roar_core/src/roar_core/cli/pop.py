"""`roar pop`: undo the most recent job of the session, and take away what it wrote if asked to."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import click

from roar_core.cli import output, wording
from roar_core.cli.asking import agreed
from roar_core.cli.opening import open_project
from roar_core.errors import NotFoundError, RoarError

if TYPE_CHECKING:
    from roar_core.model.job import Job
    from roar_core.project import Project
    from roar_core.run.undo import Kept, Remains
    from roar_core.store.writer import Store

_SHOWN = 20


@click.command()
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--outputs", "with_outputs", is_flag=True, help="Also delete what the job wrote.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def pop(yes: bool, with_outputs: bool, as_json: bool) -> int:
    """Undo the job of this session that was started last: it is hidden, and never deleted.

    What it wrote stays, unless --outputs is given: then each file goes that is still exactly as the
    job wrote it, that git does not track, and that no other job wrote so too.

    Example: roar pop --outputs
    """
    from roar_core.run.undo import Remains, remains_of, remove
    from roar_core.store.authorship import newest_job
    from roar_core.store.writer import Store

    with open_project(Store) as (project, store):
        with store.reading() as db:
            uid = newest_job(db)
        if uid is None:
            raise NotFoundError("there is no job to undo in this session; see: roar log --all")
        job = store.job(uid)
        if job.state == "running":
            raise RoarError(_still_runs(store, job))
        remains = remains_of(store, job) if with_outputs else Remains((), ())
    if not agreed(_question(job, remains, project), yes=yes):
        output.note("nothing was undone")
        return 1
    with Store.open(project.roar_dir) as store:
        store.mark_undone(job.uid, time.time_ns())
    gone, late = remove(remains.removable)
    kept = [*remains.kept, *late] if with_outputs else _standing(job)
    if as_json:
        _print_document(job, gone, kept, project)
        return 0
    output.tell(f"undone: {_title(job)}; its record stays: roar show {wording.short_uid(job.uid)}")
    for path in gone:
        output.line(f"removed  {_name(path, project)}")
    for path, reason in kept:
        output.line(f"kept     {_name(path, project)}  ({output.printable(reason)})")
    if kept and not with_outputs:
        output.note("--outputs would have deleted what is still as the job wrote it")
    return 0


def _still_runs(store: Store, job: Job) -> str:
    name = job.step or job.uid[:8]
    [running] = [each for each in store.running_jobs() if each.job.uid == job.uid]
    if store.is_elsewhere(running):
        where = running.owner.machine or "another machine"
        return f"{name} is still running on {where}; if that never comes back: roar abandon {name}"
    command = wording.command_line(job.command)
    return f"{name} is still running; stop it before undoing it: {command}"


def _standing(job: Job) -> list[Kept]:
    """The outputs that are still there, when none was to be deleted."""
    from roar_core.run.undo import Kept

    there = [edge for edge in job.outputs if edge.kind == "object" or os.path.lexists(edge.path)]
    return [Kept(edge.path, "an output of the job") for edge in there]


def _question(job: Job, remains: Remains, project: Project) -> str:
    question = f"undo {_title(job)}"
    if remains.removable:
        names = [_name(file.path, project) for file in remains.removable[:_SHOWN]]
        more = len(remains.removable) - len(names)
        for name in names:
            output.note(f"  to be deleted: {name}")
        if more:
            output.note(f"  and {more:,} more")
        question += f" and delete {wording.count(len(remains.removable), 'file')}"
    return f"{question}?"


def _title(job: Job) -> str:
    place = f"{job.step}.{job.step.attempt}" if job.step and job.step.attempt > 1 else job.step
    return f"{place or job.uid[:8]} {wording.title(job.name, job.command)}"


def _name(path: str, project: Project) -> str:
    return output.printable(project.relative(path) or path)


def _print_document(job: Job, gone: list[str], kept: list[Kept], project: Project) -> None:
    from roar_core.cli.documents import document, path_fields, text

    output.data(
        document(
            "pop",
            uid=job.uid,
            step=None if job.step is None else str(job.step),
            command=[text(argument) for argument in job.command],
            removed=[path_fields(path, project) for path in gone],
            kept=[path_fields(path, project) | {"reason": text(why)} for path, why in kept],
        )
    )
