"""What a registry has written about one thing that it told of: its labels, and the tags in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from roar_core.errors import UnauthorisedError
from roar_core.registry.answers import objects_in
from roar_core.registry.labels.documents import SYSTEM, tags_in
from roar_core.registry.labels.editing import are_labels, read
from roar_core.registry.labels.targets import Target
from roar_core.store.label_documents import merged

if TYPE_CHECKING:
    from roar_core.registry.connection import Connection
    from roar_core.registry.resolving.asking import Answers


class TagThere(NamedTuple):
    """A tag as a registry tells it; `is_inherited`: nobody put it there."""

    kind: str
    value: str
    is_inherited: bool


class There(NamedTuple):
    """The labels (without what tells tags) and the tags that a registry has."""

    registry: str
    labels: Mapping[str, Any]
    tags: tuple[TagThere, ...]


def of_artifact(answers: Answers, digest: str) -> There | None:
    """What was told with an artifact, of all its sessions, the later over the earlier.

    None when the registry told nothing of it.
    """
    told = answers.artifacts.get(digest)
    if told is None:
        return None
    found: dict[str, Any] = {}
    for one in objects_in(told, "labels"):
        if are_labels(one.get("metadata")):
            found = merged(found, one["metadata"])
    return _there(answers.url, found)


def of_job(connection: Connection, answers: Answers, uid: str) -> There | None:
    """The labels of a job, asked for; None when it was not told of. Raises RegistryError."""
    told = answers.wire.get(uid)
    session = told and told.get("sessionHash")
    if not isinstance(session, str):
        return None
    return _asked(connection, Target("job", None, session, uid))


def of_session(connection: Connection, session_hash: str) -> There | None:
    """The labels of a whole session, asked for. Raises RegistryError."""
    return _asked(connection, Target("session", None, session_hash))


def _asked(connection: Connection, target: Target) -> There | None:
    try:
        return _there(connection.url, read(connection, target).labels)
    except UnauthorisedError:  # other registries tell labels to those who signed in alone
        return None


def _there(registry: str, metadata: Mapping[str, Any]) -> There:
    labels = {name: value for name, value in metadata.items() if name != "tag"}
    tags = tags_in(metadata.get("tag")).items()
    told = (TagThere(*tag, is_inherited=one.get("origin") == SYSTEM) for tag, one in tags)
    return There(registry, labels, tuple(told))
