"""The labels of many things, read from a registry: many in one request, where it takes that.

That is no part of the protocol. A registry says in `/health` whether it does
(`features.labels.current_of_many`); of any other each thing is asked for by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from roar_core.errors import UnreachableError
from roar_core.registry.answers import object_of
from roar_core.registry.labels.editing import Remote, read, remote_of
from roar_core.registry.labels.targets import Target

if TYPE_CHECKING:
    from roar_core.registry.connection import Connection

_FEW = 2
# What every server of that feature takes, unless it says how many.
_AT_ONCE = 100


def read_all(connection: Connection, targets: Sequence[Target]) -> Iterator[Remote]:
    """The newest version of each, in their order. Raises RegistryError."""
    at_once = _at_once(connection) if len(targets) > _FEW else 0
    if not at_once:
        yield from (read(connection, target) for target in targets)
        return
    start = 0
    while start < len(targets):
        some = targets[start : start + at_once]
        rows = _asked(connection, some)
        for target, row in zip(some, rows, strict=False):
            yield _remote(connection, target, row)
        # What would make an answer too long is not in it.
        start += len(rows)


def takes_many(connection: Connection) -> bool:
    """Whether the registry takes many in one request. Raises RegistryError."""
    return bool(_at_once(connection))


def _at_once(connection: Connection) -> int:
    """How many the registry takes; 0: only one, by the protocol's own way."""
    told = object_of(connection.get("health"))
    labels = object_of(object_of(told.get("features")).get("labels"))
    if labels.get("current_of_many") is not True:
        return 0
    most = object_of(told.get("limits")).get("labels_asked")
    return most if type(most) is int and most > 0 else _AT_ONCE


def _asked(connection: Connection, targets: Sequence[Target]) -> list[Any]:
    body = {"labels": [target.named for target in targets]}
    rows = object_of(connection.post("labels/current/batch", body)).get("labels")
    if not isinstance(rows, list) or not 0 < len(rows) <= len(targets):
        raise _no_registry(connection)
    return rows


def _remote(connection: Connection, target: Target, row: Any) -> Remote:
    """One row, which must be of what was asked for."""
    if row is None:
        return Remote()
    names = (target.session_hash, target.job_uid, target.artifact_hash)
    said = object_of(row)
    if tuple(said.get(name) for name in ("sessionHash", "jobUid", "artifactHash")) != names:
        raise _no_registry(connection)
    return remote_of(connection, row)


def _no_registry(connection: Connection) -> UnreachableError:
    return UnreachableError(f"{connection.url} does not tell labels as a registry does")
