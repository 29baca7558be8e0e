"""Searches over HTTP: sessions, jobs, labels, files."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Router, get
from litestar.params import Parameter

from roar_glaas.access.caller import Caller
from roar_glaas.api.examples import told
from roar_glaas.api.parameters import Cursor, Limit, known_parameters, plain
from roar_glaas.graph import files, jobs, labelled, sessions
from roar_glaas.graph.limits import reading
from roar_glaas.graph.paging import USUAL
from roar_glaas.moments import moment_us
from roar_glaas.storage.database import Database

Answer = dict[str, Any]
Moment = Annotated[
    str | None,
    Parameter(description="Seconds since the epoch, or ISO 8601; without a zone it is UTC."),
]
Commit = Annotated[str | None, Parameter(description="A git commit, or 7 digits of one.")]


@get("/sessions", sync_to_thread=True, responses=told("sessions"))
def find_sessions(
    database: Database,
    caller: Caller,
    owner: Annotated[str | None, Parameter(description="The name of who has it.")] = None,
    project: Annotated[str | None, Parameter(description="A project's name in addresses.")] = None,
    commit: Commit = None,
    since: Moment = None,
    until: Moment = None,
    limit: Limit = USUAL,
    cursor: Cursor = None,
) -> Answer:
    """Sessions, those registered last first."""
    wanted = sessions.Wanted(
        owner=plain(owner, "owner"),
        project=plain(project, "project"),
        commit=commit,
        since_us=moment_us(since, "since"),
        until_us=moment_us(until, "until"),
    )
    with reading(database) as connection:
        return sessions.find_sessions(connection, caller, wanted, limit, cursor)


@get("/jobs", sync_to_thread=True, responses=told("jobs"))
def find_jobs(
    database: Database,
    caller: Caller,
    command: Annotated[
        str | None,
        Parameter(description="Words that all occur in the command; `*` ends a word's beginning."),
    ] = None,
    commit: Commit = None,
    kind: Annotated[str | None, Parameter(description="run, build, get, put …")] = None,
    job_hash: Annotated[
        str | None, Parameter(description="A job's hash: every time that this was done.")
    ] = None,
    since: Moment = None,
    until: Moment = None,
    limit: Limit = USUAL,
    cursor: Cursor = None,
) -> Answer:
    """Jobs, those started last first; when words are asked for, those registered last first."""
    wanted = jobs.Wanted(
        command=command,
        commit=commit,
        kind=plain(kind, "kind"),
        job_hash=job_hash,
        since_us=moment_us(since, "since"),
        until_us=moment_us(until, "until"),
    )
    with reading(database) as connection:
        return jobs.find_jobs(connection, caller, wanted, limit, cursor)


@get("/jobs/{reference:str}", sync_to_thread=True, responses=told("job"))
def job(
    database: Database,
    caller: Caller,
    reference: Annotated[
        str, Parameter(description="A job's uid or its hash, or 8 digits of either.")
    ],
    session: Annotated[
        str | None, Parameter(description="The hash of its session, where several are named so.")
    ] = None,
) -> Answer:
    """One job, whole: its command, its surroundings, what it read and wrote."""
    with reading(database) as connection:
        return jobs.find_job(connection, caller, reference, session)


@get("/labels", sync_to_thread=True, responses=told("labels"))
def find_labels(
    database: Database,
    caller: Caller,
    key: Annotated[str, Parameter(description="A key, dotted where documents are nested.")],
    value: Annotated[
        str | None, Parameter(description="A text, or JSON of anything else; left out: any.")
    ] = None,
    entity: Annotated[
        Literal["dag", "job", "artifact"] | None, Parameter(description="What carries the label.")
    ] = None,
    limit: Limit = USUAL,
    cursor: Cursor = None,
) -> Answer:
    """What carries a label, by its newest document; what was labelled last comes first."""
    with reading(database) as connection:
        return labelled.find_labels(
            connection,
            caller,
            plain(key, "key") or "",
            plain(value, "value"),
            entity,
            limit,
            cursor,
        )


@get("/files", sync_to_thread=True, responses=told("files"))
def find_files(
    database: Database,
    caller: Caller,
    path: Annotated[str, Parameter(description="A file's name, or the last parts of its path.")],
    direction: Annotated[
        Literal["in", "out"] | None, Parameter(description='Only read ("in") or written ("out").')
    ] = None,
    limit: Limit = USUAL,
    cursor: Cursor = None,
) -> Answer:
    """Where jobs read or wrote files of this name; the jobs registered last come first."""
    with reading(database) as connection:
        return files.find_files(
            connection, caller, plain(path, "path") or "", direction, limit, cursor
        )


finding_routes = Router(
    path="/api/v1/graph",
    guards=[known_parameters],
    tags=["graph"],
    route_handlers=[find_sessions, find_jobs, job, find_labels, find_files],
)
