"""Looking something up: by hash, by the name of a file, by label, by the words of a command."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import sqlalchemy as sa
from litestar import Response, get
from litestar.params import Parameter
from litestar.response import Redirect

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.digests import is_hexadecimal
from roar_glaas.errors import BadRequest, Conflict, NotFound
from roar_glaas.graph.artifacts import SHORTEST_PREFIX, find_artifact
from roar_glaas.graph.files import find_files
from roar_glaas.graph.jobs import Wanted, brief_jobs, find_jobs, job_id_of
from roar_glaas.graph.labelled import find_labels
from roar_glaas.graph.sessions import Wanted as WantedSessions
from roar_glaas.graph.sessions import find_sessions
from roar_glaas.labels.values import MOST_CHARACTERS
from roar_glaas.pages.rendering import page
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database
from roar_glaas.storage.tables import session

_LISTED = 20
_MOST_TYPED = 4_000
After = Annotated[str | None, Parameter(max_length=500)]


@get("/", sync_to_thread=True)
def home(settings: Settings, database: Database, caller: Caller) -> Response[str]:
    """Where to look something up, and what was registered last."""
    with database.read() as connection:
        found = find_sessions(connection, caller, WantedSessions(), 10, None)["sessions"]
    return page("home.html", recent=found, address=settings.url, is_open=settings.takes_anonymous)


@get("/search", sync_to_thread=True)
def search(
    database: Database,
    caller: Caller,
    q: Annotated[str, Parameter(max_length=_MOST_TYPED)] = "",
    files_after: After = None,
    labels_after: After = None,
    jobs_after: After = None,
) -> Response[Any]:
    """What was typed: a hash leads where it belongs, anything else to a list of what fits."""
    typed = q.strip().replace("\0", "")
    if not typed:
        return Redirect("/")
    with database.read() as connection:
        place = _place_of(connection, caller, typed)
        if place is not None:
            return Redirect(place)
        return page(
            "search.html",
            query=typed,
            is_hash=_hash_in(typed) is not None,
            files=_files(connection, caller, typed, files_after),
            labels=_labels(connection, caller, typed, labels_after),
            jobs=_jobs(connection, caller, typed, jobs_after),
        )


def _hash_in(typed: str) -> str | None:
    """The digits of a hash, or of its beginning; None for anything else."""
    text = typed.lower().rpartition(":")[2]
    is_hash = SHORTEST_PREFIX <= len(text) <= 128 and is_hexadecimal(text)
    return text if is_hash else None


def _place_of(connection: sa.Connection, caller: Caller, typed: str) -> str | None:
    """The page of the one artifact, session or job that a hash names; None when there is none."""
    text = _hash_in(typed)
    if text is None:
        return None
    try:
        return f"/artifacts/{find_artifact(connection, caller, text).digest}"
    except Conflict:
        return f"/artifacts/{text}"  # whose page tells that it names several
    except NotFound:
        return _session_place(connection, caller, text) or _job_place(connection, caller, text)


def _session_place(connection: sa.Connection, caller: Caller, text: str) -> str | None:
    if len(text) > 64:
        return None
    low, high = (bytes.fromhex(text.ljust(64, digit)) for digit in "0f")
    found = connection.execute(
        sa.select(session.c.hash).where(session.c.hash.between(low, high), visible(caller)).limit(2)
    ).scalars()
    hashes = [bytes(one).hex() for one in found]
    return f"/dag/{hashes[0]}" if len(hashes) == 1 else None


def _job_place(connection: sa.Connection, caller: Caller, text: str) -> str | None:
    if len(text) > 64:
        return None
    try:
        (found,) = brief_jobs(connection, [job_id_of(connection, caller, text)])
    except (Conflict, NotFound):
        return None
    return f"/jobs/{found['jobUid']}?session={found['sessionHash']}"


def _files(
    connection: sa.Connection, caller: Caller, typed: str, after: str | None
) -> dict[str, Any]:
    try:
        found = find_files(connection, caller, typed, None, _LISTED, after)
    except BadRequest:  # no name at its end: nothing is called so
        return {"files": [], "next": None}
    # One line for the same bytes under one path in one session, whoever used them there.
    lines: dict[tuple[str, str, str], dict[str, Any]] = {}
    for use in found["files"]:
        same = use["hash"], use["path"], use["sessionHash"]
        lines.setdefault(same, {**use, "uses": []})["uses"].append(use)
    return {"files": list(lines.values()), "next": _next("files", typed, found)}


def _labels(
    connection: sa.Connection, caller: Caller, typed: str, after: str | None
) -> dict[str, Any]:
    """Labels by `key=value`, or by a key alone."""
    key, is_pair, value = typed.partition("=")
    wanted = value.strip() if is_pair else None
    found = find_labels(
        connection, caller, key.strip()[:MOST_CHARACTERS], wanted, None, _LISTED, after
    )
    for one in found["labels"]:
        if one["entityType"] == "artifact":
            one["address"] = f"/artifacts/{one['artifactHash']}"
        elif one["entityType"] == "job":
            one["address"] = f"/jobs/{one['jobUid']}?session={one['sessionHash']}"
        else:
            one["address"] = f"/dag/{one['sessionHash']}"
    return {"labels": found["labels"], "next": _next("labels", typed, found)}


def _jobs(
    connection: sa.Connection, caller: Caller, typed: str, after: str | None
) -> dict[str, Any]:
    name = _hash_in(typed)
    wanted = Wanted(job_hash=name) if name and len(name) == 64 else Wanted(command=typed)
    try:
        found = find_jobs(connection, caller, wanted, _LISTED, after)
    except BadRequest:  # not a word in it
        return {"jobs": [], "next": None}
    return {"jobs": found["jobs"], "next": _next("jobs", typed, found)}


def _next(what: str, typed: str, found: dict[str, Any]) -> str | None:
    cursor = found["nextCursor"]
    return cursor and f"/search?q={quote(typed, safe='')}&{what}_after={cursor}#{what}"
