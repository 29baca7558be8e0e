"""The log over HTTP: signed tree heads, keys, proofs and records (docs/registry-log.md)."""

from __future__ import annotations

import json
from typing import Annotated, Any

import sqlalchemy as sa
from litestar import Router, get
from litestar.params import Parameter

from roar_glaas.access.caller import Caller
from roar_glaas.digests import is_hexadecimal
from roar_glaas.errors import BadRequest, NotFound
from roar_glaas.graph.sessions import find_session
from roar_glaas.log.entries import MOST_ENTRIES, entries, entry
from roar_glaas.log.proofs import consistency_proof, inclusion_proof, log_size, root_of
from roar_glaas.storage.database import Database
from roar_glaas.storage.tables import job, leaf, log_key, record_bytes, tree_head

Answer = dict[str, Any]

_From = Annotated[int, Parameter(query="from", description="Leaves of the older tree.")]
_To = Annotated[int | None, Parameter(query="to", description="Leaves of the newer tree.")]


@get("/head", sync_to_thread=True)
def head(database: Database, size: int | None = None) -> Answer:
    """The newest signed tree head, or the one that was signed at `size`."""
    with database.read() as connection:
        return head_document(connection, size)


@get("/keys", sync_to_thread=True)
def keys(database: Database) -> Answer:
    """Every key that signed tree heads, oldest first: `record` names each, signed by the last."""
    with database.read() as connection:
        rows = connection.execute(
            sa.select(log_key, record_bytes.c.salt, record_bytes.c.bytes)
            .join(record_bytes, record_bytes.c.leaf_index == log_key.c.leaf_index)
            .order_by(log_key.c.leaf_index)
        ).all()
    return {"keys": [_key(row) for row in rows]}


@get("/proof/inclusion", sync_to_thread=True)
def inclusion(
    database: Database,
    leaf_index: Annotated[int | None, Parameter(query="leaf")] = None,
    leaf_hash: Annotated[str | None, Parameter(query="hash")] = None,
    size: int | None = None,
) -> Answer:
    """That a leaf, by number or by hash, is in the tree of `size`: of the newest head, unless told.

    RFC 9162, section 2.1.3.
    """
    if (leaf_index is None) == (leaf_hash is None):
        raise BadRequest("name the leaf by its number (leaf) or by its hash (hash), one of them")
    with database.read() as connection:
        if leaf_hash is not None:
            leaf_index = _leaf_with(connection, leaf_hash)
        return inclusion_document(connection, leaf_index or 0, _size(connection, size, "size"))


@get("/proof/consistency", sync_to_thread=True)
def consistency(database: Database, old: _From, new: _To = None) -> Answer:
    """That the tree of `from` leaves is the beginning of that of `to` (RFC 9162, section 2.1.4)."""
    with database.read() as connection:
        new = _size(connection, new, "to")
        if not 0 <= old <= new:
            raise BadRequest(f"from must lie between 0 and {new}")
        proof = consistency_proof(connection, old, new)
        return {
            "from": old,
            "to": new,
            "fromRoot": root_of(connection, old).hex(),
            "toRoot": proof.root.hex(),
            "path": [step.hex() for step in proof.path],
        }


@get("/entries", sync_to_thread=True)
def many(database: Database, caller: Caller, start: int = 0, limit: int = 100) -> Answer:
    """Records in their order; `next` is where the next page starts, null at the end."""
    if start < 0:
        raise BadRequest("start must not be negative")
    if not 1 <= limit <= MOST_ENTRIES:
        raise BadRequest(f"limit must lie between 1 and {MOST_ENTRIES}")
    with database.read() as connection:
        size = log_size(connection)
        found = entries(connection, caller, start, limit) if start < size else []
    end = found[-1]["leafIndex"] + 1 if found else size
    return {"entries": found, "size": size, "next": end if end < size else None}


@get("/sessions/{session_hash:str}", sync_to_thread=True)
def place_of(database: Database, caller: Caller, session_hash: str) -> Answer:
    """Where a session's record lies; those of its `jobs` jobs follow it."""
    with database.read() as connection:
        row = find_session(connection, caller, session_hash)
        counted = sa.select(sa.func.count()).where(job.c.session_id == row.id)
        return {
            "sessionHash": bytes(row.hash).hex(),
            "leafIndex": row.leaf_index,
            "jobs": connection.execute(counted).scalar_one(),
        }


@get("/records/{leaf_index:int}", sync_to_thread=True)
def one(database: Database, caller: Caller, leaf_index: int) -> Answer:
    """One record, as far as the caller may see it, and its leaf's hash."""
    with database.read() as connection:
        return entry(connection, caller, leaf_index)


@get("/records/{leaf_index:int}/proof", sync_to_thread=True)
def proof_of(database: Database, caller: Caller, leaf_index: int) -> Answer:
    """All that it takes to check that a record is in the log: `record`, `inclusion` and `head`."""
    with database.read() as connection:
        return proof_document(connection, caller, leaf_index)


def proof_document(connection: sa.Connection, caller: Caller, leaf_index: int) -> Answer:
    """The record as the caller sees it, its path to the newest signed head, and that head."""
    found = entry(connection, caller, leaf_index)
    signed = head_document(connection, None)
    included = inclusion_document(connection, leaf_index, signed["size"])
    return {**found, "inclusion": included, "head": signed}


def head_document(connection: sa.Connection, size: int | None) -> Answer:
    """The signed head of `size`, or the newest; raises NotFound."""
    query = sa.select(tree_head).order_by(tree_head.c.size.desc()).limit(1)
    if size is not None:
        query = query.where(tree_head.c.size == _number(size, "size"))
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"no tree head of size {size} was signed; ask for a proof to a newer one")
    return {
        "size": row.size,
        "root": bytes(row.root).hex(),
        "atUs": row.at_us,
        "keyId": bytes(row.key_id).hex(),
        "signature": bytes(row.signature).hex(),
    }


def inclusion_document(connection: sa.Connection, index: int, size: int) -> Answer:
    """The inclusion proof of a leaf; raises BadRequest when the tree of this size lacks it."""
    if not 0 <= index < size:
        raise BadRequest(f"leaf must lie between 0 and {size - 1}, in a tree of {size}")
    proof = inclusion_proof(connection, index, size)
    digest = connection.execute(sa.select(leaf.c.hash).where(leaf.c.index == index)).scalar_one()
    return {
        "leafIndex": index,
        "leafHash": bytes(digest).hex(),
        "size": size,
        "root": proof.root.hex(),
        "path": [step.hex() for step in proof.path],
    }


def _size(connection: sa.Connection, size: int | None, name: str) -> int:
    """A tree's size as asked for, or the newest signed one; the log must be as large."""
    if size is None:
        return int(head_document(connection, None)["size"])
    largest = log_size(connection)
    if not 1 <= size <= largest:
        raise BadRequest(f"{name} must lie between 1 and {largest}")
    return size


def _number(value: int, name: str) -> int:
    if not 0 <= value < 2**53:
        raise BadRequest(f"{name} must be a number of records")
    return value


def _leaf_with(connection: sa.Connection, text: str) -> int:
    if len(text) != 64 or not is_hexadecimal(text):
        raise BadRequest("hash must be 64 hexadecimal digits, in lower case")
    found: int | None = connection.execute(
        sa.select(sa.func.min(leaf.c.index)).where(leaf.c.hash == bytes.fromhex(text))
    ).scalar()
    if found is None:
        raise NotFound(f"the log has no leaf {text}")
    return found


def _key(row: Any) -> Answer:
    record = bytes(row.bytes)
    told = json.loads(record)
    return {
        "keyId": bytes(row.id).hex(),
        "publicKey": bytes(row.public).hex(),
        "previous": told["previous"],
        "atUs": told["at_us"],
        "signature": told["signature"],
        "ownSignature": told["own_signature"],
        "leafIndex": row.leaf_index,
        "salt": bytes(row.salt).hex(),
        "record": record.decode("utf-8"),
    }


log_routes = Router(
    path="/api/v1/log",
    route_handlers=[head, keys, inclusion, consistency, many, place_of, one, proof_of],
)
