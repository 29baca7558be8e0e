"""An artifact or a dataset: how it was made, who used it, what is in it."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from litestar import Response, get
from litestar.params import Parameter

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.digests import ETAG
from roar_glaas.errors import BadRequest
from roar_glaas.graph.artifacts import Found, describe, find_artifact
from roar_glaas.graph.closure import upstream
from roar_glaas.graph.descriptions import describe_jobs
from roar_glaas.graph.jobs import find_job
from roar_glaas.graph.membership import datasets_with, is_member, members
from roar_glaas.graph.neighbours import consumers, producers
from roar_glaas.graph.results import results_of
from roar_glaas.pages.drawing import drawing
from roar_glaas.pages.facts import environment, metadata_of
from roar_glaas.pages.labels import artifact_labels
from roar_glaas.pages.links import tracker_links
from roar_glaas.pages.plain import last_part
from roar_glaas.pages.rendering import can_draw, page
from roar_glaas.pages.workflow import workflow_links
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database
from roar_glaas.storage.tables import job, session

_MOST_PRODUCERS = 20
_MOST_MEMBERS = 50
_READERS_OF_USES = 200
_LISTED = 50


@get("/artifacts/{reference:str}", sync_to_thread=True)
def artifact_page(
    settings: Settings,
    database: Database,
    caller: Caller,
    reference: str,
    readers_after: Annotated[str | None, Parameter(max_length=500)] = None,
    members_after: Annotated[str | None, Parameter(max_length=500)] = None,
    member: Annotated[str, Parameter(max_length=200)] = "",
) -> Response[str]:
    """What an artifact is, the recipe that made it, what was made of it."""
    with database.read() as connection:
        found = find_artifact(connection, caller, reference)
        made = producers(connection, caller, found, _MOST_PRODUCERS, None)
        read = consumers(connection, caller, found, _LISTED, readers_after)
        recipe = _recipe(connection, caller, made["jobs"])
        told = describe(connection, caller, found)
        labels = artifact_labels(connection, caller, found.id)
        inside = (
            members(connection, caller, found, _MOST_MEMBERS, members_after)
            if found.is_composite
            else None
        )
        answer = _answer(connection, caller, found, member) if inside and member else None
        # An object store's etag is no digest that a dataset's members go by.
        of_datasets = (
            []
            if found.algorithm == ETAG
            else datasets_with(connection, caller, found.digest, found.algorithm, _LISTED, None)[
                "datasets"
            ]
        )
    metadata = metadata_of(recipe) if recipe else {}
    return page(
        "artifact.html",
        artifact=told,
        name=_name(told, made["jobs"], read["jobs"]),
        recipe=recipe,
        others=[one for one in made["jobs"] if not _is_same(one, recipe)],
        environment=environment(metadata),
        links=[
            *workflow_links(settings, found.digest, recipe),
            *tracker_links(metadata),
        ],
        readers=read,
        members=inside,
        member=member,
        answer=answer,
        datasets=of_datasets,
        labels=labels,
    )


@get("/artifacts/{reference:str}/recipe", sync_to_thread=True)
def recipe_page(database: Database, caller: Caller, reference: str) -> Response[str]:
    """Every job that an artifact came from, across sessions, in the order they ran."""
    found, told, jobs, is_whole = _upstream(database, caller, reference)
    with database.read() as connection:
        made = producers(connection, caller, found, 1, None)["jobs"]
    return page(
        "recipe.html",
        artifact=told,
        name=_name(told, made, []) or found.digest[:12],
        jobs=jobs[:1000],
        count=len(jobs),
        is_whole=is_whole,
        has_graph=can_draw(),
    )


@get("/artifacts/{reference:str}/recipe/graph", sync_to_thread=True)
def recipe_graph(database: Database, caller: Caller, reference: str) -> dict[str, Any]:
    """What the recipe's page draws."""
    _, _, jobs, is_whole = _upstream(database, caller, reference)
    return drawing(jobs, is_whole=is_whole)


@get("/artifacts/{reference:str}/uses", sync_to_thread=True)
def uses_page(
    database: Database,
    caller: Caller,
    reference: str,
    after: Annotated[str | None, Parameter(max_length=500)] = None,
) -> Response[str]:
    """What was made of an artifact in the end: "every model that used this"."""
    with database.read() as connection:
        found = find_artifact(connection, caller, reference)
        results = results_of(connection, caller, found, _READERS_OF_USES, after)
        told = describe(connection, caller, found)
        made = producers(connection, caller, found, 1, None)["jobs"]
        direct = _written_by(connection, caller, results["readers"])
    jobs = {one["jobUid"]: one for one in (*results["readers"], *results["downstream"])}
    shown = {one["hash"] for one in direct}
    return page(
        "uses.html",
        artifact=told,
        name=_name(told, made, []) or found.digest[:12],
        uses=results,
        jobs=jobs,
        direct=direct,
        further=[one for one in results["results"] if one["hash"] not in shown],
    )


def _written_by(
    connection: sa.Connection, caller: Caller, readers: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What jobs wrote, in the order of the jobs: the models that were trained on a dataset."""
    uids = [bytes.fromhex(one["jobUid"]) for one in readers]
    ids = connection.execute(
        sa.select(job.c.id)
        .join(session, session.c.id == job.c.session_id)
        .where(job.c.uid.in_(uids), visible(caller))
    ).scalars()
    place = {(one["jobUid"], one["sessionHash"]): n for n, one in enumerate(readers)}
    whole = [
        one
        for one in describe_jobs(connection, ids)
        if (one["jobUid"], one["sessionHash"]) in place
    ]
    whole.sort(key=lambda one: place[one["jobUid"], one["sessionHash"]])
    found: dict[str, dict[str, Any]] = {}
    for one in whole:
        for edge in one["outputs"]:
            about = {"jobUid": one["jobUid"], "sessionHash": one["sessionHash"]}
            found.setdefault(edge["hash"], {**edge, **about})
    return list(found.values())


def _upstream(
    database: Database, caller: Caller, reference: str
) -> tuple[Found, dict[str, Any], list[dict[str, Any]], bool]:
    with database.read() as connection:
        found = find_artifact(connection, caller, reference)
        ids, is_whole = upstream(connection, caller, found)
        jobs = describe_jobs(connection, ids)
        return found, describe(connection, caller, found), jobs, is_whole


def _recipe(
    connection: sa.Connection, caller: Caller, made: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """The job that made it: of several, the one that began last, as every walk has it."""
    if not made:
        return None
    last = max(made, key=lambda one: float(one["startedAt"]))
    return find_job(connection, caller, last["jobUid"], last["sessionHash"])


def _is_same(one: dict[str, Any], other: dict[str, Any] | None) -> bool:
    """Whether both are one job of one session: other owners may register it as theirs."""
    return other is not None and all(one[key] == other[key] for key in ("jobUid", "sessionHash"))


def _name(told: dict[str, Any], made: list[dict[str, Any]], read: list[dict[str, Any]]) -> str:
    """What people call it: the file's name where it was written, or read."""
    for one in (*made, *read):
        for use in one["uses"]:
            if use["path"]:
                return last_part(use["path"])
    return last_part(told["sourceUrl"])


def _answer(connection: sa.Connection, caller: Caller, found: Found, text: str) -> dict[str, Any]:
    """The answer to "is this file in it?", or the reason why there is none."""
    digest = text.strip().lower().removeprefix("blake3:")
    try:
        return is_member(connection, caller, found, digest, "blake3")
    except BadRequest:
        return {"answer": "none", "paths": [], "falsePositiveRate": None, "basis": None}
