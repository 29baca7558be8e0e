"""Tags that changed after their artifacts were registered: found, and sent where a registry takes
them.

Tags lie in the label documents of artifacts under a name that is roar's own, which
`labels/reconcile` refuses. `labels/sync` takes whole documents, and would undo what somebody else
changed meanwhile: so they are sent only to a registry that says in `/health` that it compares the
version a document was made of (`features.labels.sync_of_versions`).

Several machines may tag the same artifacts. So only that is taken away there of which this one
knows; what others have put there stays, and is not taken over.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import attrs

from roar_core.registry.answers import list_in, object_of, objects_in
from roar_core.registry.labels.documents import (
    BIND,
    SYSTEM,
    artifact_name,
    digest_of,
    labels_of,
    tags_in,
    tags_of,
)
from roar_core.registry.labels.editing import Remote
from roar_core.registry.labels.reading import read_all, takes_many
from roar_core.registry.labels.targets import Target
from roar_core.registry.scopes import ANONYMOUS
from roar_core.store.tags import Tag, has_tags, standing_events

if TYPE_CHECKING:
    import sqlite3

    from roar_core.registry.connection import Connection

Document = dict[str, Any]

# Of artifacts whose tags are compared: one by one, and where many are asked for in a request.
_MOST_ALONE, _MOST_TOGETHER = 500, 10_000
_AT_ONCE = 100


@attrs.frozen
class TagChange:
    """The tags of one artifact in one registered session, where they are others than there.

    `added` and `removed` are `kind=value`; `tag` is that part of the document, `key_origins` who
    wrote its keys.
    """

    target: Target
    remote: Remote
    tag: Document
    key_origins: Mapping[str, str]
    added: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def body(self) -> Document:
        """The whole document, as `labels/sync` takes it."""
        rest = {name: value for name, value in self.remote.labels.items() if name != "tag"}
        return self.target.named | {
            "metadata": rest | ({"tag": self.tag} if self.tag else {}),
            "key_origins": dict(self.key_origins),
            "base_version": self.remote.version,
        }


def takes_tags(connection: Connection) -> bool:
    """Whether the registry takes tags of what is registered. Raises RegistryError."""
    features = object_of(object_of(connection.get("health")).get("features"))
    return object_of(features.get("labels")).get("sync_of_versions") is True


def tagged_targets(db: sqlite3.Connection, registry: str) -> list[Target]:
    """Every artifact that a job touched which is registered there in somebody's name.

    None where nothing was ever tagged.
    """
    if not has_tags(db):
        return []
    rows = db.execute(
        "SELECT DISTINCT receipt.session_hash, edge.artifact FROM receipt "
        "JOIN edge ON edge.job = receipt.job WHERE registry = ? AND owner <> ? "
        "AND edge.artifact IS NOT NULL ORDER BY edge.artifact DESC, session_hash",
        (registry, ANONYMOUS),
    ).fetchall()
    names = {artifact: artifact_name(db, artifact) for _, artifact in rows}
    return [
        Target("artifact", artifact, session_hash, None, digest_of(name))
        for session_hash, artifact in rows
        if (name := names[artifact])
    ]


def most_compared(connection: Connection, count: int) -> int:
    """Of so many artifacts, how many may be compared there. Raises RegistryError."""
    if count <= _MOST_ALONE:
        return count
    return min(count, _MOST_TOGETHER if takes_many(connection) else _MOST_ALONE)


def tag_changes(
    connection: Connection, db: sqlite3.Connection, targets: Iterable[Target]
) -> list[TagChange]:
    """Those of artifacts whose tags here are not the registry's, where the caller may change them.

    All are asked for. Raises RegistryError.
    """
    return list(_changes(connection, db, targets))


def send_tags(connection: Connection, changes: Sequence[TagChange]) -> None:
    """Have the registry take them; raises ConflictError when somebody was quicker."""
    for start in range(0, len(changes), _AT_ONCE):
        some = changes[start : start + _AT_ONCE]
        connection.post("labels/sync", {"labels": [change.body for change in some]})


def _changes(
    connection: Connection, db: sqlite3.Connection, targets: Iterable[Target]
) -> Iterator[TagChange]:
    events = standing_events(db)
    known = set(chain.from_iterable(events.values()))
    known |= {Tag(*row) for row in db.execute("SELECT kind, value FROM job_tag")}
    targets = list(targets)
    for target, remote in zip(targets, read_all(connection, targets), strict=True):
        assert target.entity is not None
        tags = tags_of(db, target.entity)
        ours = labels_of(db, "artifact", target.entity, tags, redactor=connection.redactor)
        theirs = remote.labels.get("tag", {})
        own = ours.metadata.get("tag", {}) if ours is not None and tags else {}
        tag = _with_others(own, theirs, events.get(target.entity, {}).keys(), known)
        if _in_order(tag) == _in_order(theirs) or remote.can_edit is False:
            continue
        here, there = set(map(str, tags_in(tag))), set(map(str, tags_in(theirs)))
        origins = ours.key_origins if ours is not None else {}
        yield TagChange(
            target,
            remote,
            tag,
            {key: origin for key, origin in origins.items() if key.startswith("tag.")},
            tuple(sorted(here - there)),
            tuple(sorted(there - here)),
        )


def _with_others(
    ours: Document, theirs: object, own: Collection[Tag], known: Collection[Tag]
) -> Document:
    """Our part of a document, and of theirs what we know nothing of.

    `own` are the tags that were ever put on the artifact, or taken off it, here; `known` all that
    were used here at all: of an inherited one that is all there is to go by.
    """
    held = tags_in(ours)
    others = {
        tag: value
        for tag, value in tags_in(theirs).items()
        if tag not in (known if value.get("origin") == SYSTEM else own) and value != held.get(tag)
    }
    if not others:
        return ours
    held |= others
    found: Document = {}
    for tag in sorted(held):
        found.setdefault(tag.kind, {"values": []})["values"].append(held[tag])
    events = _events(ours)
    events += [
        one for one in _events(theirs) if others.keys() & _covered(one) and one not in events
    ]
    return found | ({BIND: {"events": events}} if events else {})


def _in_order(tag: object) -> str:
    """A text that is the same whichever of two machines wrote its tags' events first."""
    events = sorted(_events(tag), key=lambda one: sorted(_covered(one)))
    values = sorted(tags_in(tag).items())
    return json.dumps([values, events], sort_keys=True)


def _events(tag: object) -> list[Document]:
    return objects_in(object_of(tag).get(BIND), "events")


def _covered(event: Document) -> set[Tag]:
    covers = object_of(event.get("covers"))
    return {
        Tag(kind, value)
        for kind in covers
        for value in list_in(covers, kind)
        if isinstance(value, str)
    }
