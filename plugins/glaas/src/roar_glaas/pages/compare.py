"""Two artifacts side by side: what a reviewer of a training request wants to know."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from litestar import Response, get
from litestar.params import Parameter

from roar_glaas.access.caller import Caller
from roar_glaas.errors import Refusal
from roar_glaas.graph.artifacts import describe, find_artifact
from roar_glaas.graph.closure import upstream
from roar_glaas.graph.descriptions import describe_jobs
from roar_glaas.pages import comparison
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
    one, other = sides["a"], sides["b"]
    steps = comparison.steps(one["jobs"], other["jobs"])
    return page(
        "compare.html",
        typed=typed,
        wrong={},
        sides=sides,
        data=comparison.data(one["jobs"], other["jobs"]),
        same_steps=steps.same,
        steps=[_beside(row) for row in steps.different],
        environment=comparison.environments(one["environment"], other["environment"]),
    )


def _side(
    connection: sa.Connection, settings: Settings, caller: Caller, reference: str
) -> dict[str, Any]:
    """All that is shown of one of the two."""
    found = find_artifact(connection, caller, reference.removeprefix("blake3:"))
    ids, is_whole = upstream(connection, caller, found)
    jobs = describe_jobs(connection, ids)
    makers = [job for job in jobs if any(out["hash"] == found.digest for out in job["outputs"])]
    maker = makers[-1] if makers else None
    written = next(
        (edge["path"] for edge in (maker or {}).get("outputs", []) if edge["hash"] == found.digest),
        None,
    )
    metadata = metadata_of(maker) if maker else {}
    return {
        "artifact": describe(connection, caller, found),
        "name": last_part(written) or found.digest[:12],
        "jobs": jobs,
        "isWhole": is_whole,
        "maker": maker,
        "environment": environment(metadata),
        "links": [*workflow_links(settings, found.digest, maker), *tracker_links(metadata)],
    }


def _beside(row: comparison.Row) -> dict[str, Any]:
    """A pair of steps, their commands in pieces that tell what differs."""
    if row.a is None or row.b is None:
        pieces = [[comparison.Piece(job["command"], False)] if job else [] for job in row]
    else:
        pieces = list(comparison.words(row.a["command"], row.b["command"]))
    return {"a": row.a, "b": row.b, "pieces": pieces}
