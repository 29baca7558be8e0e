"""What a registry says of the labels of one thing: read, and changed there alone.

A change names the version that it is of. When somebody else was quicker, it is made of theirs,
unless they changed the same keys: then both values are told, and a person decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from roar_core.errors import ConflictError, UnreachableError, UnregisteredError
from roar_core.registry.answers import object_of
from roar_core.registry.labels.merging import ABSENT, Conflict
from roar_core.registry.labels.targets import Target
from roar_core.store.label_documents import flattened

if TYPE_CHECKING:
    from roar_core.registry.connection import Connection

Document = dict[str, Any]

_ATTEMPTS = 3
_VERSION_END = 2**53
_MOMENTS_END_S = 7e9
_MOST_DEEP = 64


@attrs.frozen
class Remote:
    """One version of a document as the registry has it; 0: there is none yet."""

    version: int = 0
    labels: Document = attrs.field(factory=dict)
    can_edit: bool | None = None
    registered_at: float | None = None

    @property
    def leaves(self) -> dict[str, Any]:
        return dict(flattened(self.labels))


def placed(connection: Connection, target: Target) -> Target:
    """The artifact in the session whose labels the registry tells, else in its first one.

    For what is not known from here to be registered: `target` names no session. Raises
    RegistryError, also when the registry shows nothing of it.
    """
    for path, query, key in (
        ("labels/current", target.named, "sessionHash"),
        (f"artifacts/{target.artifact_hash}", None, "originalSessionHash"),
    ):
        try:
            said = connection.get(path, query)
        except UnregisteredError:
            continue
        name = object_of(said).get(key)
        if isinstance(name, str) and name:
            return attrs.evolve(target, session_hash=name)
    raise UnregisteredError(f"{connection.url} shows no session in which {target.words} is")


def read(connection: Connection, target: Target) -> Remote:
    """The newest version. Raises RegistryError."""
    try:
        return remote_of(connection, connection.get("labels/current", target.named))
    except UnregisteredError:
        return Remote()


def read_history(connection: Connection, target: Target) -> list[Remote]:
    """Every version that is told, the newest first. Raises RegistryError."""
    try:
        told = connection.get("labels/history", target.named)
    except UnregisteredError:
        return []
    found = object_of(told).get("labels")
    if not isinstance(found, list):
        raise UnreachableError(f"{connection.url} does not tell labels as a registry does")
    versions = [remote_of(connection, one) for one in found]
    return sorted(versions, key=lambda one: one.version, reverse=True)


def change(
    connection: Connection, target: Target, set_: Document, deleted: Sequence[str] = ()
) -> Remote:
    """Merge `set_` into the newest version and take the (dotted) keys `deleted` out of it.

    Returns what the registry has now. Raises ConflictError, with both values, when somebody
    changed the same keys meanwhile.
    """
    wanted: dict[str, Any] = dict(flattened(set_)) | dict.fromkeys(deleted, ABSENT)
    found = first = read(connection, target)
    for _ in range(_ATTEMPTS):
        body = target.named | {
            "metadata": set_,
            "deleted_keys": list(deleted),
            "base_version": found.version,
        }
        try:
            connection.post("labels/reconcile", reconciling([body]))
        except ConflictError:
            found = read(connection, target)
            _check(target, wanted, first, found)
            continue
        return read(connection, target)
    raise ConflictError(
        f"the labels of {target.words} are changed by others again and again; try later"
    )


def reconciling(labels: Sequence[Mapping[str, Any]], *, dry_run: bool = False) -> Document:
    """The body of `labels/reconcile` (protocol, section 7)."""
    return {
        "session_hash": labels[0]["session_hash"],
        "mode": "sync_user_labels",
        "dry_run": dry_run,
        "prune": False,
        "labels": list(labels),
    }


def told(conflict: Conflict) -> str:
    """A conflict in words."""
    ours, theirs = ("none" if v is ABSENT else repr(v) for v in (conflict.ours, conflict.theirs))
    return f"{conflict.key}: you say {ours}, the registry says {theirs}"


def _check(target: Target, wanted: Mapping[str, Any], before: Remote, now: Remote) -> None:
    both = [
        Conflict(key, value, now.leaves.get(key, ABSENT))
        for key, value in wanted.items()
        if now.leaves.get(key, ABSENT) not in (before.leaves.get(key, ABSENT), value)
    ]
    if both:
        raise ConflictError(
            f"somebody else changed the labels of {target.words} at this moment: "
            f"{'; '.join(map(told, both))}; run it again to put yours in place of theirs"
        )


def remote_of(connection: Connection, said: Any) -> Remote:
    """One version of a document, as an answer tells it; raises UnreachableError for all else."""
    said = object_of(said)
    version, labels = said.get("version"), said.get("metadata")
    if type(version) is not int or not isinstance(labels, dict) or not are_labels(labels):
        raise UnreachableError(f"{connection.url} does not tell labels as a registry does")
    if not 0 <= version < _VERSION_END:
        raise UnreachableError(f"{connection.url} does not tell labels as a registry does")
    can_edit, at = said.get("canEdit"), said.get("registeredAt")
    return Remote(
        version,
        labels,
        can_edit if isinstance(can_edit, bool) else None,
        float(at) if isinstance(at, int | float) and 0 <= at < _MOMENTS_END_S else None,
    )


def are_labels(labels: object, depth: int = 0) -> bool:
    """Whether these are labels, and not nested so deep that nobody meant them."""
    if not isinstance(labels, dict):
        return depth > 0
    return depth < _MOST_DEEP and all(are_labels(inner, depth + 1) for inner in labels.values())
