"""`roar tag`: license, contains_pii and the like, inherited by all that is made of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from roar_core.cli import output, wording
from roar_core.cli.entities import Entity, find_entity
from roar_core.cli.opening import open_project
from roar_core.cli.tag_words import known_kinds, patterns_of, tags_of
from roar_core.errors import NotFoundError

if TYPE_CHECKING:
    import sqlite3

    from roar_core.cli.documents import Document
    from roar_core.lineage.tags import Held
    from roar_core.project import Project
    from roar_core.store.tags import Action, Tag
    from roar_core.store.writer import Store

_as_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")


@click.group()
def tag() -> None:
    """Tag artifacts; what is made of them inherits their tags.

    Kinds are license, contains_pii, jurisdiction, classification, special_category and those of the
    setting tags.custom_kinds. REF is a path (the bytes it holds now) or the beginning of a hash;
    `show` and `why` take a step (@3) too, for all that it wrote.

    A tag put on an artifact passes on for ever; an inherited one stays in its session until it is
    bound. `roar run --block-tag` stops a tag, `--add-tag` adds one. Of what is registered already,
    `roar label sync` sends tags that changed since, where the registry takes them.

    Example: roar tag add data.csv license=cc-by-4.0 contains_pii
    """


@tag.command()
@click.argument("ref")
@click.argument("tags", nargs=-1, required=True, metavar="KIND=VALUE…")
@_as_json
def add(ref: str, tags: tuple[str, ...], as_json: bool) -> None:
    """Put tags on the artifact REF. `contains_pii` alone means contains_pii=true.

    Example: roar tag add data.csv license=cc-by-4.0 contains_pii
    """
    wanted = tags_of(tags, known_kinds())
    _change(ref, "add", lambda held: [t for t in wanted if not _is_bound(held, t)], as_json)


@tag.command()
@click.argument("ref")
@click.argument("tags", nargs=-1, required=True, metavar="KIND[=VALUE]…")
@_as_json
def rm(ref: str, tags: tuple[str, ...], as_json: bool) -> int:
    """Take tags off the artifact REF, inherited ones too; exit 1 when it has none of them.

    They are then not inherited from it either. Without VALUE every value of the kind goes.

    Example: roar tag rm anonymous.csv contains_pii
    """
    return _change_held(ref, "remove", tags, as_json)


@tag.command()
@click.argument("ref")
@click.argument("tags", nargs=-1, metavar="[KIND[=VALUE]]…")
@_as_json
def bind(ref: str, tags: tuple[str, ...], as_json: bool) -> int:
    """Have inherited tags of REF, or all of them, pass on into other sessions.

    Example: roar tag bind model.pkl license
    """
    return _change_held(ref, "bind", tags, as_json)


@tag.command()
@click.argument("ref")
@click.argument("tags", nargs=-1, metavar="[KIND[=VALUE]]…")
@_as_json
def unbind(ref: str, tags: tuple[str, ...], as_json: bool) -> int:
    """Have tags of REF be no more than what it inherits.

    Example: roar tag unbind model.pkl
    """
    return _change_held(ref, "unbind", tags, as_json)


@tag.command()
@click.argument("ref")
@_as_json
def show(ref: str, as_json: bool) -> None:
    """Show the tags of REF, and whether each was put there or inherited.

    Example: roar tag show model.pkl
    """
    from roar_core.store.writer import Store

    with open_project(Store) as (project, store):
        entity = find_entity(store, ref, project)
        with store.snapshot() as db:
            held = _held(db, entity)
    _print(entity, held, as_json=as_json)


@tag.command()
@click.argument("ref")
@_as_json
def history(ref: str, as_json: bool) -> None:
    """Show what was done with the tags of the artifact REF, newest first.

    Example: roar tag history data.csv
    """
    from roar_core.store.tags import tag_events
    from roar_core.store.writer import Store

    with open_project(Store) as (project, store):
        entity = _artifact(store, ref, project)
        with store.reading() as db:
            events = tag_events(db, entity.id)
    if as_json:
        from roar_core.cli.documents import document, timestamp

        output.data(
            document(
                "tag_history",
                **_named(entity),
                events=[
                    {"action": e.action, **e.tag._asdict(), "at": timestamp(e.at_ns)}
                    for e in events
                ],
            )
        )
        return
    if not events:
        output.note(f"nobody has tagged {output.printable(ref)}")
    for event in events:
        when = wording.local_time(event.at_ns)
        output.line(f"{when}  {event.action:<6}  {output.printable(str(event.tag))}")


@tag.command()
@click.argument("ref")
@click.argument("wanted", metavar="KIND[=VALUE]")
@_as_json
def why(ref: str, wanted: str, as_json: bool) -> int:
    """Show the way by which a tag came to REF; exit 1 when it has no such tag.

    Example: roar tag why model.pkl contains_pii
    """
    from roar_core.cli.tag_way import print_ways, way_document, ways_of
    from roar_core.store.writer import Store

    patterns = list(patterns_of([wanted], known_kinds()))
    with open_project(Store) as (project, store):
        entity = find_entity(store, ref, project)
        with store.snapshot() as db:
            tags = _matching(_held(db, entity), patterns)
            ways = ways_of(db, entity, tags, project)
    if as_json:
        from roar_core.cli.documents import document

        output.data(document("tag_why", **_named(entity), ways=[way_document(w) for w in ways]))
    elif not ways:
        output.note(f"{output.printable(entity.name)} has no tag {output.printable(wanted)}")
    else:
        print_ways(ways, entity.name)
    return 0 if ways else 1


def _change_held(ref: str, action: Action, words: Sequence[str], as_json: bool) -> int:
    """Do something with tags that an artifact has, all of them when none is named."""
    patterns = list(patterns_of(words, known_kinds()))
    entity, changed = _change(
        ref,
        action,
        lambda held: [
            found
            for found in _matching(held, patterns)
            if action == "remove" or _is_bound(held, found) == (action == "unbind")
        ],
        as_json,
    )
    if not changed and not as_json:
        what = " ".join(words) or "tags"
        output.note(f"{output.printable(entity.name)} has no {output.printable(what)} to {action}")
    return 0 if changed else 1


def _change(
    ref: str, action: Action, choose: Callable[[list[Held]], list[Tag]], as_json: bool
) -> tuple[Entity, list[Tag]]:
    """Append what `choose` picks, knowing the tags that are there, in one transaction."""
    from roar_core.store.tags import write_events
    from roar_core.store.writer import Store

    with open_project(Store) as (project, store):
        entity = _artifact(store, ref, project)
    with Store.open(project.roar_dir) as store, store.writing() as db:
        changed = choose(_held(db, entity))
        write_events(db, entity.id, action, changed, time.time_ns())
        held = _held(db, entity)
    if as_json:
        _print(entity, held, as_json=True)
    elif changed or action == "add":
        done = " ".join(map(str, changed)) or "nothing new"
        output.note(output.printable(f"{entity.name}: {action} {done}"))
    return entity, changed


def _artifact(store: Store, ref: str, project: Project) -> Entity:
    entity = find_entity(store, ref, project)
    if entity.kind != "artifact":
        raise NotFoundError(
            f"{ref!r} is a {entity.kind}, and tags are on artifacts: name a file or a hash"
        )
    return entity


def _held(db: sqlite3.Connection, entity: Entity) -> list[Held]:
    from roar_core.lineage.tags import Held, TagGraph

    graph = TagGraph(db)
    if entity.kind == "artifact":
        return graph.of_artifact(entity.id, entity.makers)
    if entity.kind == "job":
        row = db.execute("SELECT session FROM job WHERE id = ?", (entity.id,)).fetchone()
        return [Held(found, False, row) for found in sorted(graph.of_job(entity.id))]
    raise NotFoundError(f"{entity.name} is a session, and tags are on artifacts: name a file")


def _is_bound(held: Sequence[Held], wanted: Tag) -> bool:
    return any(found.tag == wanted and found.is_bound for found in held)


def _matching(held: Sequence[Held], patterns: Sequence[tuple[str, str | None]]) -> list[Tag]:
    return [
        found.tag
        for found in held
        if not patterns
        or any(found.tag.kind == k and v in (None, found.tag.value) for k, v in patterns)
    ]


def _print(entity: Entity, held: Sequence[Held], *, as_json: bool) -> None:
    if as_json:
        from roar_core.cli.documents import document

        tags = [
            {**found.tag._asdict(), "bound": found.is_bound, "sessions": list(found.sessions)}
            for found in held
        ]
        output.data(document("tags", **_named(entity), tags=tags))
        return
    if not held:
        output.note(f"{output.printable(entity.name)} has no tags")
    for found in held:
        within = ", ".join(map(str, found.sessions))
        origin = "bound" if found.is_bound else f"inherited in session {within}"
        output.line(f"{output.printable(str(found.tag))}  {output.style(origin, 'dim')}")


def _named(entity: Entity) -> Document:
    from roar_core.cli.documents import text

    return {"kind": entity.kind, "name": text(entity.name), "hash": entity.hash}
