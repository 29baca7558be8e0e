"""`roar label … --remote`: the labels of one thing as a registry has them, read and changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from roar_core.cli import output, wording
from roar_core.errors import NotFoundError, RoarError
from roar_core.store.label_documents import flattened

if TYPE_CHECKING:
    from roar_core.cli.documents import Document
    from roar_core.registry.connection import Connection
    from roar_core.registry.labels.editing import Remote
    from roar_core.registry.labels.targets import Target

_DIGEST = re.compile(r"(?:blake3:)?(?P<digest>[0-9a-f]{64})")


def show_remote(ref: str, *, as_json: bool) -> None:
    """Print the newest labels of REF."""
    from roar_core.registry.labels.editing import read

    with _reached(ref) as (connection, target):
        _print(connection, target, read(connection, target), as_json=as_json)


def history_remote(ref: str, *, as_json: bool) -> None:
    """Print every version of the labels of REF, newest first, and what each changed."""
    from roar_core.cli.label import print_changes
    from roar_core.registry.labels.editing import read_history

    with _reached(ref) as (connection, target):
        versions = read_history(connection, target)
        if as_json:
            from roar_core.cli.documents import document

            told = [_version(found) for found in versions]
            named = _named(connection, target)
            output.data(document("remote_label_history", **named, versions=told))
            return
        if not versions:
            output.note(f"{target.words} has no labels at {connection.url}")
        print_changes([(f"version {v.version}", _moment(v), v.labels) for v in versions])


def change_remote(
    ref: str, set_: dict[str, Any], deleted: tuple[str, ...], *, as_json: bool
) -> list[str]:
    """Set and delete labels of REF at the registry; returns keys that were not there to delete."""
    from roar_core.redaction import redact
    from roar_core.registry.labels.editing import change, read

    with _reached(ref) as (connection, target):
        told = redact(set_, connection.redactor, again=True)
        masked, what = told.document, [found.name for found in told.masked]
        before = read(connection, target)
        there = before.leaves
        missing = [
            key for key in deleted if not any(f"{name}.".startswith(f"{key}.") for name in there)
        ]
        gone = tuple(key for key in deleted if key not in missing)
        now = change(connection, target, masked, gone) if masked or gone else before
        if what:
            output.warn(
                f"{wording.count(len(what), 'secret')} masked before it was sent: {', '.join(what)}"
            )
        if as_json:
            _print(connection, target, now, as_json=True)
        elif now.version == before.version:
            output.note(f"{target.words}: nothing changed at {connection.url}")
        else:
            output.note(f"{target.words}: labels are at version {now.version} at {connection.url}")
        return missing


class _reached:
    """A connection, and what REF is called there."""

    def __init__(self, ref: str) -> None:
        from roar_core.cli.registry.reaching import reach, registry_config

        self._ref = ref
        self._connection = reach(registry_config())

    def __enter__(self) -> tuple[Connection, Target]:
        return self._connection, _target(self._connection, self._ref)

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def _target(connection: Connection, ref: str) -> Target:
    """What is recorded here and registered there; or an artifact, by its whole hash."""
    from roar_core.cli.entities import find_entity
    from roar_core.cli.opening import open_project
    from roar_core.registry.labels.targets import Target, targets_of
    from roar_core.store.writer import Store

    digest = _DIGEST.fullmatch(ref)
    try:
        with open_project(Store) as (project, store):
            entity = find_entity(store, ref, project)
            with store.reading() as db:
                found = targets_of(db, connection.url, entity.kind, entity.id)
    except NotFoundError:
        if digest is None:
            raise
        found = []
    if found:
        return found[0]
    if digest is not None:
        from roar_core.registry.labels.editing import placed

        return placed(connection, Target("artifact", None, "", None, digest["digest"]))
    raise RoarError(
        f"{ref} is not registered at {connection.url} in your name; publish it first: "
        f"roar register {ref}"
    )


def _print(connection: Connection, target: Target, found: Remote, *, as_json: bool) -> None:
    if as_json:
        from roar_core.cli.documents import document

        said = {"can_edit": found.can_edit, **_version(found)}
        output.data(document("remote_labels", **_named(connection, target), **said))
        return
    if not found.labels:
        output.note(f"{target.words} has no labels at {connection.url}")
    from roar_core.cli.label import pair

    for key, value in flattened(found.labels):
        output.line(pair(key, value))


def _named(connection: Connection, target: Target) -> Document:
    return {
        "registry": connection.url,
        "kind": target.kind,
        "session_hash": target.session_hash or None,
        "job_uid": target.job_uid,
        "artifact_hash": target.artifact_hash,
    }


def _version(found: Remote) -> Document:
    from roar_core.cli.documents import timestamp

    at = found.registered_at
    return {
        "version": found.version,
        "labels": found.labels,
        "registered_at": None if at is None else timestamp(int(at * 1e9)),
    }


def _moment(found: Remote) -> str:
    at = found.registered_at
    return "" if at is None else wording.local_time(int(at * 1e9))
