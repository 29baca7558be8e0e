"""Was this file in that dataset? Exactly, where the members are known; else with what odds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_core.identity import BloomFilter
from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.digests import digest_text
from roar_glaas.errors import BadRequest
from roar_glaas.graph.artifacts import Found
from roar_glaas.graph.paging import cursor_at, place_of
from roar_glaas.log.withheld import reasons, told
from roar_glaas.storage.tables import artifact, component, composite, session

MOST_MEMBERS = 10_000
_MOST_REGISTRATIONS = 50
_MOST_PATHS = 20


class Version(NamedTuple):
    """One registration of a dataset: how many members it has, and how many are known here."""

    id: int
    total: int
    stored: int
    is_proven: bool
    leaf_index: int


def versions_of(connection: sa.Connection, caller: Caller, found: Found) -> list[Version]:
    """The registrations of a dataset that the caller may see; that which says most comes first."""
    rows = connection.execute(
        sa.select(composite.c.id, composite.c.total, composite.c.stored)
        .add_columns(composite.c.is_proven, composite.c.leaf_index)
        .join(session, session.c.id == composite.c.session_id)
        .where(composite.c.artifact_id == found.id, visible(caller))
        .order_by(composite.c.is_proven.desc(), composite.c.stored.desc(), composite.c.id)
        .limit(_MOST_REGISTRATIONS)
    )
    return [Version(*row) for row in rows]


def member_ids(connection: sa.Connection, caller: Caller, found: Found) -> list[int]:
    """Ids of the artifacts that are members of a dataset, as far as they are known: 10,000."""
    versions = versions_of(connection, caller, found)
    if not versions:
        return []
    return list(
        connection.execute(
            sa.select(artifact.c.id)
            .join(
                component,
                sa.and_(
                    component.c.digest == artifact.c.digest,
                    component.c.algorithm == artifact.c.algorithm,
                ),
            )
            .where(component.c.composite_id == versions[0].id)
            .distinct()
            .order_by(artifact.c.id)
            .limit(MOST_MEMBERS)
        ).scalars()
    )


def members(
    connection: sa.Connection, caller: Caller, found: Found, limit: int, cursor: str | None
) -> dict[str, Any]:
    """`{"total", "stored", "isProven", "members", "nextCursor"}` of a dataset, in its own order.

    The members are those of the registration that stored most; all of them when it is proven.
    """
    question = ("members", found.id)
    place = place_of(cursor, question, 2)
    versions = versions_of(connection, caller, found)
    if not versions:
        return {"total": None, "stored": 0, "isProven": False, "members": [], "nextCursor": None}
    # A page follows the registration that it began with.
    chosen = next((v for v in versions if place and v.id == place[0]), versions[0])
    start = place[1] + 1 if place and chosen.id == place[0] else 0
    rows = connection.execute(
        sa.select(component)
        .where(component.c.composite_id == chosen.id, component.c.ordinal >= start)
        .order_by(component.c.ordinal)
        .limit(limit + 1)
    ).all()
    last = [chosen.id, rows[limit - 1].ordinal] if len(rows) > limit else None
    return {
        "total": chosen.total,
        "stored": chosen.stored,
        "isProven": chosen.is_proven,
        "members": [
            {
                "path": row.path,
                "kind": row.leaf_kind,
                "algorithm": row.algorithm,
                "digest": digest_text(row.algorithm, bytes(row.digest)),
                "size": row.size_bytes,
            }
            for row in rows[:limit]
        ],
        "nextCursor": cursor_at(question, last) if last else None,
    }


def components_of(
    connection: sa.Connection, caller: Caller, found: Found, limit: int
) -> list[dict[str, Any]]:
    """The first members of a dataset as clients read them (protocol, section 6): see `members`."""
    versions = versions_of(connection, caller, found)
    if not versions:
        return []
    rows = connection.execute(
        sa.select(component)
        .where(component.c.composite_id == versions[0].id)
        .order_by(component.c.ordinal)
        .limit(limit)
    ).all()
    number = versions[0].leaf_index
    why = reasons(connection, [number] if any(row.path is None for row in rows) else [])
    return [
        {
            "relativePath": told(row.path, why.get(number)),
            "componentDigest": bytes(row.digest).hex(),
            "componentAlgorithm": row.algorithm,
            "componentSize": row.size_bytes,
            "leafKind": row.leaf_kind,
        }
        for row in rows
    ]


def is_member(
    connection: sa.Connection, caller: Caller, found: Found, digest: str, algorithm: str
) -> dict[str, Any]:
    """Whether a digest is a member's: `{"answer", "basis", "isProven", "falsePositiveRate", …}`.

    `answer` is "yes", "no", "probably" or "unknown"; `basis` is what it rests on: "components"
    (the members themselves), "bloom" (a filter, which never says no wrongly, and wrongly
    "probably" as often as `falsePositiveRate` tells) or None. `isProven` tells whether the members
    give the dataset's hash; otherwise it is the word of who registered it. `paths` are the
    member's, 20 of them. Raises BadRequest for what is no digest.
    """
    value = _digest(digest)
    versions = versions_of(connection, caller, found)
    proven = [version.id for version in versions if version.is_proven][:1]
    ids = proven or [version.id for version in versions]
    paths = connection.execute(
        sa.select(component.c.path)
        .where(
            component.c.digest == value,
            component.c.algorithm == algorithm,
            component.c.composite_id.in_(ids),
        )
        .distinct()
        .order_by(component.c.path)
        .limit(_MOST_PATHS)
    ).all()
    about = {"isProven": bool(proven), "falsePositiveRate": None, "paths": [p.path for p in paths]}
    if paths:
        return {"answer": "yes", "basis": "components", **about}
    if proven:
        return {"answer": "no", "basis": "components", **about}
    rates = []
    for filtered, rate in _filters(connection, ids):
        if not filtered.may_contain(algorithm, digest):
            return {"answer": "no", "basis": "bloom", **about}
        rates.append(rate)
    if not rates:
        return {"answer": "unknown", "basis": None, **about}
    return {"answer": "probably", "basis": "bloom", **about | {"falsePositiveRate": min(rates)}}


def datasets_with(
    connection: sa.Connection,
    caller: Caller,
    digest: str,
    algorithm: str,
    limit: int,
    cursor: str | None,
) -> dict[str, Any]:
    """`{"datasets", "nextCursor"}`: those of which a digest is a known member, the newest first.

    Only members that were sent are looked through: what a filter alone knows cannot be found so.
    """
    value = _digest(digest)
    question = ("datasets", digest.lower(), algorithm)
    place = place_of(cursor, question, 2)
    query = (
        sa.select(
            *(component.c.composite_id, component.c.ordinal, component.c.path),
            *(composite.c.total, composite.c.is_proven),
            *(artifact.c.algorithm, artifact.c.digest, session.c.hash),
        )
        .select_from(component)
        .join(composite, composite.c.id == component.c.composite_id)
        .join(artifact, artifact.c.id == composite.c.artifact_id)
        .join(session, session.c.id == composite.c.session_id)
        .where(component.c.digest == value, component.c.algorithm == algorithm, visible(caller))
        .order_by(component.c.composite_id.desc(), component.c.ordinal.desc())
        .limit(limit + 1)
    )
    if place is not None:
        keys = sa.tuple_(component.c.composite_id, component.c.ordinal)
        query = query.where(keys < sa.tuple_(*place))
    rows = connection.execute(query).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "datasets": [
            {
                "hash": digest_text(row.algorithm, bytes(row.digest)),
                "path": row.path,
                "total": row.total,
                "isProven": row.is_proven,
                "sessionHash": bytes(row.hash).hex(),
            }
            for row in rows[:limit]
        ],
        "nextCursor": cursor_at(question, [last.composite_id, last.ordinal]) if last else None,
    }


def _filters(connection: sa.Connection, ids: list[int]) -> Iterator[tuple[BloomFilter, float]]:
    """The filters of a dataset's registrations, each with how often it says yes wrongly."""
    # One at a time: each may be as large as a request.
    for one in sorted(ids):
        row = connection.execute(
            sa.select(composite.c.bloom_bits, composite.c.bloom_hashes, composite.c.bloom).where(
                composite.c.id == one, composite.c.bloom.is_not(None)
            )
        ).one_or_none()
        if row is None:
            continue
        data = bytes(row.bloom)
        # A wrong yes needs as many bits set by chance as the filter looks at.
        share = int.from_bytes(data, "little").bit_count() / row.bloom_bits
        filtered = BloomFilter(row.bloom_bits, row.bloom_hashes, data)
        yield filtered, share**row.bloom_hashes


def _digest(text: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if not 16 <= len(value) <= 64 or len(text) != 2 * len(value):
        raise BadRequest("digest must be a whole digest, in hexadecimal")
    return value
