"""`roar abandon`: end the record of a job whose machine never came back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roar_core.cli import output, wording
from roar_core.cli.asking import agreed
from roar_core.cli.opening import open_project
from roar_core.errors import UsageError

if TYPE_CHECKING:
    from roar_core.model.job import Job
    from roar_core.project import Project
    from roar_core.store.writer import RunningJob, Store


@click.command()
@click.argument("ref", metavar="JOB")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def abandon(ref: str, yes: bool, as_json: bool) -> int:
    """End the record of a job that runs where roar cannot look, and will never end.

    In a project that several machines share, a job stays running when its machine dies; so does
    one of a container that is gone. It is recorded as interrupted, and that what it read and wrote
    is not known. Nothing is stopped or deleted. A job of this machine is refused: stop that.

    Example: roar abandon @3
    """
    from roar_core.run.abandoned import CODE, abandonable
    from roar_core.run.abandoned import abandon as give_up
    from roar_core.store.writer import Store

    with open_project(Store) as (project, store):
        running = abandonable(project, store, _job(store, project, ref))
    if not agreed(_question(running), yes=yes):
        output.note("nothing was changed")
        return 1
    with Store.open(project.roar_dir) as store:
        job = give_up(store, running)
    if as_json:
        _print_document(job, running)
    elif any(reason.code == CODE for reason in job.coverage.reasons):
        output.tell(f"abandoned: {_title(job)}; it is recorded as interrupted")
    else:
        output.tell(f"{_title(job)} has ended in the meantime: {job.state}")
    return 0


def _job(store: Store, project: Project, ref: str) -> Job:
    from roar_core.lineage.target import find_target

    target = find_target(store, ref, project)
    if target.kind != "job":
        raise UsageError(f"{ref!r} is no job; name one as @3, or by its uid")
    with store.reading() as db:
        [(uid,)] = db.execute("SELECT uid FROM job WHERE id = ?", target.jobs)
    return store.job(uid)


def _question(running: RunningJob) -> str:
    job, machine = running.job, running.owner.machine
    where = f"on {machine}" if machine else "on another machine"
    since = wording.local_time(job.started_at_ns)
    return (
        f"{_title(job)} was started {where} on {since}; roar cannot see it from here; give it up?"
    )


def _title(job: Job) -> str:
    return f"{job.step or job.uid[:8]} {wording.title(job.name, job.command)}"


def _print_document(job: Job, running: RunningJob) -> None:
    from roar_core.cli.documents import document, text

    output.data(
        document(
            "abandoned",
            uid=job.uid,
            step=None if job.step is None else str(job.step),
            command=[text(argument) for argument in job.command],
            machine=text(running.owner.machine) if running.owner.machine else None,
            state=job.state,
        )
    )
