"""The graph API over HTTP: one hop, closures, paths, datasets, comparison."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Router, get
from litestar.params import Parameter

from roar_glaas.access.caller import Caller
from roar_glaas.api.examples import told
from roar_glaas.api.parameters import Algorithm, Cursor, Limit, known_parameters, plain
from roar_glaas.graph import comparison, membership, neighbours, paths, results, sources, subgraph
from roar_glaas.graph.artifacts import find_artifact
from roar_glaas.graph.limits import reading
from roar_glaas.graph.paging import USUAL
from roar_glaas.storage.database import Database

Answer = dict[str, Any]
_OF = "/artifacts/{reference:str}"

Hops = Annotated[
    int | None,
    Parameter(ge=1, le=100_000, description="How many jobs away at most; all when left out."),
]


@get(f"{_OF}/producers", sync_to_thread=True, responses=told("producers"))
def producers(
    database: Database, caller: Caller, reference: str, limit: Limit = USUAL, cursor: Cursor = None
) -> Answer:
    """The jobs that wrote an artifact, the last registered first."""
    with reading(database) as connection:
        found = find_artifact(connection, caller, reference)
        return neighbours.producers(connection, caller, found, limit, cursor)


@get(f"{_OF}/consumers", sync_to_thread=True, responses=told("consumers"))
def consumers(
    database: Database,
    caller: Caller,
    reference: str,
    limit: Limit = USUAL,
    cursor: Cursor = None,
    members: Annotated[
        bool, Parameter(description="The readers of a dataset's members by their own hash instead.")
    ] = False,
) -> Answer:
    """The jobs that read an artifact, or a part of a dataset, the last registered first."""
    with reading(database) as connection:
        found = find_artifact(connection, caller, reference)
        return neighbours.consumers(connection, caller, found, limit, cursor, of_members=members)


@get(f"{_OF}/upstream", sync_to_thread=True, responses=told("closure"))
def upstream(
    database: Database,
    caller: Caller,
    reference: str,
    hops: Hops = None,
    limit: Limit = 1_000,
    cursor: Cursor = None,
) -> Answer:
    """The jobs an artifact came from, nearest first, and the artifacts between them."""
    with reading(database) as connection:
        found = find_artifact(connection, caller, reference)
        return subgraph.upstream_page(connection, caller, found, hops, limit, cursor)


@get(f"{_OF}/downstream", sync_to_thread=True, responses=told("closure"))
def downstream(
    database: Database,
    caller: Caller,
    reference: str,
    hops: Hops = None,
    limit: Limit = 1_000,
    cursor: Cursor = None,
) -> Answer:
    """The jobs that read an artifact or what came of it, nearest first, and the artifacts."""
    with reading(database) as connection:
        found = find_artifact(connection, caller, reference)
        return subgraph.downstream_page(connection, caller, found, hops, limit, cursor)


@get(f"{_OF}/sources", sync_to_thread=True, responses=told("sources"))
def source_data(
    database: Database, caller: Caller, reference: str, limit: Limit = USUAL, cursor: Cursor = None
) -> Answer:
    """What data made this? What its closure read and no registered job made, and the datasets."""
    with reading(database) as connection:
        found = find_artifact(connection, caller, reference)
        return sources.sources_of(connection, caller, found, limit, cursor)


@get(f"{_OF}/results", sync_to_thread=True, responses=told("results"))
def trained_on(
    database: Database, caller: Caller, reference: str, limit: Limit = USUAL, cursor: Cursor = None
) -> Answer:
    """What was trained on this? The jobs that read it, a part or a member, and what came of it."""
    with reading(database) as connection:
        found = find_artifact(connection, caller, reference)
        return results.results_of(connection, caller, found, limit, cursor)


@get(f"{_OF}/members", sync_to_thread=True, responses=told("members"))
def members_of(
    database: Database, caller: Caller, reference: str, limit: Limit = USUAL, cursor: Cursor = None
) -> Answer:
    """The members of a dataset, as far as they were registered."""
    with reading(database) as connection:
        found = find_artifact(connection, caller, reference)
        return membership.members(connection, caller, found, limit, cursor)


@get(f"{_OF}/members/{{digest:str}}", sync_to_thread=True, responses=told("membership"))
def member(
    database: Database,
    caller: Caller,
    reference: str,
    digest: str,
    algorithm: Algorithm = "blake3",
) -> Answer:
    """Was this file in that dataset? Exactly when the members are known, else with the odds."""
    algorithm = plain(algorithm, "algorithm") or ""
    with reading(database) as connection:
        found = find_artifact(connection, caller, reference)
        return membership.is_member(connection, caller, found, digest, algorithm)


@get("/datasets", sync_to_thread=True, responses=told("datasets"))
def datasets(
    database: Database,
    caller: Caller,
    member: Annotated[str, Parameter(description="A whole digest, in hexadecimal.")],
    algorithm: Algorithm = "blake3",
    limit: Limit = USUAL,
    cursor: Cursor = None,
) -> Answer:
    """The datasets that a file is a known member of, those registered last first."""
    algorithm = plain(algorithm, "algorithm") or ""
    with reading(database) as connection:
        return membership.datasets_with(connection, caller, member, algorithm, limit, cursor)


@get("/path", sync_to_thread=True, responses=told("path"))
def path(
    database: Database,
    caller: Caller,
    start: Annotated[str, Parameter(description="An artifact: a digest, or 8 digits of it.")],
    end: Annotated[str, Parameter(description="Another one.")],
) -> Answer:
    """How one artifact led to another, in whichever direction: the shortest way through jobs."""
    with reading(database) as connection:
        origin = find_artifact(connection, caller, start)
        return paths.path_between(
            connection, caller, origin, find_artifact(connection, caller, end)
        )


@get("/compare/artifacts", sync_to_thread=True, responses=told("comparison"))
def compare_artifacts(
    database: Database,
    caller: Caller,
    left: Annotated[str, Parameter(description="An artifact: a digest, or 8 digits of it.")],
    right: Annotated[str, Parameter(description="Another one.")],
) -> Answer:
    """What data, what recipe, what changed: how the making of two artifacts differs."""
    with reading(database) as connection:
        one = find_artifact(connection, caller, left)
        other = find_artifact(connection, caller, right)
        return comparison.compare_artifacts(connection, caller, one, other)


@get("/compare/sessions", sync_to_thread=True, responses=told("comparison"))
def compare_sessions(
    database: Database,
    caller: Caller,
    left: Annotated[str, Parameter(description="A session's hash.")],
    right: Annotated[str, Parameter(description="Another one.")],
) -> Answer:
    """How two sessions differ: their data, steps, commits and packages."""
    with reading(database) as connection:
        return comparison.compare_sessions(connection, caller, left, right)


graph_routes = Router(
    path="/api/v1/graph",
    guards=[known_parameters],
    tags=["graph"],
    route_handlers=[
        *(producers, consumers, upstream, downstream, source_data, trained_on),
        *(members_of, member, datasets, path, compare_artifacts, compare_sessions),
    ],
)
