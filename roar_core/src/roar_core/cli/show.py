"""`roar show`: a job, an artifact, or the recipe of a file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from roar_core.cli import output
from roar_core.cli.marks_view import (
    Marks,
    mark_documents,
    marks_of_artifact,
    marks_of_job,
    marks_of_session,
    print_marks,
    there_document,
)
from roar_core.cli.opening import open_project
from roar_core.cli.registry.registration_view import (
    print_registrations,
    registration_documents,
    registrations_about,
)
from roar_core.cli.registry.resolving import Opened, answered, remote_option
from roar_core.errors import NotFoundError, UsageError
from roar_core.lineage.session import JobRow, find_session, jobs_by_uid, session_jobs
from roar_core.lineage.tasks import Family, Need, family_of, needs_of

if TYPE_CHECKING:
    import sqlite3

    from roar_core.cli.documents import Document
    from roar_core.lineage.recipe import Recipe, Use
    from roar_core.model.job import Job
    from roar_core.project import Project
    from roar_core.store.found import ArtifactInfo, MemberInfo
    from roar_core.store.writer import Store

    Found = Job | ArtifactInfo | Recipe | MemberInfo


# As a copy calls what a registry has registered.
_SESSION = re.compile(r"session:-[0-9]+")


@click.command()
@click.argument("ref", required=False, metavar="[REF]")
@click.option("--all", "everything", is_flag=True, help="Show long lists in full.")
@click.option(
    "--expand",
    "--expanded",
    "expanded",
    is_flag=True,
    help="List every attempt at the tasks below a job.",
)
@click.option("--verify", is_flag=True, help="Compare a file with its record however large it is.")
@click.option("--components", is_flag=True, help="List the members of a dataset.")
@click.option(
    "--contains",
    metavar="FILE|HASH",
    help="Say whether these bytes are a member of a dataset; exit 1 when not.",
)
@remote_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def show(
    ref: str | None,
    everything: bool,
    expanded: bool,
    verify: bool,
    components: bool,
    contains: str | None,
    remote: bool,
    as_json: bool,
) -> int:
    """Show a job, an artifact, a dataset, or the recipe of a file; without REF the newest job.

    REF is a step (@3; @3.2 its second attempt; @B1 a build), the beginning of a job's uid, of a
    job hash or of an artifact's hash (four digits or more), or the path of a file, of a dataset's
    folder, or of a file in it. With --remote it is also what the registry calls so: eight digits
    or more, the hash of a session, or a page of the registry.

    Examples: roar show model.pkl; roar show data.zarr --contains old.bin
    """
    if ref is None and remote:
        raise UsageError("--remote asks about something: roar show REF --remote")

    def ask(opened: Opened) -> Callable[[], int]:
        if opened.answers is not None and _SESSION.fullmatch(opened.refs[0]):
            return _session(opened, as_json=as_json)
        found = _find(opened.store, opened.project, opened.refs[0], verify=verify)
        if components or contains is not None:
            return _members(opened, found, contains, components=components, as_json=as_json)
        return _told(opened, found, everything=everything, expanded=expanded, as_json=as_json)

    if ref is not None:
        return answered([ref], "near", ask, remote=remote)()
    from roar_core.store.writer import Store

    with open_project(Store) as (project, store):
        return ask(Opened(project, store, ("",)))()


def _told(
    opened: Opened, found: Found, *, everything: bool, expanded: bool, as_json: bool
) -> Callable[[], int]:
    """What prints something that was found."""
    from roar_core.model.job import Job
    from roar_core.store.found import ArtifactInfo, MemberInfo

    project = opened.project
    uids = _uids_named_by(found)
    told = _job_told_by(found)
    with opened.store.reading() as db:
        with_rows = everything or expanded or as_json
        family = family_of(db, told.uid, with_rows=with_rows) if told else Family()
        needs = needs_of(db, told.uid) if told and as_json else []
        parents = [family.parent] if family.parent else []
        jobs = jobs_by_uid(db, (*uids, *parents, *([told.uid] if told else [])))
        places = registrations_about(db, found)
        marks = _marks(opened, db, found)
    with_own = not isinstance(found, Job)  # a job tells its own labels itself
    told_too: Document = {"registrations": registration_documents(places)} if as_json else {}
    if as_json and marks is not None:
        told_too |= mark_documents(marks, with_own=with_own)

    def tell() -> int:
        if isinstance(found, Job):
            if as_json:
                from roar_core.cli.documents import job_document

                origin = jobs[found.uid].origin
                output.data(job_document(found, project, family, needs, origin) | told_too)
            else:
                from roar_core.cli.job_view import print_job

                steps = {uid: row.reference for uid, row in jobs.items()}
                print_job(
                    *(found, project, steps, family, jobs[found.uid].origin),
                    everything=everything,
                    expanded=expanded,
                )
        elif isinstance(found, ArtifactInfo):
            _show_artifact(found, project, jobs, told_too, everything=everything, as_json=as_json)
        elif isinstance(found, MemberInfo):
            _show_member(found, project, jobs, as_json=as_json)
        else:
            _show_recipe(
                *(found, project, jobs, family, needs, told_too),
                everything=everything,
                as_json=as_json,
            )
        if not as_json:
            if marks is not None:
                print_marks(marks, with_own=with_own, everything=everything)
            print_registrations(places)
        return 0

    return tell


def _marks(opened: Opened, db: sqlite3.Connection, found: Found) -> Marks | None:
    """The labels and tags of what is shown; members of a dataset have none of their own."""
    from roar_core.model.job import Job
    from roar_core.store.found import MemberInfo

    if isinstance(found, MemberInfo):
        return None
    if isinstance(found, Job):
        return marks_of_job(opened, found.uid, found.labels)
    return marks_of_artifact(opened, db, found.hash)


def _members(
    opened: Opened, found: Found, contains: str | None, *, components: bool, as_json: bool
) -> Callable[[], int]:
    """The members of a dataset, or whether something is one: told while the database is open."""
    from roar_core.cli.dataset_view import show_components, show_membership

    dataset = _dataset(found, opened.refs[0])
    if contains is not None:
        status = show_membership(opened.store, dataset, contains, as_json=as_json)
    else:
        show_components(opened.store, dataset, as_json=as_json)
        status = 0
    return lambda: status


def _session(opened: Opened, *, as_json: bool) -> Callable[[], int]:
    """The jobs of a session that a registry knows."""
    from roar_core.cli.documents import document, session_document, summary_document
    from roar_core.cli.log import job_lines

    number = int(opened.refs[0].partition(":")[2])
    with opened.store.reading() as db:
        session = find_session(db, number)
        jobs = session_jobs(db, number)
    marks = marks_of_session(opened, (jobs[0].origin or "").rpartition("/")[2] if jobs else "")
    there = {"there": there_document(marks.there)} if marks.there else {}

    def tell() -> int:
        if as_json:
            listed = [summary_document(job) for job in jobs]
            told = session and session_document(session)
            output.data(document("log", session=told, total=len(jobs), jobs=listed, **there))
            return 0
        for row in job_lines(jobs, {}) if jobs else ():
            output.line(row)
        print_marks(marks, with_own=False, everything=False)
        if jobs:
            output.tell(f"told by {jobs[0].origin}")
        return 0

    return tell


def _dataset(found: Found, ref: str) -> str:
    """The hash of the dataset that was asked about."""
    name = getattr(found, "hash", None)
    if isinstance(name, str) and name.startswith("composite-"):
        return name
    raise NotFoundError(
        f"{ref or 'the newest job'} is no dataset; `roar show @N` names those of a job"
    )


def _show_member(
    member: MemberInfo, project: Project, jobs: dict[str, JobRow], *, as_json: bool
) -> None:
    from roar_core.cli.dataset_view import member_document, print_member

    if as_json:
        output.data(member_document(member, project, jobs))
    else:
        print_member(member, project, jobs)


def _find(store: Store, project: Project, ref: str, *, verify: bool) -> Found:
    from roar_core.lineage.recipe import recipe_of_bytes, recipe_of_history
    from roar_core.store.found import PathHistory

    if not ref:
        return _newest_job(store)
    try:
        found = store.resolve(ref, os.getcwd(), str(project.root))  # noqa: PTH109 - bytes survive
    except NotFoundError:
        path = os.path.realpath(ref)
        if ref.startswith("@") or not os.path.lexists(path):
            raise
        return recipe_of_bytes(store, path, repr(ref))
    if isinstance(found, PathHistory):
        return recipe_of_history(store, found, verify=verify)
    return found


def _newest_job(store: Store) -> Job:
    with store.reading() as db:
        session = find_session(db, None)
        newest = session_jobs(db, session.number, limit=1) if session else []
    if not newest:
        raise NotFoundError(
            "nothing is recorded in this session yet; start with: roar run <your command>"
        )
    return store.job(newest[0].uid)


def _uids_named_by(found: Found) -> Iterable[str]:
    """The jobs whose step or command the answer mentions."""
    from roar_core.model.job import Job
    from roar_core.store.found import ArtifactInfo, MemberInfo

    if isinstance(found, Job):
        uids = [edge.producer for edge in found.inputs if edge.producer]
        return uids + [uid for edge in found.inputs for uid in edge.further_producers]
    if isinstance(found, MemberInfo):
        places = found.memberships
        return [use.uid for place in places for use in (*place.producers, *place.consumers)]
    if isinstance(found, ArtifactInfo):
        return [use.uid for use in (*found.producers, *found.consumers)]
    uids = [use.uid for use in (*found.producers, *found.consumers)]
    return uids + ([] if found.producer is None else list(_uids_named_by(found.producer)))


def _job_told_by(found: Found) -> Job | None:
    """The job of which everything is shown."""
    from roar_core.lineage.recipe import Recipe
    from roar_core.model.job import Job

    if isinstance(found, Job):
        return found
    return found.producer if isinstance(found, Recipe) else None


def _show_artifact(
    artifact: ArtifactInfo,
    project: Project,
    jobs: dict[str, JobRow],
    told_too: Document,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    if not as_json:
        from roar_core.cli.recipe_view import print_artifact

        print_artifact(artifact, project, jobs, everything=everything)
        return
    from roar_core.cli.documents import document, timestamp
    from roar_core.lineage.recipe import uses_of

    output.data(
        document(
            "artifact",
            hash=artifact.hash,
            size=artifact.size,
            kind=_kind_of(artifact),
            digests=dict(artifact.digests),
            first_seen_at=timestamp(artifact.first_seen_ns),
            composite=artifact.composite
            and {
                "layout": artifact.composite.layout,
                "members": artifact.composite.members,
                "listed": artifact.composite.is_listed,
            },
            producers=_places(uses_of(artifact, written=True), project, jobs),
            consumers=_places(uses_of(artifact, written=False), project, jobs),
            **told_too,
        )
    )


def _kind_of(artifact: ArtifactInfo) -> str:
    if artifact.composite:
        return "composite"
    kinds = {use.kind for use in (*artifact.producers, *artifact.consumers)}
    return "object" if kinds == {"object"} else "file"


def _show_recipe(
    recipe: Recipe,
    project: Project,
    jobs: dict[str, JobRow],
    family: Family,
    needs: list[Need],
    told_too: Document,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    if not as_json:
        from roar_core.cli.recipe_view import print_recipe

        print_recipe(recipe, project, jobs, everything=everything)
        return
    from roar_core.cli.documents import document, edge_document, job_document, path_fields

    output.data(
        document(
            "file",
            **path_fields(recipe.path, project),
            now=recipe.now,
            recorded=recipe.recorded and edge_document(recipe.recorded, project),
            hash=recipe.hash,
            producer=recipe.producer
            and job_document(
                recipe.producer, project, family, needs, jobs[recipe.producer.uid].origin
            ),
            producers=_places(recipe.producers, project, jobs),
            consumers=_places(recipe.consumers, project, jobs),
            **told_too,
        )
    )


def _places(uses: Iterable[Use], project: Project, jobs: dict[str, JobRow]) -> list[Document]:
    from roar_core.cli.documents import path_fields, summary_document

    return [
        path_fields(use.path, project) | {"hash": use.hash, "job": summary_document(jobs[use.uid])}
        for use in uses
    ]
