"""Many artifacts at once: what may be seen of their digests, sizes, sources, members and labels."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Set
from typing import Any

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.digests import digest_text, is_composite
from roar_glaas.graph.artifacts import labels_of
from roar_glaas.storage.bulk import rows_with
from roar_glaas.storage.tables import (
    artifact,
    artifact_fact,
    component,
    composite,
    digest_claim,
    label,
    session,
)

MOST_COMPONENTS = 1_000
"""A dataset of more members is told by its filter."""


def tell_artifacts(
    connection: sa.Connection, caller: Caller, ids: Set[int], asked: Set[int]
) -> list[dict[str, Any]]:
    """Artifacts by their ids, in the order of their digests; `asked` are told in any case.

    Others are left out when nothing is known but a digest of BLAKE3: what used them tells that.
    """
    told: dict[int, dict[str, Any]] = {}
    for row in _of(connection, sa.select(artifact), artifact.c.id, ids):
        told[row.id] = {
            "hash": digest_text(row.algorithm, bytes(row.digest)),
            "algorithm": row.algorithm,
            "hashes": [],
            "size": None,
            "sourceUrl": None,
            "sourceType": None,
            "metadata": {},
            "registeredAt": None,
            "labels": [],
            "composite": None,
        }
    known = set(asked) | {one for one, said in told.items() if said["algorithm"] != "blake3"}
    facts = (
        sa.select(artifact_fact, session.c.registered_at_us)
        .join(session, session.c.id == artifact_fact.c.session_id)
        .where(visible(caller))
        .order_by(artifact_fact.c.id)
    )
    for row in _of(connection, facts, artifact_fact.c.artifact_id, ids):
        said = told[row.artifact_id]
        said["registeredAt"] = said["registeredAt"] or row.registered_at_us / 1e6
        for name, value in (
            ("size", row.size_bytes),
            ("sourceUrl", row.source_url),
            ("sourceType", row.source_type),
        ):
            said[name] = value if said[name] is None else said[name]
        said["metadata"] = said["metadata"] or (json.loads(row.metadata) if row.metadata else {})
        if row.source_url or said["metadata"]:
            known.add(row.artifact_id)
    claims = (
        sa.select(digest_claim.c.artifact_id, digest_claim.c.algorithm, digest_claim.c.digest)
        .join(session, session.c.id == digest_claim.c.session_id)
        .where(visible(caller))
        .distinct()
    )
    for row in _of(connection, claims, digest_claim.c.artifact_id, ids):
        digest = {
            "algorithm": row.algorithm,
            "digest": digest_text(row.algorithm, bytes(row.digest)),
        }
        told[row.artifact_id]["hashes"].append(digest)
        known.add(row.artifact_id)
    labelled = sa.select(label.c.artifact_id).where(label.c.entity == "artifact").distinct()
    for row in _of(connection, labelled, label.c.artifact_id, ids):
        labels = labels_of(connection, caller, row.artifact_id)
        told[row.artifact_id]["labels"] = labels
        known |= {row.artifact_id} if labels else set()
    datasets = {one for one, said in told.items() if is_composite(said["algorithm"])}
    for one, said in _datasets(connection, caller, datasets).items():
        told[one] |= said
    return [said for one, said in sorted(told.items(), key=_by_digest) if one in known]


def _by_digest(item: tuple[int, dict[str, Any]]) -> tuple[str, int]:
    return item[1]["hash"], item[0]


def _of(
    connection: sa.Connection, query: sa.Select[Any], column: sa.Column[Any], ids: Set[int]
) -> Iterable[Any]:
    return list(rows_with(connection, query, column, ids))


def _datasets(
    connection: sa.Connection, caller: Caller, ids: Set[int]
) -> dict[int, dict[str, Any]]:
    """Of each dataset the registration that says most: its members, or else its filter."""
    query = (
        sa.select(composite)
        .join(session, session.c.id == composite.c.session_id)
        .where(visible(caller))
        .order_by(composite.c.is_proven, composite.c.stored, composite.c.id.desc())
    )
    chosen = {row.artifact_id: row for row in _of(connection, query, composite.c.artifact_id, ids)}
    listed = {row.id for row in chosen.values() if row.stored == row.total <= MOST_COMPONENTS}
    parts: dict[int, list[dict[str, Any]]] = {one: [] for one in listed}
    ordered = sa.select(component).order_by(component.c.composite_id, component.c.ordinal)
    for row in _of(connection, ordered, component.c.composite_id, listed):
        parts[row.composite_id].append(
            {
                "path": row.path,
                "kind": row.leaf_kind,
                "algorithm": row.algorithm,
                "digest": digest_text(row.algorithm, bytes(row.digest)),
                "size": row.size_bytes,
            }
        )
    return {
        one: {
            "size": row.size_bytes,
            "metadata": json.loads(row.metadata) if row.metadata else {},
            "composite": {
                "total": row.total,
                "isProven": row.is_proven,
                "members": parts.get(row.id),
                "bloom": row.bloom
                and {
                    "bloom_filter_base64": base64.b64encode(bytes(row.bloom)).decode(),
                    "bloom_bits": row.bloom_bits,
                    "bloom_hashes": row.bloom_hashes,
                    "bloom_version": 1,
                },
            },
        }
        for one, row in chosen.items()
    }
