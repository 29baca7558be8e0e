"""What a registry's log holds of a session: its record and those of its jobs, which follow it.

They lie side by side (docs/registry-log.md, "Where a session lies"), so that all of them are proven
at once: the path of the first is the tree before it, with every leaf that is told added to it, and
one proof of consistency leads from there to the signed head.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from roar_core.registry.log.visiting import Visit, ask, consistency, inclusion
from roar_core.transparency.merkle import Growing, leaf_hash
from roar_core.transparency.statements import withheld_bytes
from roar_core.transparency.told import ToldError, bytes_of, digest_of, number_of, text_of
from roar_core.transparency.verifying import (
    key_at,
    verify_consistency,
    verify_inclusion,
    verify_signature,
)

if TYPE_CHECKING:
    from roar_core.registry.connection import Connection

_PAGE = 1000


class Logged(NamedTuple):
    """One record; `document` is None where the keeper withheld it, `withheld` says why."""

    leaf: int
    document: dict[str, Any] | None
    withheld: str | None = None


def records_from(
    connection: Connection, visit: Visit, first: int
) -> tuple[list[Logged], list[str]]:
    """A session's record, which has number `first`, and those of its jobs; and what is wrong.

    When something is, the records prove nothing.
    """
    head = visit.head
    if first >= head.size:
        return [], [f"record {first} is after all that is signed, which is {head.size} records"]
    try:
        tree = Growing.after(first, inclusion(connection, first, first + 1))
    except ValueError as error:
        raise ToldError(f"the log tells no path to record {first}") from error
    records: list[Logged] = []
    problems: list[str] = []
    count = 1
    for told in _entries(connection, first, head.size):
        record, problem = _record(connection, visit, first + len(records), told)
        records.append(record)
        problems += problem
        tree.add(digest_of(told, "leafHash"))
        if len(records) == 1:
            count = 1 + len(_jobs_in(record))
        if len(records) == count:
            break
    path = consistency(connection, tree.size, head.size)
    if not verify_consistency(tree.size, head.size, path, tree.root(), head.root):
        problems.append(
            f"records {first} to {tree.size - 1} are not in the log that the registry signed"
        )
    return records, problems


def _jobs_in(record: Logged) -> Sequence[Any]:
    jobs = record.document.get("jobs") if record.document else None
    return jobs if isinstance(jobs, list) else ()


def _entries(connection: Connection, start: int, end: int) -> Iterator[Any]:
    """Records by pages; only as many are asked for as are likely to be wanted."""
    limit = 1
    while start < end:
        parameters = {"start": str(start), "limit": str(min(limit, end - start))}
        told = ask(connection, "log/entries", parameters)
        found = told.get("entries") if isinstance(told, dict) else None
        if not isinstance(found, list) or not found:
            raise ToldError(f"the log tells no record {start}, of {end}")
        yield from found
        start += len(found)
        limit = _PAGE


def _record(connection: Connection, visit: Visit, leaf: int, told: Any) -> tuple[Logged, list[str]]:
    digest = digest_of(told, "leafHash")
    if told.get("withheld") is not None:
        return _withheld(connection, visit, leaf, digest, told["withheld"])
    if told.get("record") is None:
        return Logged(leaf, None), [f"record {leaf} is not told to you, or is gone"]
    text = text_of(told, "record")
    if leaf_hash(bytes_of(told, "salt"), text.encode()) != digest:
        return Logged(leaf, None), [f"record {leaf} was changed: it does not give its leaf"]
    return Logged(leaf, _document(text, leaf)), []


def _withheld(
    connection: Connection, visit: Visit, leaf: int, digest: bytes, why: Any
) -> tuple[Logged, list[str]]:
    """A record that its keeper destroyed, if another one says so and is signed."""
    number = number_of(why, "recordIndex")
    told = ask(connection, f"log/records/{number}")
    text = text_of(told, "record")
    said = _document(text, number)
    content = withheld_bytes(leaf, digest, text_of(said, "reason"), number_of(said, "at_us"))
    key = key_at(visit.keys, number)
    path = inclusion(connection, number, visit.head.size)
    own = leaf_hash(bytes_of(told, "salt"), text.encode())
    is_true = (
        key is not None
        and verify_signature(key.public, bytes_of(said, "signature"), content)
        and verify_inclusion(own, number, visit.head.size, path, visit.head.root)
    )
    if not is_true:
        return Logged(leaf, None), [
            f"record {leaf} is said to be withheld, and no signed record says so"
        ]
    return Logged(leaf, None, text_of(said, "reason")), []


def _document(text: str, leaf: int) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ToldError(f"record {leaf} is no JSON") from error
    if not isinstance(found, dict):
        raise ToldError(f"record {leaf} is no object")
    return found
