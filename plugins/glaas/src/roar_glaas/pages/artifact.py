"""An artifact or a dataset: how it was made, who used it, what is in it."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from litestar import Response, get
from litestar.params import Parameter

from roar_glaas.access.caller import Caller
from roar_glaas.errors import BadRequest
from roar_glaas.graph.artifacts import Found, describe, find_artifact
from roar_glaas.graph.closure import newest_job, upstream, walk_down
from roar_glaas.graph.descriptions import describe_jobs
from roar_glaas.graph.membership import datasets_with, is_member, members
from roar_glaas.graph.neighbours import consumers, producers
from roar_glaas.pages.drawing import drawing
from roar_glaas.pages.facts import environment, label_lines, metadata_of
from roar_glaas.pages.links import tracker_links
from roar_glaas.pages.plain import heading, last_part
from roar_glaas.pages.rendering import built, page
from roar_glaas.pages.workflow import workflow_links
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database
from roar_glaas.storage.tables import job

_MOST_PRODUCERS = 20
_MOST_MEMBERS = 100
_MOST_USED = 2_000
_LISTED = 50
After = Annotated[str | None, Parameter(query="after", max_length=500)]


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
        recipe = _recipe(connection, caller, found)
        told = describe(connection, caller, found)
        inside = (
            members(connection, caller, found, _MOST_MEMBERS, members_after)
            if found.is_composite
            else None
        )
        answer = _answer(connection, caller, found, member) if inside and member else None
        of_datasets = datasets_with(
            connection, caller, found.digest, found.algorithm, _LISTED, None
        )
    metadata = metadata_of(recipe) if recipe else {}
    return page(
        "artifact.html",
        artifact=told,
        name=_name(told, made["jobs"], read["jobs"]),
        recipe=recipe,
        others=[one for one in made["jobs"] if not recipe or one["jobUid"] != recipe["jobUid"]],
        environment=environment(metadata),
        links=[
            *workflow_links(settings, found.digest, recipe),
            *tracker_links(metadata),
        ],
        readers=read,
        members=inside,
        member=member,
        answer=answer,
        datasets=of_datasets["datasets"],
        labels=label_lines(told["labels"]),
    )


@get("/artifacts/{reference:str}/recipe", sync_to_thread=True)
def recipe_page(database: Database, caller: Caller, reference: str) -> Response[str]:
    """Every job that an artifact came from, across sessions, in the order they ran."""
    found, told, jobs, is_whole = _upstream(database, caller, reference)
    return page(
        "recipe.html",
        artifact=told,
        name=_name(told, [], []) or found.digest[:12],
        jobs=jobs[:1000],
        count=len(jobs),
        is_whole=is_whole,
        has_graph=built("graph.js") is not None,
    )


@get("/artifacts/{reference:str}/recipe/graph", sync_to_thread=True)
def recipe_graph(database: Database, caller: Caller, reference: str) -> dict[str, Any]:
    """What the recipe's page draws."""
    _, _, jobs, is_whole = _upstream(database, caller, reference)
    return drawing(jobs, is_whole=is_whole)


@get("/artifacts/{reference:str}/uses", sync_to_thread=True)
def uses_page(database: Database, caller: Caller, reference: str) -> Response[str]:
    """Everything that was made of an artifact, at any distance: "every model that used this"."""
    with database.read() as connection:
        found = find_artifact(connection, caller, reference)
        ids: list[int] = []
        is_whole = True
        for step in walk_down(connection, caller, found, newest_job(connection)):
            if len(ids) == _MOST_USED:
                is_whole = False
                break
            ids.append(step.job_id)
        jobs = describe_jobs(connection, ids)
        told = describe(connection, caller, found)
    return page(
        "uses.html",
        artifact=told,
        name=_name(told, [], []) or found.digest[:12],
        results=_results(jobs),
        count=len(jobs),
        is_whole=is_whole,
    )


def _results(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the jobs wrote and none of them read, the last first: models, reports, predictions."""
    read = {edge["hash"] for job in jobs for edge in job["inputs"]}
    found: dict[str, dict[str, Any]] = {}
    for one in jobs:
        for edge in one["outputs"]:
            if edge["hash"] not in read:
                found[edge["hash"]] = {
                    "edge": edge,
                    "job": one,
                    "heading": heading(one["command"]),
                }
    return list(reversed(found.values()))


def _upstream(
    database: Database, caller: Caller, reference: str
) -> tuple[Found, dict[str, Any], list[dict[str, Any]], bool]:
    with database.read() as connection:
        found = find_artifact(connection, caller, reference)
        ids, is_whole = upstream(connection, caller, found)
        jobs = describe_jobs(connection, ids)
        return found, describe(connection, caller, found), jobs, is_whole


def _recipe(connection: sa.Connection, caller: Caller, found: Found) -> dict[str, Any] | None:
    """The job that made it: of several, the newest (see `graph.producers`)."""
    made = producers(connection, caller, found, _MOST_PRODUCERS, None)["jobs"]
    if not made:
        return None
    newest = max(made, key=lambda one: float(one["startedAt"]))
    uid = bytes.fromhex(newest["jobUid"])
    ids = connection.execute(sa.select(job.c.id).where(job.c.uid == uid)).scalars()
    whole = describe_jobs(connection, ids)
    return next(one for one in whole if one["sessionHash"] == newest["sessionHash"])


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
