"""Lineage told whole over HTTP: for clients that go on with it by themselves."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Router, get
from litestar.params import Parameter

from roar_glaas.access.caller import Caller
from roar_glaas.api.examples import told
from roar_glaas.api.parameters import Cursor, known_parameters, plain
from roar_glaas.graph.limits import reading
from roar_glaas.graph.whole import whole_page
from roar_glaas.storage.database import Database

_USUAL = 500
_MOST = 1_000
_MOST_CHARACTERS = 16_000


@get("/whole", sync_to_thread=True, responses=told("whole"))
def whole(
    database: Database,
    caller: Caller,
    of: Annotated[
        str,
        Parameter(
            max_length=_MOST_CHARACTERS,
            description="What is asked about, separated by commas: digests of artifacts or 8 "
            "digits of them, uids of jobs, hashes of sessions; a hundred at most.",
        ),
    ],
    direction: Annotated[
        Literal["upstream", "downstream", "near", "builds"],
        Parameter(
            description="What it came from, what came of it, only who wrote or read it, or the "
            "builds of a session."
        ),
    ] = "near",
    limit: Annotated[int, Parameter(ge=1, le=_MOST, description="How many jobs at once.")] = _USUAL,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Jobs with all that they read and wrote, and what is known of those artifacts."""
    references = [plain(one.strip(), "of") or "" for one in of.split(",")]
    with reading(database) as connection:
        return whole_page(connection, caller, references, direction, limit, cursor)


whole_routes = Router(
    path="/api/v1/graph",
    guards=[known_parameters],
    tags=["graph"],
    route_handlers=[whole],
)
