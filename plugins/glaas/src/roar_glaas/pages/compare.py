"""Two artifacts side by side: what a reviewer of a training request wants to know."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from litestar import Response, get
from litestar.params import Parameter

from roar_glaas.access.caller import Caller
from roar_glaas.errors import Refusal
from roar_glaas.graph.artifacts import describe, find_artifact
from roar_glaas.graph.closure import first_jobs, newest_job, walk_up
from roar_glaas.graph.comparison import MOST_JOBS, compare_jobs
from roar_glaas.graph.descriptions import describe_jobs
from roar_glaas.pages import differences
from roar_glaas.pages.facts import environment, metadata_of
from roar_glaas.pages.links import tracker_links
from roar_glaas.pages.plain import last_part
from roar_glaas.pages.rendering import page
from roar_glaas.pages.workflow import workflow_links
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database

Reference = Annotated[str, Parameter(max_length=200)]


@get("/compare", sync_to_thread=True)
def compare_page(
    settings: Settings, database: Database, caller: Caller, a: Reference = "", b: Reference = ""
) -> Response[str]:
    """What two artifacts were made of, and what differs; asks for what is missing."""
    typed = {"a": a.strip(), "b": b.strip()}
    sides: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    with database.read() as connection:
        for name, reference in typed.items():
            if not reference:
                continue
            try:
                sides[name] = _side(connection, settings, caller, reference)
            except Refusal as error:
                wrong[name] = str(error)
    if len(sides) < 2:
        status = 404 if wrong else 200
        return page("compare.html", status, typed=typed, wrong=wrong, sides=None)
    left, right = sides["a"], sides["b"]
    found = compare_jobs(left["jobs"], right["jobs"])
    return page(
        "compare.html",
        typed=typed,
        wrong={},
        sides=sides,
        data=differences.data(found["inputs"]),
        same_data=found["inputs"]["sharedCount"],
        steps=differences.steps(found["steps"]),
        same_steps=found["sameCount"],
        environment=[
            *differences.environments(left["environment"], right["environment"]),
            *differences.packages(found["packages"]),
        ],
    )


def _side(
    connection: sa.Connection, settings: Settings, caller: Caller, reference: str
) -> dict[str, Any]:
    """All that is shown of one of the two."""
    found = find_artifact(connection, caller, reference.removeprefix("blake3:"))
    walk = walk_up(connection, caller, found, newest_job(connection))
    ids, is_whole = first_jobs(walk, MOST_JOBS)
    jobs = describe_jobs(connection, ids)
    # The artifact's own maker is where the walk begins.
    maker = next((job for job in jobs if job["id"] == ids[0]), None)
    path = next(
        (edge["path"] for edge in (maker or {}).get("outputs", []) if edge["hash"] == found.digest),
        None,
    )
    metadata = metadata_of(maker) if maker else {}
    return {
        "artifact": describe(connection, caller, found),
        "name": last_part(path) or found.digest[:12],
        "jobs": jobs,
        "isWhole": is_whole,
        "maker": maker,
        "environment": environment(metadata),
        "links": [*workflow_links(settings, found.digest, maker), *tracker_links(metadata)],
    }
