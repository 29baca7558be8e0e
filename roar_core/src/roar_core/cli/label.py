"""`roar label`: documents attached to jobs, artifacts and sessions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from roar_core.cli import output, wording
from roar_core.cli.entities import Entity, find_entity
from roar_core.cli.habits import RefGroup
from roar_core.cli.opening import open_project
from roar_core.cli.registry.label_sync import sync
from roar_core.errors import UsageError
from roar_core.store.label_documents import (
    flattened,
    from_words,
    key_path,
    merged,
    users_own,
    without,
)

if TYPE_CHECKING:
    from roar_core.cli.documents import Document
    from roar_core.store.labels import LabelVersion

_as_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
_remote = click.option("--remote", is_flag=True, help="At the registry, not here.")


@click.group(cls=RefGroup)
def label() -> None:
    """Attach labels to jobs, artifacts and sessions; every change is kept as a version.

    REF is a step (@3), the beginning of a uid or hash, a path (the bytes it holds now) or
    session:N, session:current.

    Example: roar label set model.pkl stage=prod metrics.accuracy=0.93
    """


label.add_command(sync)


@label.command("set")
@click.argument("ref")
@click.argument("labels", nargs=-1, required=True, metavar="KEY=VALUE…")
@_remote
@_as_json
def set_labels(ref: str, labels: tuple[str, ...], remote: bool, as_json: bool) -> None:
    """Set labels of REF; dots nest, and what is already there is kept.

    Values are read as JSON has them: true, false, null and numbers; anything else is text.

    Examples: roar label set @3 team=vision review.by=ada · roar label set @3 stage=prod --remote
    """
    wanted = from_words(labels)
    if remote:
        from roar_core.cli.registry.label_remote import change_remote

        change_remote(ref, wanted, (), as_json=as_json)
        return
    _change(ref, lambda found: merged(found, wanted), as_json=as_json)


@label.command()
@click.argument("ref")
@click.argument("keys", nargs=-1, required=True, metavar="KEY…")
@_remote
@_as_json
def unset(ref: str, keys: tuple[str, ...], remote: bool, as_json: bool) -> int:
    """Take labels of REF away; exit 1 when one was not there.

    Example: roar label unset @3 review
    """
    paths = {key: key_path(key) for key in keys}
    missing: list[str] = []

    def less(found: dict[str, Any]) -> dict[str, Any]:
        for key, path in paths.items():
            reduced = without(found, path)
            if reduced is None:
                missing.append(key)
            else:
                found = reduced
        return found

    if remote:
        from roar_core.cli.registry.label_remote import change_remote

        missing = change_remote(ref, {}, tuple(paths), as_json=as_json)
    else:
        _change(ref, less, as_json=as_json)
    for key in missing:
        output.warn(f"{ref} has no label {key}{' there' if remote else ''}")
    return 1 if missing else 0


@label.command()
@click.argument("ref")
@_remote
@_as_json
def show(ref: str, remote: bool, as_json: bool) -> None:
    """Show the labels of REF.

    Example: roar label show model.pkl
    """
    if remote:
        from roar_core.cli.registry.label_remote import show_remote

        show_remote(ref, as_json=as_json)
        return
    from roar_core.store.labels import label_history
    from roar_core.store.writer import Store

    with open_project(Store) as (project, store):
        entity = find_entity(store, ref, project)
        with store.reading() as db:
            versions = label_history(db, entity.kind, entity.id)
    _print(entity, versions[0] if versions else None, as_json=as_json)


@label.command(short_help="Show every version of the labels.")
@click.argument("ref")
@_remote
@_as_json
def history(ref: str, remote: bool, as_json: bool) -> None:
    """Show every version of the labels of REF, newest first, and what each changed.

    Example: roar label history @3
    """
    if remote:
        from roar_core.cli.registry.label_remote import history_remote

        history_remote(ref, as_json=as_json)
        return
    from roar_core.store.labels import label_history
    from roar_core.store.writer import Store

    with open_project(Store) as (project, store):
        entity = find_entity(store, ref, project)
        with store.reading() as db:
            versions = label_history(db, entity.kind, entity.id)
    if as_json:
        from roar_core.cli.documents import document

        output.data(
            document(
                "label_history", **_named(entity), versions=[_version(found) for found in versions]
            )
        )
        return
    if not versions:
        output.note(f"{output.printable(ref)} never had a label")
    print_changes(
        [
            (f"version {v.version}", f"{wording.local_time(v.written_at_ns)}  {v.origin}", v.labels)
            for v in versions
        ]
    )


@label.command(short_help="Copy the labels of SOURCE to TARGET.")
@click.argument("source")
@click.argument("target")
@_as_json
def cp(source: str, target: str, as_json: bool) -> None:
    """Copy the labels of SOURCE to TARGET, over what TARGET has; roar's own are left out.

    Example: roar label cp old.pkl new.pkl
    """
    from roar_core.store.labels import read_labels
    from roar_core.store.writer import Store

    with open_project(Store) as (project, store):
        found = find_entity(store, source, project)
        with store.reading() as db:
            copied = users_own(read_labels(db, found.kind, found.id))
    if not copied:
        raise UsageError(f"{source!r} has no labels to copy; see: roar label show {source}")
    _change(target, lambda labels: merged(labels, copied), as_json=as_json)


def print_changes(versions: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
    """Print versions of labels, (name, what else, labels) each, newest first: what each changed."""
    befores = [dict(flattened(labels)) for _, _, labels in versions[1:]] + [{}] * bool(versions)
    for (name, more, labels), before in zip(versions, befores, strict=True):
        output.line(f"{output.style(name, 'bold')}  {more}")
        after = dict(flattened(labels))
        for key in sorted(before.keys() | after.keys()):
            if key in before and before.get(key) != after.get(key, before):
                output.line(f"  - {pair(key, before[key])}")
            if key in after and (key not in before or before[key] != after[key]):
                output.line(f"  + {pair(key, after[key])}")


def _change(
    ref: str, change: Callable[[dict[str, Any]], Mapping[str, Any]], *, as_json: bool
) -> None:
    from roar_core.store.labels import change_labels, label_history
    from roar_core.store.writer import Store

    with open_project(Store) as (project, store):
        entity = find_entity(store, ref, project)
    with Store.open(project.roar_dir) as store, store.writing() as db:
        version = change_labels(db, entity.kind, entity.id, change, time.time_ns())
        versions = label_history(db, entity.kind, entity.id)
    newest = versions[0] if versions else None
    if as_json:
        _print(entity, newest, as_json=True)
    elif version is None:
        output.note(f"{output.printable(entity.name)}: nothing changed")
    else:
        output.note(f"{output.printable(entity.name)}: labels are at version {version}")


def _print(entity: Entity, newest: LabelVersion | None, *, as_json: bool) -> None:
    labels = newest.labels if newest else {}
    if as_json:
        from roar_core.cli.documents import document

        version = newest.version if newest else 0
        output.data(document("labels", **_named(entity), version=version, labels=labels))
    elif not labels:
        output.note(f"{output.printable(entity.name)} has no labels")
    for key, value in () if as_json else flattened(labels):
        output.line(pair(key, value))


def _named(entity: Entity) -> Document:
    from roar_core.cli.documents import text

    return {"kind": entity.kind, "name": text(entity.name), "hash": entity.hash}


def _version(found: LabelVersion) -> Document:
    from roar_core.cli.documents import timestamp

    return {
        "version": found.version,
        "written_at": timestamp(found.written_at_ns),
        "origin": found.origin,
        "labels": found.labels,
    }


def pair(key: str, value: object) -> str:
    """A label as people write it."""
    shown = value if isinstance(value, str) else json.dumps(value)
    return output.printable(f"{key}={shown}")
