"""Look at a registry's log: whether its newest head is signed, and goes on from the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from roar_core.errors import RegistryError, UnregisteredError
from roar_core.transparency.continuing import (
    Seen,
    continuity_problems,
    key_problems,
    signature_problems,
)
from roar_core.transparency.statements import LogKey, TreeHead
from roar_core.transparency.told import ToldError, bytes_of, head_of, keys_of, path_of, text_of

if TYPE_CHECKING:
    from roar_core.registry.connection import Connection


_CANNOT = frozenset({400, 404, 410, 422})


class Visit(NamedTuple):
    """The newest head of a log and its keys, with all that is wrong with them as sentences."""

    head: TreeHead
    keys: list[LogKey]
    problems: list[str]


def visit(connection: Connection, before: Seen | None) -> Visit | None:
    """Ask for the newest head and compare it with what is remembered; None: there is no log.

    Raises RegistryError when the registry cannot be asked, and ToldError when it answers with
    something else than a log.
    """
    try:
        head = head_of(connection.get("log/head"))
    except UnregisteredError:
        if before is None:
            return None
        raise ToldError(
            f"the registry has no log any more; it had one of {before.head.size} records"
        ) from None
    keys = keys_of(ask(connection, "log/keys"))
    problems = signature_problems(head, keys)
    if problems:
        return Visit(head, keys, problems)
    # Each time: from where on a key is in force decides what the one before it may sign.
    for key in keys:
        problems += _whether_in(connection, key, head)
    if before is not None:
        problems += continuity_problems(before, head, keys, _consistency(connection, before, head))
    return Visit(head, keys, problems)


def consistency(connection: Connection, old: int, new: int) -> list[bytes]:
    """The proof that the first `old` leaves begin the tree of `new`."""
    return path_of(ask(connection, "log/proof/consistency", {"from": str(old), "to": str(new)}))


def inclusion(connection: Connection, leaf: int, size: int) -> list[bytes]:
    """The path of a leaf in the tree of `size`."""
    return path_of(ask(connection, "log/proof/inclusion", {"leaf": str(leaf), "size": str(size)}))


def ask(connection: Connection, path: str, params: Mapping[str, str] | None = None) -> Any:
    """What a log that told its head must be able to tell; ToldError when it has no such thing."""
    try:
        return connection.get(path, params)
    except RegistryError as error:
        if error.status in _CANNOT:
            raise ToldError(f"it does not show what its head claims: {error}") from error
        raise


def _whether_in(connection: Connection, key: LogKey, head: TreeHead) -> Sequence[str]:
    if key.leaf_index >= head.size:
        return [f"the key {key.key_id.hex()[:12]}… is said to come after all that is signed"]
    told = ask(connection, f"log/records/{key.leaf_index}")
    path = inclusion(connection, key.leaf_index, head.size)
    return key_problems(key, bytes_of(told, "salt"), text_of(told, "record"), path, head)


def _consistency(connection: Connection, before: Seen, head: TreeHead) -> list[bytes]:
    old = before.head.size
    return consistency(connection, old, head.size) if head.size > old else []
