"""The labels and tags of what is shown: those of here, and those that a registry tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from roar_core.cli import output
from roar_core.errors import RegistryError
from roar_core.store.label_documents import flattened, users_own

if TYPE_CHECKING:
    import sqlite3

    from roar_core.cli.documents import Document
    from roar_core.cli.registry.resolving import Opened
    from roar_core.lineage.tags import Held
    from roar_core.registry.resolving.labelled import There

_SHOWN = 20


class Marks(NamedTuple):
    """Labels and tags of one thing; `there` is what a registry has, None when none told of it."""

    labels: Mapping[str, Any]
    tags: tuple[Held, ...]
    there: There | None = None


def marks_of_artifact(opened: Opened, db: sqlite3.Connection, name: str | None) -> Marks:
    """What is attached to the bytes of this name (`blake3:…`), None when it is not known."""
    from roar_core.lineage.tags import TagGraph
    from roar_core.store.artifacts import artifacts_by_digest
    from roar_core.store.labels import read_labels
    from roar_core.store.tags import has_tags

    algorithm, _, digest = (name or "").partition(":")
    known = artifacts_by_digest(db, algorithm, digest) if digest else []
    there = None
    if opened.answers is not None and digest:
        from roar_core.registry.resolving.labelled import of_artifact

        there = of_artifact(opened.answers, digest)
    if not known:
        return Marks({}, (), there)
    tags = TagGraph(db).of_artifact(known[0]) if has_tags(db) else ()
    return Marks(read_labels(db, "artifact", known[0]), tuple(tags), there)


def marks_of_job(opened: Opened, uid: str, labels: Mapping[str, Any]) -> Marks:
    """What is attached to a job, which has these labels here."""
    there = None
    if opened.answers is not None and opened.connection is not None:
        from roar_core.registry.resolving.labelled import of_job

        try:
            there = of_job(opened.connection, opened.answers, uid)
        except RegistryError as error:
            output.warn(f"its labels there are not told: {error}")
    return Marks(labels, (), there)


def marks_of_session(opened: Opened, session_hash: str) -> Marks:
    """What is attached to a registered session as a whole."""
    there = None
    if opened.connection is not None:
        from roar_core.registry.resolving.labelled import of_session

        try:
            there = of_session(opened.connection, session_hash)
        except RegistryError as error:
            output.warn(f"its labels there are not told: {error}")
    return Marks({}, (), there)


def mark_facts(marks: Marks, *, with_own: bool, everything: bool) -> Iterator[tuple[str, str]]:
    """Label and sentence of each; `with_own`: those of here too, else a registry's alone.

    What a registry has as it is here is told once. What roar writes itself, only in full.
    """
    found = list(_facts(marks, with_own=with_own, everything=everything))
    shown = found if everything or len(found) <= _SHOWN + 1 else found[:_SHOWN]
    yield from shown
    if len(shown) < len(found):
        yield "", f"{output.symbol('…', '...')} and {len(found) - len(shown):,} more: --all"


def print_marks(marks: Marks, *, with_own: bool, everything: bool) -> None:
    """Print them, a line for each."""
    from roar_core.cli.job_view import print_fact

    for label, value in mark_facts(marks, with_own=with_own, everything=everything):
        print_fact(label, value)


def mark_documents(marks: Marks, *, with_own: bool) -> Document:
    """The field `there` when a registry told of it; `with_own` also `labels` and `tags`."""
    fields: Document = {}
    if with_own:
        fields["labels"] = dict(marks.labels)
        fields["tags"] = [
            {**held.tag._asdict(), "bound": held.is_bound, "sessions": list(held.sessions)}
            for held in marks.tags
        ]
    if marks.there is not None:
        fields["there"] = there_document(marks.there)
    return fields


def there_document(there: There) -> Document:
    """docs/json.md, "there"."""
    return {
        "registry": there.registry,
        "labels": dict(there.labels),
        "tags": [
            {"kind": tag.kind, "value": tag.value, "inherited": tag.is_inherited}
            for tag in there.tags
        ],
    }


def _facts(marks: Marks, *, with_own: bool, everything: bool) -> Iterator[tuple[str, str]]:
    from roar_core.cli.label import pair

    own = dict(flattened(marks.labels))
    for key, value in own.items() if with_own else ():
        yield "label", pair(key, value)
    for held in marks.tags if with_own else ():
        yield "tag", f"{held.tag}{'' if held.is_bound else '  inherited'}"
    there = marks.there
    if there is None:
        return
    host = there.registry.partition("://")[2]
    for key, value in flattened(there.labels if everything else users_own(there.labels)):
        if key not in own or own[key] != value:
            yield "label", f"{pair(key, value)}  at {host}"
    here = {(held.tag.kind, held.tag.value) for held in marks.tags}
    for tag in there.tags:
        if (tag.kind, tag.value) not in here:
            how = "inherited " if tag.is_inherited else ""
            yield "tag", f"{tag.kind}={tag.value}  {how}at {host}"
