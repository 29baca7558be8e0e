"""Artifacts by hash or prefix, and all that was registered about one."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import sqlalchemy as sa

from roar_glaas.access.caller import Caller
from roar_glaas.access.visibility import visible
from roar_glaas.digests import ETAG, digest_text, is_composite, is_hexadecimal
from roar_glaas.errors import Conflict, NotFound
from roar_glaas.log.withheld import reasons
from roar_glaas.storage.tables import (
    artifact,
    artifact_fact,
    composite,
    digest_claim,
    edge,
    job,
    label,
    session,
    withheld,
)

SHORTEST_PREFIX = 8
_MOST_LISTED = 100


class Found(NamedTuple):
    """One artifact and its name."""

    id: int
    algorithm: str
    digest: str

    @property
    def is_composite(self) -> bool:
        """Whether it is a dataset."""
        return is_composite(self.algorithm)


def find_artifact(connection: sa.Connection, caller: Caller, reference: str) -> Found:
    """The artifact with this digest, of whatever algorithm, or whose name begins so.

    A whole digest finds what is registered under it (see `_right_one`), else what is claimed to
    have it; a beginning, only what the caller sees something of; so does an object store's etag,
    whole, with `etag:` before it or alone. Raises NotFound, and Conflict when a prefix, or a digest
    that several registrations claim for different bytes, names more than one.
    """
    span = _range(reference)
    rows = [] if span is None else _by_digest(connection, caller, *span)
    rows = rows or _by_etag(connection, caller, reference.removeprefix(f"{ETAG}:"))
    if not rows and span is None:
        raise NotFound(
            f"{reference[:128]!r} is no hash: give {SHORTEST_PREFIX} hexadecimal digits or more"
        )
    if not rows:
        raise NotFound(f"no artifact {reference} is registered")
    if len(rows) > 1:
        raise Conflict(f"{reference} names more than one artifact; give more of it")
    row = rows[0]
    return Found(row.id, row.algorithm, digest_text(row.algorithm, bytes(row.digest)))


def _by_digest(connection: sa.Connection, caller: Caller, low: bytes, high: bytes) -> list[Any]:
    named, claims = (
        column.between(low, high) if low != high else column == low
        for column in (artifact.c.digest, digest_claim.c.digest)
    )
    claimed = _claimed(caller, claims)
    # One condition with OR in it would have PostgreSQL look at every artifact.
    if low == high:  # nobody can claim a name away from what is registered under it
        rows = _right_one(connection, caller, sa.select(artifact).where(named))
        return rows or _first(connection, claimed)
    seen = sa.select(artifact.c.id).where(named, _is_seen(caller))
    return _first(connection, sa.union(seen, claimed))


def _by_etag(connection: sa.Connection, caller: Caller, text: str) -> list[Any]:
    """Etags may be short, and guessed: nobody learns that one is registered by asking."""
    if not 0 < len(text) <= 64 or not text.isascii() or not text.isprintable():
        return []
    tag = text.encode("ascii")
    named = (artifact.c.digest == tag, artifact.c.algorithm == ETAG)
    claims = (digest_claim.c.digest == tag, digest_claim.c.algorithm == ETAG)
    seen = sa.select(artifact.c.id).where(*named, _is_seen(caller))
    return _first(connection, seen) or _first(connection, _claimed(caller, *claims))


def _claimed(caller: Caller, *which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return (
        sa.select(digest_claim.c.artifact_id)
        .join(session, session.c.id == digest_claim.c.session_id)
        .where(*which, visible(caller))
    )


def _first(connection: sa.Connection, ids: sa.Select[Any] | sa.CompoundSelect[Any]) -> list[Any]:
    """Two artifacts of those with these ids."""
    return list(connection.execute(sa.select(artifact).where(artifact.c.id.in_(ids)).limit(2)))


def _right_one(connection: sa.Connection, caller: Caller, named: sa.Select[Any]) -> list[Any]:
    """Of what is registered under one digest: what the caller sees something of, else anything.

    No file has the hash of a dataset whose members give it. Of others, that one is a dataset is
    somebody's word, which takes no name away from what was registered before.
    """
    # There is one for each algorithm at most: mostly one, which then is the right one.
    found = list(connection.execute(named))
    if len(found) < 2:
        return found
    ids = [row.id for row in found]
    of_it = (composite.c.artifact_id == artifact.c.id, composite.c.is_proven)
    order = (sa.exists().where(*of_it).desc(), artifact.c.id)
    these = sa.select(artifact).where(artifact.c.id.in_(ids))
    for query in (these.where(_is_seen(caller)), these):
        rows = list(connection.execute(query.order_by(*order).limit(1)))
        if rows:
            break
    return rows


def _is_seen(caller: Caller) -> sa.ColumnElement[bool]:
    """Whether anything that the caller may see says anything of a row of `artifact`."""
    said = [
        sa.exists()
        .where(table.c.artifact_id == artifact.c.id, table.c.session_id == session.c.id)
        .where(visible(caller))
        for table in (artifact_fact, composite)
    ]
    linked = (
        sa.exists()
        .where(edge.c.artifact_id == artifact.c.id, edge.c.job_id == job.c.id)
        .where(job.c.session_id == session.c.id, visible(caller))
    )
    return sa.or_(*said, linked)


def describe(connection: sa.Connection, caller: Caller, found: Found) -> dict[str, Any]:
    """What `GET /artifacts/H` answers (protocol, section 6); the first registration comes first."""
    facts = connection.execute(
        sa.select(artifact_fact, session.c.hash, session.c.registered_at_us, withheld.c.reason)
        .join(session, session.c.id == artifact_fact.c.session_id)
        .outerjoin(withheld, withheld.c.leaf_index == artifact_fact.c.leaf_index)
        .where(artifact_fact.c.artifact_id == found.id, visible(caller))
        .order_by(artifact_fact.c.id)
        .limit(_MOST_LISTED)
    ).all()
    claims = connection.execute(
        sa.select(digest_claim.c.algorithm, digest_claim.c.digest)
        .join(session, session.c.id == digest_claim.c.session_id)
        .where(digest_claim.c.artifact_id == found.id, visible(caller))
        .distinct()
    ).all()
    of_sets = (
        sa.select(composite, session.c.hash, session.c.registered_at_us, withheld.c.reason)
        .join(session, session.c.id == composite.c.session_id)
        .outerjoin(withheld, withheld.c.leaf_index == composite.c.leaf_index)
        .where(composite.c.artifact_id == found.id, visible(caller))
        .order_by(composite.c.id)
        .limit(_MOST_LISTED)
    )
    datasets = connection.execute(of_sets).all() if found.is_composite else []
    said = [*facts, *datasets]
    why = {row.leaf_index: row.reason for row in said if row.reason is not None}
    first = said[0] if said else None
    hashes = [{"algorithm": found.algorithm, "digest": found.digest}]
    hashes += [
        {"algorithm": row.algorithm, "digest": digest_text(row.algorithm, bytes(row.digest))}
        for row in claims
    ]
    return {
        "hash": found.digest,
        "hashes": hashes,
        "size": first.size_bytes if first else _linked_size(connection, caller, found.id),
        "kind": "composite" if found.is_composite else "file",
        "isComposite": found.is_composite,
        "componentCount": datasets[0].total if datasets else None,
        "isProven": any(row.is_proven for row in datasets) if datasets else None,
        "sourceUrl": next((row.source_url for row in facts if row.source_url), None),
        "metadata": json.loads(first.metadata) if first and first.metadata else {},
        "labels": labels_of(connection, caller, found.id),
        "registeredAt": first.registered_at_us / 1e6 if first else None,
        "originalSessionHash": bytes(first.hash).hex() if first else None,
        "logIndexes": [row.leaf_index for row in said],
        "withheld": [{"logIndex": index, "reason": reason} for index, reason in why.items()],
    }


def labels_of(connection: sa.Connection, caller: Caller, artifact_id: int) -> list[dict[str, Any]]:
    """The newest label documents of an artifact, one for each session that labelled it."""
    newest = (
        sa.select(label.c.session_id, sa.func.max(label.c.version).label("version"))
        .where(label.c.artifact_id == artifact_id, label.c.entity == "artifact")
        .group_by(label.c.session_id)
        .subquery()
    )
    rows = connection.execute(
        sa.select(label.c.document, label.c.version, label.c.leaf_index, session.c.hash)
        .join(
            newest,
            sa.and_(label.c.session_id == newest.c.session_id, label.c.version == newest.c.version),
        )
        .join(session, session.c.id == label.c.session_id)
        .where(label.c.artifact_id == artifact_id, label.c.entity == "artifact", visible(caller))
        .order_by(label.c.id)
        .limit(_MOST_LISTED)
    ).all()
    why = reasons(connection, [row.leaf_index for row in rows if row.document is None])
    return [
        {
            "metadata": json.loads(row.document or "{}"),
            "withheld": why.get(row.leaf_index),
            "logIndex": row.leaf_index,
            "version": row.version,
            "sessionHash": bytes(row.hash).hex(),
        }
        for row in rows
    ]


def _linked_size(connection: sa.Connection, caller: Caller, artifact_id: int) -> int | None:
    return connection.execute(
        sa.select(edge.c.size_bytes)
        .join(job, job.c.id == edge.c.job_id)
        .join(session, session.c.id == job.c.session_id)
        .where(edge.c.artifact_id == artifact_id, edge.c.size_bytes.is_not(None), visible(caller))
        .limit(1)
    ).scalar()


def _range(reference: str) -> tuple[bytes, bytes] | None:
    """The lowest and the highest digest that begin with these hexadecimal digits; None: no hash."""
    text = reference.lower()
    if not SHORTEST_PREFIX <= len(text) <= 128 or not is_hexadecimal(text):
        return None
    whole = 128 if len(text) > 64 else 64
    if len(text) == 32:  # a whole md5, or the beginning of something longer
        return bytes.fromhex(text), bytes.fromhex(text + "f" * 32)
    return bytes.fromhex(text + "0" * (len(text) % 2)), bytes.fromhex(text.ljust(whole, "f"))
