"""`roar lineage`, `impact`, `inputs` and `why`: questions about what came from what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from roar_core.cli import output, wording
from roar_core.cli.documents import document, summary_document
from roar_core.cli.lineage_view import (
    NAMES_LIMIT,
    job_line,
    name,
    names,
    print_target,
    target_fields,
    tree,
    used_document,
    walk_document,
)
from roar_core.cli.registry.resolving import Opened, answered, remote_option
from roar_core.lineage.closure import downstream, upstream
from roar_core.lineage.edges import input_of, inputs_of, outputs_of
from roar_core.lineage.session import JobRow, jobs_by_id
from roar_core.lineage.target import Target, find_target
from roar_core.lineage.tasks import platform_jobs

if TYPE_CHECKING:
    import sqlite3

    from roar_core.lineage.closure import Closure
    from roar_core.lineage.edges import Used
    from roar_core.project import Project


_LINES = 100

_depth = click.option("--depth", type=click.IntRange(0), help="At most so many jobs far.")
_everything = click.option("--all", "everything", is_flag=True, help="Show long lists in full.")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")


@click.command()
@click.argument("ref")
@_depth
@_everything
@remote_option
@_as_json
def lineage(ref: str, depth: int | None, everything: bool, remote: bool, as_json: bool) -> None:
    """Show every job that REF came from, across all sessions.

    REF is a step (@3, @B1), the beginning of a uid or hash, a path, or session:N; with --remote
    also a page of the registry. Jobs stand below those that used what they made.

    Example: roar lineage model.pkl
    """

    def ask(
        opened: Opened,
    ) -> tuple[Project, Target, Closure, dict[int, JobRow], list[Used], set[int]]:
        target = find_target(opened.store, opened.refs[0], opened.project)
        with opened.store.reading() as db:
            closure = upstream(db, target.jobs, depth)
            jobs = jobs_by_id(db, closure.distances)
            roots = inputs_of(db, closure.distances, only_roots=True)
            platform = set() if everything else platform_jobs(db, closure.distances)
        return opened.project, target, closure, jobs, roots, platform

    answer = answered([ref], "upstream", ask, remote=remote)
    project, target, closure, jobs, roots, platform = answer
    if as_json:
        fields = {"inputs": [used_document(used, project, jobs) for used in roots]}
        output.data(walk_document("lineage", target, closure, jobs, fields))
        return
    print_target(target)
    if not target.jobs:
        output.line("  no recorded job made it")
    limit = None if everything else _LINES
    lines = tree(target.jobs, closure, jobs, upstream=True, limit=limit, platform=platform)
    for line in lines:
        output.line(line)
    if roots:
        words = wording.count(len(roots), "input")
        output.line(f"  {words} that no recorded job made: roar inputs {output.printable(ref)}")


@click.command()
@click.argument("ref")
@_depth
@_everything
@remote_option
@_as_json
def impact(ref: str, depth: int | None, everything: bool, remote: bool, as_json: bool) -> None:
    """Show every job that ever used REF, directly or not, and what they made of it.

    Example: roar impact data.csv
    """

    def ask(
        opened: Opened,
    ) -> tuple[Project, Target, list[int], Closure, dict[int, JobRow], list[Used], set[int]]:
        target = find_target(opened.store, opened.refs[0], opened.project)
        with opened.store.reading() as db:
            first = _first_users(db, target)
            closure = downstream(db, first, depth)
            jobs = jobs_by_id(db, closure.distances)
            made = outputs_of(db, [job for job in closure.distances if job not in target.jobs])
            platform = set() if everything else platform_jobs(db, closure.distances)
        return opened.project, target, first, closure, jobs, made, platform

    answer = answered([ref], "downstream", ask, remote=remote)
    project, target, first, closure, jobs, made, platform = answer
    if as_json:
        fields = {"outputs": [used_document(used, project, jobs) for used in made]}
        output.data(walk_document("impact", target, closure, jobs, fields))
        return
    print_target(target)
    if not first:
        output.line("  no recorded job used it")
    limit = None if everything else _LINES
    by_job: dict[int, list[Used]] = {}
    for used in made:
        for job in used.jobs:
            by_job.setdefault(job, []).append(used)
    remarks = {job: names(outputs, project) for job, outputs in by_job.items()}
    lines = tree(
        first, closure, jobs, upstream=False, limit=limit, remarks=remarks, platform=platform
    )
    for line in lines:
        output.line(line)


@click.command()
@click.argument("ref")
@click.option("--direct", is_flag=True, help="Only what the jobs that made REF read themselves.")
@click.option("--all", "everything", is_flag=True, help="Also what other recorded jobs made.")
@click.option("--unsourced", is_flag=True, help="Only what neither a job nor a commit explains.")
@remote_option
@_as_json
def inputs(
    ref: str, direct: bool, everything: bool, unsourced: bool, remote: bool, as_json: bool
) -> None:
    """List what REF was made of in the end: the inputs that no recorded job made.

    Each is told with where it comes from: `git` when the commit of a job that read it holds these
    bytes, a step when a job made it, else `nobody`.

    Example: roar inputs model.pkl --unsourced
    """
    from roar_core.lineage.sources import held_by_commits

    def ask(
        opened: Opened,
    ) -> tuple[Project, Target, list[tuple[Used, str]], dict[int, JobRow]]:
        target = find_target(opened.store, opened.refs[0], opened.project)
        with opened.store.reading() as db:
            asked = target.jobs if direct else list(upstream(db, target.jobs).distances)
            only_roots = not (direct or everything) or unsourced
            found = inputs_of(db, asked, only_roots=only_roots)
            makers = jobs_by_id(db, {used.producer for used in found if used.producer is not None})
            readers = jobs_by_id(db, {job for used in found for job in used.jobs})
            in_git = held_by_commits(db, found)
        rows = [(used, _source(used, makers, in_git)) for used in found]
        return opened.project, target, rows, readers

    project, target, rows, readers = answered([ref], "upstream", ask, remote=remote)
    if unsourced:
        rows = [(used, source) for used, source in rows if source == "nobody"]
    if as_json:
        output.data(
            document(
                "inputs",
                **target_fields(target),
                inputs=[
                    used_document(used, project, readers) | {"source": source}
                    for used, source in rows
                ],
            )
        )
        return
    if not rows:
        output.note("every input is explained" if unsourced else "it was made of nothing recorded")
    output.table(
        [
            (
                name(used, project),
                wording.size(used.size),
                wording.short_hash(used.hash),
                source,
                "read by " + " ".join(readers[job].reference for job in used.jobs[:NAMES_LIMIT]),
            )
            for used, source in rows
        ]
    )


@click.command()
@click.argument("first")
@click.argument("last")
@remote_option
@_as_json
def why(first: str, last: str, remote: bool, as_json: bool) -> int:
    """Show a way from one thing to another: how FIRST led to LAST, or LAST to FIRST.

    Exit 1 when neither came of the other.

    Example: roar why data.csv model.pkl
    """
    from roar_core.lineage.ties import Tie, tie

    def ask(
        opened: Opened,
    ) -> tuple[Project, Target, Target, Tie | None, dict[int, JobRow], list[Used | None]]:
        project, store, refs, *_ = opened
        one, other = (find_target(store, ref, project) for ref in refs)
        with store.reading() as db:
            found = tie(db, one, other)
            if found is None:
                one, other = other, one
                found = tie(db, one, other)
            jobs = jobs_by_id(db, found.jobs if found else ())
            artifacts = [found.began_with, *(p.artifact for p in found.passed)] if found else ()
            passed = [
                None if artifact is None else input_of(db, job, artifact)
                for artifact, job in zip(artifacts, found.jobs if found else (), strict=True)
            ]
        return project, one, other, found, jobs, passed

    project, one, other, found, jobs, passed = answered(
        [first, last], "upstream", ask, remote=remote
    )
    if found is None:
        if as_json:
            output.data(document("why", tied=False, steps=[]))
        else:
            output.line(f"nothing ties {output.printable(first)} and {output.printable(last)}")
        return 1
    results = [False, *(passing.is_result for passing in found.passed)]
    if as_json:
        steps = [
            {
                "job": summary_document(jobs[job]),
                "read": None if used is None else used_document(used, project, jobs),
                "result": is_result,
            }
            for job, used, is_result in zip(found.jobs, passed, results, strict=True)
        ]
        output.data(document("why", tied=True, steps=steps))
        return 0
    print_target(one)
    for job, used, is_result in zip(found.jobs, passed, results, strict=True):
        if used is not None:
            output.line(f"    {name(used, project)}  {wording.short_hash(used.hash)}")
        elif is_result:
            output.line("    its result, without a file")
        output.line(f"  {output.symbol('→', '->')} {job_line(jobs[job])}")
    print_target(other)
    return 0


def _first_users(db: sqlite3.Connection, target: Target) -> list[int]:
    """Who read an artifact itself; a job or session is where its own impact begins."""
    if target.kind != "artifact":
        return list(target.jobs)
    found: dict[int, None] = {}
    for artifact in target.artifacts:
        rows = db.execute(
            "SELECT edge.job FROM edge JOIN job ON job.id = edge.job WHERE edge.artifact = ? "
            "AND edge.direction = 0 AND job.undone_at_ns IS NULL ORDER BY edge.job DESC",
            (artifact,),
        )
        found |= dict.fromkeys(row[0] for row in rows)
    return list(found)


def _source(used: Used, makers: Mapping[int, JobRow], in_git: frozenset[Used]) -> str:
    if used.producer is not None:
        return makers[used.producer].reference
    return "git" if used in in_git else "nobody"
