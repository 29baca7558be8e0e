"""The artifacts of the graph document, read and looked through some hundreds at once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, overload

from roar_core.export.told import name_of, tell_masked
from roar_core.identity import BloomFilter
from roar_core.redaction import Masked, Redactor, redact
from roar_core.spelling import base64_of, exact_timestamp, is_text, text
from roar_core.store.composites import members_of
from roar_core.store.labels import read_labels

if TYPE_CHECKING:
    import sqlite3

    from roar_core.model.composite import Component

Document = dict[str, Any]

_AT_ONCE = 500


class Loaded(Sequence[Document]):
    """Documents that are read when one goes through them, each time anew; none is kept."""

    def __init__(self, count: int, read: Callable[[], Iterator[Document]]) -> None:
        self._count = count
        self._read = read

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Document]:
        return self._read()

    @overload
    def __getitem__(self, index: int) -> Document: ...
    @overload
    def __getitem__(self, index: slice) -> list[Document]: ...
    def __getitem__(self, index: int | slice) -> Document | list[Document]:
        if isinstance(index, slice):
            return list(self)[index]
        place = index + self._count if index < 0 else index
        if not 0 <= place < self._count:
            raise IndexError(index)
        return next(islice(self._read(), place, None))


def artifacts_of(
    db: sqlite3.Connection, jobs: list[int], further: Sequence[int], redactor: Redactor | None
) -> Loaded:
    """All that the jobs read and wrote, and `further` artifacts; without a redactor with secrets.

    They are ordered by name: the same graph is the same document in every project.
    """
    query = (
        "SELECT DISTINCT artifact FROM edge WHERE artifact IS NOT NULL "
        "AND job IN (SELECT value FROM json_each(?))"
    )
    ids = {row[0] for row in db.execute(query, (json.dumps(jobs),))} | set(further)
    names = {artifact: name_of(digests) for artifact, (digests, *_) in _rows(db, list(ids)).items()}
    ordered = sorted(ids, key=lambda artifact: (names[artifact], artifact))
    return Loaded(len(ordered), lambda: _told(db, ordered, redactor))


def _told(
    db: sqlite3.Connection, artifacts: Sequence[int], redactor: Redactor | None
) -> Iterator[Document]:
    for start in range(0, len(artifacts), _AT_ONCE):
        documents = _documents(db, artifacts[start : start + _AT_ONCE])
        if redactor is None:
            yield from documents
            continue
        # Members, which may be many, are told when they are read; their paths cannot be masked.
        told = redact(documents, redactor, again=True)
        masked: dict[int, list[Masked]] = defaultdict(list)
        for one in told.masked:
            _, number, where = one.where.split("/", 2)
            masked[int(number)].append(one._replace(where=f"/{where}"))
        for place, document in enumerate(told.document):
            notes = tell_masked(masked.get(place, ()))
            yield {**document, **({"masked": notes} if notes else {})}


def _rows(
    db: sqlite3.Connection, artifacts: Sequence[int]
) -> dict[int, tuple[dict[str, str], int, int]]:
    """Digests, size and when it was seen first, by artifact."""
    wanted = (json.dumps(artifacts),)
    found: dict[int, tuple[dict[str, str], int, int]] = {
        artifact: ({} if blake is None else {"blake3": blake.hex()}, size, first_seen_ns)
        for artifact, blake, size, first_seen_ns in db.execute(
            "SELECT id, blake3, size, first_seen_ns FROM artifact "
            "WHERE id IN (SELECT value FROM json_each(?))",
            wanted,
        )
    }
    for artifact, algorithm, value in db.execute(
        "SELECT artifact, algorithm, value FROM digest "
        "WHERE artifact IN (SELECT value FROM json_each(?)) ORDER BY artifact, algorithm, value",
        wanted,
    ):
        found[artifact][0][algorithm] = value
    return found


def _documents(db: sqlite3.Connection, artifacts: Sequence[int]) -> list[Document]:
    wanted = (json.dumps(artifacts),)
    kinds: dict[int, set[str]] = defaultdict(set)
    for artifact, kind in db.execute(
        "SELECT DISTINCT artifact, kind FROM json_each(?) CROSS JOIN edge ON edge.artifact = value",
        wanted,
    ):
        kinds[artifact].add(kind)
    labelled = {
        row[0]
        for row in db.execute(
            "SELECT DISTINCT entity FROM json_each(?) CROSS JOIN label "
            "ON label.entity_type = 'artifact' AND label.entity = value",
            wanted,
        )
    }
    rows, datasets = _rows(db, artifacts), _datasets(db, artifacts)
    documents = []
    for artifact in artifacts:
        digests, size, first_seen_ns = rows[artifact]
        dataset = datasets.get(artifact)
        kind = "composite" if dataset else "object" if kinds[artifact] == {"object"} else "file"
        documents.append(
            {
                "hash": name_of(digests),
                "size": size,
                "kind": kind,
                "digests": digests,
                "first_seen_at": exact_timestamp(first_seen_ns),
                "composite": dataset,
                "labels": read_labels(db, "artifact", artifact) if artifact in labelled else {},
            }
        )
    return documents


def _datasets(db: sqlite3.Connection, artifacts: Sequence[int]) -> dict[int, Document]:
    return {
        artifact: _dataset(db, artifact, *columns)
        for artifact, *columns in db.execute(
            "SELECT artifact, layout, member_count, bloom_bits, bloom_hashes, bloom FROM composite "
            "WHERE artifact IN (SELECT value FROM json_each(?))",
            (json.dumps(artifacts),),
        ).fetchall()
    }


def _dataset(
    db: sqlite3.Connection, artifact: int, layout: str, count: int, *bloom: Any
) -> Document:
    members = members_of(db, artifact)
    return {
        "layout": layout,
        "members": count,
        "listed": members is not None,
        "components": None
        if members is None
        else Loaded(count, lambda: map(_tell_component, members)),
        "filter": None if bloom[2] is None else BloomFilter(*bloom).to_wire(),
    }


def _tell_component(component: Component) -> Document:
    """A member of a dataset."""
    algorithm = "composite-blake3" if component.kind == "composite" else "blake3"
    document = {
        "path": text(component.path),
        "hash": f"{algorithm}:{component.digest}",
        "size": component.size,
        "kind": component.kind,
    }
    if not is_text(component.path):
        document["raw"] = base64_of(component.path)
    return document
