"""`roar reproduce`: plan it, ask, make it again somewhere else, and compare."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from roar_core.cli import output
from roar_core.cli.registry.resolving import Opened, answered, remote_option
from roar_core.errors import RoarError, UnreproducibleError, UsageError
from roar_core.project import recordable_project

if TYPE_CHECKING:
    from roar_core.project import Project
    from roar_core.reproduce.plan import Plan
    from roar_core.reproduce.planning import Asked, Told


@click.command(epilog="Example: roar reproduce model.pkl --run")
@click.argument("ref")
@click.option("--run", "run_it", is_flag=True, help="Carry the plan out, after asking.")
@click.option("-y", "--yes", is_flag=True, help="With --run: do not ask.")
@click.option("--into", metavar="DIR", help="Where to; new or empty. Default: beside the project.")
@click.option("--in-place", is_flag=True, help="In this checkout, over its files.")
@click.option("--keep-going", is_flag=True, help="Go on after failures, with what can be run.")
@click.option("--script", "script_file", metavar="FILE", help="Write the plan as a shell script.")
@click.option(
    "--list-requirements", is_flag=True, help="List interpreters, packages and inputs, and stop."
)
@remote_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def reproduce(
    ref: str,
    run_it: bool,
    yes: bool,
    into: str | None,
    in_place: bool,
    keep_going: bool,
    script_file: str | None,
    list_requirements: bool,
    remote: bool,
    as_json: bool,
) -> int:
    """Make recorded bytes again, elsewhere, and compare them with the record.

    Without --run only the plan is shown: every command, and where each input comes from. REF is
    what `roar show` takes (a step, a job, a hash, the path of a file), or session:current. Where
    nothing was recorded the registry is asked; elsewhere with --remote. Nothing that it tells is
    run before you have said so.

    Exit codes: 0 all that was asked for is identical (or the plan can be run); 1 something differs
    or is missing; 3 it could not be run.
    """
    chosen = [run_it, script_file is not None, list_requirements]
    if sum(chosen) > 1:
        raise UsageError("give one of --run, --script and --list-requirements")
    if yes and not run_it:
        raise UsageError("-y answers the question that --run asks; add --run")
    if in_place and into is not None:
        raise UsageError("--in-place and --into contradict each other; give one of them")
    try:
        plan, objects = _plan(ref, into, in_place=in_place, remote=remote)
        if list_requirements:
            return _list(plan, as_json=as_json)
        if script_file is not None:
            return _write_script(plan, objects, script_file)
        if run_it:
            return _carry_out(plan, objects, yes=yes, keep_going=keep_going, as_json=as_json)
    except UsageError:
        raise
    except RoarError as error:
        # 1 would say that something differs.
        raise UnreproducibleError(str(error)) from error
    return _show_plan(plan, objects, as_json=as_json)


def _plan(ref: str, into: str | None, *, in_place: bool, remote: bool) -> tuple[Plan, str]:
    from roar_core.reproduce.planning import Where, make_plan

    def ask(opened: Opened) -> tuple[Plan, str]:
        project = opened.project
        if not project.is_initialised:
            # All of it is searched for inputs, which is no good idea at a home directory.
            recordable_project(project.root)
        asked = _asked(opened, ref)
        root = os.fspath(project.root)
        target = root if in_place else _target(project, asked, into)
        where = Where(root, os.fspath(project.objects), target, in_place)
        plan = make_plan(opened.store, ref, asked, where, os.environ, _told(opened, asked))
        return plan, where.objects

    return answered([ref], "upstream", ask, remote=remote, asks_when_empty=True)


def _told(opened: Opened, asked: Asked) -> Told | None:
    """Who told of the recipe; None when it was recorded here."""
    from roar_core.lineage.closure import upstream
    from roar_core.lineage.session import jobs_by_id, jobs_by_uid
    from roar_core.registry.resolving.translating import registered_by, source_urls
    from roar_core.reproduce.planning import Told

    if opened.answers is None:
        return None
    with opened.store.reading() as db:
        own = [row.id for row in jobs_by_uid(db, asked.uids).values()]
        jobs = jobs_by_id(db, upstream(db, own).distances).values()
    by = registered_by(opened.answers, [job.origin for job in jobs if job.origin])
    return Told(by, source_urls(opened.answers)) if by else None


def _target(project: Project, asked: Asked, into: str | None) -> str:
    from roar_core.reproduce.checkout import require_empty

    if into is None:
        name = (asked.hash or asked.uids[0]).rpartition(":")[2][:8]
        is_project = project.is_initialised or (project.root / ".git").exists()
        into = f"{project.root}-reproduced-{name}"
        if not is_project:
            into = f"{project.root}/reproduced-{name}"
    target = os.path.realpath(into)
    reserved = (os.fspath(project.roar_dir), f"{project.root}/.git")
    if any(target == folder or target.startswith(f"{folder}/") for folder in reserved):
        raise UsageError(f"--into {into}: that is inside {project.root}'s own records")
    require_empty(target)
    return target


def _asked(opened: Opened, ref: str) -> Asked:
    """What REF asks for, and the jobs that made it. Raises `NotFoundError`."""
    from roar_core.lineage.read import whole_graph
    from roar_core.lineage.session import jobs_by_id
    from roar_core.lineage.target import find_target
    from roar_core.reproduce.planning import Asked

    target = find_target(opened.store, opened.refs[0], opened.project)
    with opened.store.reading() as db:
        jobs = list(target.jobs)
        if target.kind == "session":
            session = int(target.name.partition(":")[2])
            jobs = [node.shown.id for node in whole_graph(db, session)]
        uids = tuple(row.uid for row in jobs_by_id(db, jobs).values())
    if not uids:
        raise UnreproducibleError(_unmade(opened, ref, target.hash))
    return Asked(uids, target.hash if target.kind == "artifact" else None)


def _unmade(opened: Opened, ref: str, name: str | None) -> str:
    """Why bytes cannot be made again, and where they may be had."""
    from roar_core.registry.resolving.translating import source_urls

    source = source_urls(opened.answers).get(name or "") if opened.answers else None
    remedy = f"it was fetched from {source}" if source else "to be kept or fetched"
    return f"no recorded job made {ref}: it is an input from outside, {remedy}"


def _show_plan(plan: Plan, objects: str, *, as_json: bool) -> int:
    if as_json:
        from roar_core.cli.reproduce_documents import plan_document

        output.data(plan_document(plan))
    else:
        from roar_core.cli.reproduce_view import print_plan

        print_plan(plan, objects, output.line)
        if plan.problems:
            output.tell("this cannot be run as it is; --run --keep-going runs what can be")
        else:
            output.tell("nothing was run; --run carries this out")
    return 3 if plan.problems else 0


def _list(plan: Plan, *, as_json: bool) -> int:
    if as_json:
        from roar_core.cli.reproduce_documents import requirements_document

        output.data(requirements_document(plan))
    else:
        from roar_core.cli.reproduce_view import print_requirements

        print_requirements(plan)
    return 3 if plan.problems else 0


def _write_script(plan: Plan, objects: str, file: str) -> int:
    from roar_core.reproduce.script import script

    content = script(plan, objects)
    if file == "-":
        output.raw(content)
        return 3 if plan.problems else 0
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o755)
        with open(descriptor, "wb") as stream:  # noqa: PTH123 - a descriptor
            stream.write(content)
    except FileExistsError as error:
        raise UsageError(f"{file} exists already; choose another name") from error
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    for problem in plan.problems:
        output.warn(problem)
    output.tell(f"wrote {file}; read it, then: sh {file}")
    return 3 if plan.problems else 0


def _carry_out(plan: Plan, objects: str, *, yes: bool, keep_going: bool, as_json: bool) -> int:
    from roar_core.cli.reproduce_view import print_plan, print_reproduction
    from roar_core.reproduce.replay import Settings, carry_out

    # stdout is for the document.
    print_plan(plan, objects, output.note if as_json else output.line)
    if plan.problems and not keep_going:
        raise UnreproducibleError(
            "this cannot be run as it is, for the reasons above; --keep-going runs what can be"
        )
    if not yes:
        _ask(plan)
    settings = Settings(objects, os.environ, keep_going, output.tell, output.warn)
    try:
        done = carry_out(plan, settings)
    except KeyboardInterrupt:
        if not plan.in_place:
            output.warn(f"interrupted; what was made so far is in {plan.target}")
        raise
    if as_json:
        from roar_core.cli.reproduce_documents import reproduction_document

        output.data(reproduction_document(done))
    else:
        print_reproduction(done)
    return done.exit_code


def _ask(plan: Plan) -> None:
    """Go on only when a person says so. Raises `UnreproducibleError` otherwise."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise UnreproducibleError(
            "there is no terminal to ask on, so nothing was run; -y runs these commands unasked"
        )
    where = f"over the files of {plan.target}" if plan.in_place else f"in {plan.target}"
    whose = ", which others registered," if plan.told_by else ""
    question = f"Run these commands{whose} {output.printable(where)}?"
    if not click.confirm(question, default=False, err=True):
        raise UnreproducibleError("nothing was run")
