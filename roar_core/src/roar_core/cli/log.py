"""`roar log`: the jobs of a session, newest first."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from roar_core.cli import output, wording
from roar_core.cli.documents import document, session_document, summary_document
from roar_core.cli.opening import open_project
from roar_core.lineage.session import JobRow, find_session, jobs_by_id, session_jobs
from roar_core.lineage.tasks import task_counts
from roar_core.store.database import Database

if TYPE_CHECKING:
    from roar_core.lineage.search import Wanted

_DEFAULT_LIMIT = 20


@click.command()
@click.argument("words", nargs=-1, metavar="[WORD]…")
@click.option("--path", "paths", multiple=True, help="Jobs that read or wrote it, or below it.")
@click.option("--command", metavar="TEXT", help="Jobs whose command has this in it.")
@click.option("--since", metavar="WHEN", help="Started since: 2h, 3d, yesterday, 2026-11-25.")
@click.option("--failed", is_flag=True, help="Jobs that failed or were interrupted.")
@click.option(
    "-n", "--limit", type=click.IntRange(1), help=f"At most this many jobs [{_DEFAULT_LIMIT}]."
)
@click.option("--all", "everything", is_flag=True, help="Every job, undone ones too.")
@click.option("--session", type=click.IntRange(1), help="A session before the current one.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document, of every job.")
def log(
    words: tuple[str, ...],
    paths: tuple[str, ...],
    command: str | None,
    since: str | None,
    failed: bool,
    limit: int | None,
    everything: bool,
    session: int | None,
    as_json: bool,
) -> None:
    """List the jobs of the session, newest first; those that fit all that is asked.

    Each WORD must be in a job's name, command or labels, in upper or lower case.

    Examples: roar log -n 5 · roar log --failed --since 2d · roar log --path data train
    """
    wanted = _wanted(words, paths, command, since, failed)
    shown = limit or (-1 if everything or as_json else _DEFAULT_LIMIT)
    with open_project(Database) as (project, database), database.reading() as db:
        found = find_session(db, session)
        jobs: list[JobRow] = []
        total = 0
        tasks: dict[str, int] = {}
        if found is not None:
            if wanted is None:
                jobs = session_jobs(db, found.number, with_undone=everything, limit=shown)
                undone = "" if everything else "AND undone_at_ns IS NULL"
                (total,) = db.execute(
                    f"SELECT count(*) FROM job WHERE session = ? AND parent IS NULL {undone}",  # noqa: S608 - constants
                    (found.number,),
                ).fetchone()
            else:
                from roar_core.lineage.search import find

                root = str(project.root)
                ids = find(db, found.number, wanted, root, with_undone=everything)
                total = len(ids)
                rows = jobs_by_id(db, ids if shown < 0 else ids[:shown])
                jobs = [rows[job] for job in ids if job in rows]
            tasks = task_counts(db)
    if as_json:
        output.data(
            document(
                "log",
                session=found and session_document(found),
                total=total,
                jobs=[summary_document(job) for job in jobs],
            )
        )
        return
    if not jobs:
        if wanted is not None and found is not None:
            output.note(f"no job of session {found.number} fits; see: roar log --all")
            return
        where = f"session {found.number}" if found else "this project"
        output.note(f"nothing is recorded in {where} yet; start with: roar run <your command>")
        return
    for row in job_lines(jobs, tasks):
        output.line(row)
    if len(jobs) < total:
        output.line(f"{output.symbol('…', '...')} and {total - len(jobs):,} older: --all")


def _wanted(
    words: tuple[str, ...],
    paths: tuple[str, ...],
    command: str | None,
    since: str | None,
    failed: bool,
) -> Wanted | None:
    """What was asked for; None when every job will do."""
    if not (words or paths or command or failed) and since is None:
        return None
    from roar_core.lineage.search import Wanted, moment

    return Wanted(
        # As edges have them: resolved, but for what is gone.
        tuple(path if "://" in path else os.path.realpath(path) for path in paths),
        command,
        None if since is None else moment(since, time.time()),
        failed,
        words,
    )


def job_lines(jobs: list[JobRow], tasks: Mapping[str, int]) -> list[str]:
    """A line for each job: mark, step, uid, when, how long, how it ended, what it was.

    `tasks` counts those below a job, by its uid.
    """
    places = [job.label for job in jobs]
    durations = [
        wording.duration(job.duration_s) if job.duration_s is not None else "" for job in jobs
    ]
    width = max(map(len, places))
    longest = max(map(len, durations))
    terminal = wording.columns()
    lines = []
    for job, place, duration in zip(jobs, places, durations, strict=True):
        uid = output.style(wording.short_uid(job.uid), "dim")
        remarks = "".join(f"  {remark}" for remark in _remarks(job, tasks.get(job.uid, 0)))
        used = width + longest + len(remarks) + 43
        room = None if terminal is None else max(16, terminal - used)
        title = wording.fit(wording.title(job.name, job.command), room)
        lines.append(
            f"{wording.mark(job.state)} {output.style(place.ljust(width), 'bold')}  {uid}"
            f"  {wording.local_time(job.started_at_ns)}  {duration:>{longest}}"
            f"  {title}{output.style(remarks, 'yellow')}"
        )
    return lines


def _remarks(job: JobRow, tasks: int) -> list[str]:
    remarks = [wording.count(tasks, "task")] if tasks else []
    if job.state != "succeeded":
        remarks.append(wording.ending(job.state, job.exit_code, job.signal))
    if not job.is_complete:
        remarks.append("partial")
    return remarks
