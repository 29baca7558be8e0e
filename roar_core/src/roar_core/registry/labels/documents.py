"""Labels and tags as the protocol has them (section 4.9; docs/identity.md has the names of keys).

Tags lie in the document of an artifact: `tag.<kind>.values` has each value, `user` when somebody
put it there and `system` when it was inherited, with the job that brought it; `tag.bind.events`
what was bound and unbound, in order. Secrets are masked before anybody sees these documents.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from roar_core.lineage.tags import TagGraph
from roar_core.redaction import DEFAULT, Redactor, redact
from roar_core.registry.answers import object_of, objects_in
from roar_core.store.label_documents import flattened, merged, users_own
from roar_core.store.labels import EntityKind, label_history
from roar_core.store.tags import Tag, has_tags, tag_events

if TYPE_CHECKING:
    import sqlite3

Document = dict[str, Any]

USER, SYSTEM = "user", "system"
# Under this name lies what was bound: it is no kind of tag.
BIND = "bind"


@attrs.frozen
class Labels:
    """One document: masked, with who wrote each key; `masked` is what secrets were called."""

    metadata: Document = attrs.field(factory=dict)
    key_origins: Mapping[str, str] = attrs.field(factory=dict)
    masked: tuple[str, ...] = ()

    @property
    def own(self) -> Document:
        """The part that people write; the rest roar writes by itself."""
        return users_own(self.metadata)


@attrs.frozen
class Labelled:
    """What is labelled of some work: a session as a whole, jobs by uid, artifacts by name.

    The name of an artifact is `algorithm:digest`. Nothing is here that has neither label nor tag.
    `number` is the session's, here.
    """

    number: int | None
    session: Labels | None
    jobs: Mapping[str, Labels]
    artifacts: Mapping[str, Labels]

    def documents(
        self, session_hash: str, uids: Iterable[str], artifacts: Iterable[str]
    ) -> list[Document]:
        """The bodies of `labels/batch` for some of it, in the session of this hash."""
        found: list[tuple[str, dict[str, str], Labels | None]] = [("dag", {}, self.session)]
        found += [("job", {"job_uid": uid}, self.jobs.get(uid)) for uid in uids]
        found += [
            ("artifact", {"artifact_hash": digest_of(name)}, self.artifacts.get(name))
            for name in artifacts
        ]
        return [
            {
                "entity_type": kind,
                "session_hash": session_hash,
                **target,
                "metadata": labels.metadata,
                "key_origins": dict(labels.key_origins),
            }
            for kind, target, labels in found
            if labels is not None
        ]


def labelled_of(
    db: sqlite3.Connection,
    uids: Iterable[str],
    session: int | None = None,
    redactor: Redactor = DEFAULT,
) -> Labelled:
    """The labels and tags of jobs, of all that these read and wrote, and of a session."""
    wanted = json.dumps(list(uids))
    jobs = dict(
        db.execute(
            "SELECT uid, id FROM job WHERE uid IN (SELECT value FROM json_each(?))", (wanted,)
        )
    )
    artifacts = artifacts_of(db, list(jobs.values()))
    tags = _tags(db, artifacts)
    named = {
        artifact: artifact_name(db, artifact) for artifact in _labelled(db, artifacts) | set(tags)
    }
    return Labelled(
        session,
        None if session is None else labels_of(db, "session", session, redactor=redactor),
        _some({uid: labels_of(db, "job", job, redactor=redactor) for uid, job in jobs.items()}),
        _some(
            {
                name: labels_of(db, "artifact", artifact, tags.get(artifact), redactor=redactor)
                for artifact, name in named.items()
                if name is not None
            }
        ),
    )


def labels_of(
    db: sqlite3.Connection,
    kind: EntityKind,
    entity: int,
    tags: Document | None = None,
    *,
    redactor: Redactor = DEFAULT,
) -> Labels | None:
    """The newest labels of something, `tags` among them; None: it never had any."""
    versions = label_history(db, kind, entity)
    if not versions and not tags:
        return None
    newest = versions[0].labels if versions else {}
    told = redact(merged(newest, {"tag": tags} if tags else {}), redactor, again=True)
    masked, what = told.document, tuple(found.name for found in told.masked)
    origins = {key: _origin(key) for key, _ in flattened(masked)}
    # Who wrote a key last: the oldest of the newest versions that have its value of now.
    now = dict(flattened(newest))
    for number, version in enumerate(versions, 1):
        was = dict(flattened(versions[number].labels)) if number < len(versions) else {}
        for key in [key for key, value in now.items() if key not in was or was[key] != value]:
            if origins.get(key) == USER:
                origins[key] = version.origin
            del now[key]
    return Labels(masked, origins, what)


def tags_of(db: sqlite3.Connection, artifact: int) -> Document | None:
    """The `tag` part of an artifact's document; None: it has no tags and never had any."""
    return _tags(db, [artifact]).get(artifact)


def artifacts_of(db: sqlite3.Connection, jobs: Sequence[int]) -> list[int]:
    """All that these jobs read and wrote."""
    rows = db.execute(
        "SELECT DISTINCT artifact FROM json_each(?) CROSS JOIN edge ON edge.job = value "
        "WHERE artifact IS NOT NULL ORDER BY artifact",
        (json.dumps(jobs),),
    )
    return [row[0] for row in rows]


def artifact_name(db: sqlite3.Connection, artifact: int) -> str | None:
    """`algorithm:digest`, by which the protocol knows it; None: it has no digest."""
    row = db.execute("SELECT blake3 FROM artifact WHERE id = ?", (artifact,)).fetchone()
    if row is None:
        return None
    if row[0] is not None:
        return f"blake3:{row[0].hex()}"
    other = db.execute(
        "SELECT algorithm || ':' || value FROM digest WHERE artifact = ? ORDER BY 1", (artifact,)
    ).fetchone()
    return None if other is None else str(other[0])


def digest_of(name: str) -> str:
    """The digest of `algorithm:digest`."""
    return name.partition(":")[2]


def tags_in(told: object) -> dict[Tag, Document]:
    """What the part `tag` of a document says of each tag, whoever wrote it.

    Of what is told twice the later counts; what is no tag is passed over.
    """
    return {
        Tag(kind, one["value"]): one
        for kind, tags in object_of(told).items()
        if kind != BIND
        for one in objects_in(tags, "values")
        if isinstance(one.get("value"), str)
    }


def _tags(db: sqlite3.Connection, artifacts: Iterable[int]) -> dict[int, Document]:
    if not has_tags(db):
        return {}
    graph = TagGraph(db)
    found = {}
    for artifact in artifacts:
        told = dict(_told_tags(db, graph, artifact))
        if told:
            found[artifact] = told
    return found


def _told_tags(
    db: sqlite3.Connection, graph: TagGraph, artifact: int
) -> Iterator[tuple[str, Document]]:
    events = tag_events(db, artifact)[::-1]
    put = {event.tag for event in events if event.action == "add"}
    values: dict[str, list[Document]] = defaultdict(list)
    for held in graph.of_artifact(artifact):
        value: Document = {"value": held.tag.value, "origin": USER if held.tag in put else SYSTEM}
        way = [] if held.tag in put else graph.way(held.tag, artifact=artifact)
        brought = next((hop.job for hop in reversed(way) if hop.job is not None), None)
        if brought is not None:
            query = "SELECT uid FROM job WHERE id = ?"
            value["job"] = db.execute(query, (brought,)).fetchone()[0]
        values[held.tag.kind].append(value)
    for kind, found in values.items():
        yield kind, {"values": found}
    # A tag that somebody adds is bound as well; one that is taken off is not any more.
    words = {"add": "bind", "bind": "bind", "remove": "unbind", "unbind": "unbind"}
    if events:
        yield (
            BIND,
            {
                "events": [
                    {
                        "action": words[event.action],
                        "covers": {event.tag.kind: [event.tag.value]},
                    }
                    for event in events
                ]
            },
        )


def _labelled(db: sqlite3.Connection, artifacts: Iterable[int]) -> set[int]:
    rows = db.execute(
        "SELECT DISTINCT entity FROM json_each(?) CROSS JOIN label "
        "ON label.entity_type = 'artifact' AND label.entity = value",
        (json.dumps(list(artifacts)),),
    )
    return {row[0] for row in rows}


def _origin(key: str) -> str:
    return USER if users_own({key.partition(".")[0]: {key.partition(".")[2]: 0}}) else SYSTEM


def _some(found: Mapping[str, Labels | None]) -> dict[str, Labels]:
    return {name: labels for name, labels in found.items() if labels is not None}
