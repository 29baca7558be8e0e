"""`roar label sync`: the labels of what is registered, brought to the same on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from roar_core.cli import output, wording
from roar_core.cli.registry.tag_view import send_newest, show_tags, tag_documents
from roar_core.errors import ConflictError, RoarError, UnregisteredError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roar_core.cli.documents import Document
    from roar_core.project import Project
    from roar_core.registry.connection import Connection
    from roar_core.registry.labels.merging import Conflict
    from roar_core.registry.labels.syncing import Step
    from roar_core.registry.labels.targets import Target
    from roar_core.store.writer import Store


@click.command(short_help="Make labels the same here and there.")
@click.argument("refs", nargs=-1, metavar="[REF…]")
@click.option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
@click.option("--ours", is_flag=True, help="Where both changed a label, the one here holds.")
@click.option("--theirs", is_flag=True, help="Where both changed a label, the registry's holds.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def sync(
    refs: tuple[str, ...], dry_run: bool, ours: bool, theirs: bool, yes: bool, as_json: bool
) -> int:
    """Bring the labels of registered jobs, artifacts and sessions to the same here and there.

    What was set or taken away here since the last time goes to the registry, and what others
    changed there comes here; without REF, of everything that this project registered. A label that
    both changed is told with both values, and stays as it is until --ours or --theirs decides; then
    the exit status is 1. Tags that changed here are sent where the registry takes them, else told.
    Secrets are masked before anything is sent.

    Examples: roar label sync --dry-run · roar label sync model.pkl -y · roar label sync --theirs
    """
    if ours and theirs:
        raise UsageError("give one of --ours and --theirs")
    decided = "ours" if ours else "theirs" if theirs else ""
    from roar_core.cli.opening import open_project
    from roar_core.cli.registry.reaching import reach, registry_config
    from roar_core.store.writer import Store

    with reach(registry_config()) as connection:
        with open_project(Store) as (project, store):
            targets = _targets(connection, project, store, refs)
            tagged = _tagged(connection, store, targets if refs else None)
        with Store.open(project.roar_dir) as store:
            try:
                return _synchronise(
                    *(connection, store, targets, tagged, decided),
                    dry_run=dry_run,
                    yes=yes,
                    as_json=as_json,
                )
            except ConflictError as error:
                raise ConflictError(
                    f"{error}; somebody changes these labels at the same time: run it again",
                    *(error.status, error.code),
                ) from error
            except UnregisteredError as error:
                raise UnregisteredError(
                    f"{error}; it does not change labels (labels/reconcile), or does not show you"
                    " what is registered: roar auth status",
                    *(error.status, error.code),
                ) from error


def _synchronise(
    connection: Connection,
    store: Store,
    targets: Sequence[Target],
    tagged: Sequence[Target],
    decided: str,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    from roar_core.cli.asking import agreed
    from roar_core.registry.labels.syncing import plan, synchronise
    from roar_core.registry.labels.tagging import tag_changes, takes_tags

    refused: dict[str, str] = {}

    def decide(_: Conflict) -> str:
        return decided

    with store.reading() as db:
        steps = plan(connection, db, targets, decide, refused)
        tags = tag_changes(connection, db, tagged)
    sends_tags = bool(tags) and takes_tags(connection)
    for session, reason in refused.items():
        output.warn(f"the labels of session {session[:12]} stay as they are: {reason}")
    if not as_json:
        _show(steps)
        show_tags(tags, is_sent=sends_tags)
        if not (refused or tags or any(not step.merge.is_nothing for step in steps)):
            output.note(f"the labels here and at {connection.url} are the same")
    sends = sum(step.merge.sends and not step.merge.conflicts for step in steps)
    sends += len(tags) if sends_tags else 0
    if not dry_run:
        question = f"change the labels of {wording.count(sends, 'thing')} at {connection.url}?"
        if sends and not agreed(question, yes=yes):
            output.note("nothing was sent")
            return 1
        steps = synchronise(connection, store, targets, decide)
        if sends_tags:
            send_newest(connection, store, tags)
    conflicts = sum(len(step.merge.conflicts) for step in steps)
    if as_json:
        told = tag_documents(tags, is_sent=sends_tags)
        output.data(_document(connection, steps, told, dry_run=dry_run))
    if conflicts and not as_json:
        output.warn(
            f"{wording.count(conflicts, 'label')} changed on both sides; decide for all of them "
            "with --ours or --theirs, or for one with: roar label set REF KEY=VALUE --remote"
        )
    is_refused = bool(refused) and {target.session_hash for target in targets} <= refused.keys()
    return 1 if conflicts or is_refused else 0


def _tagged(
    connection: Connection, store: Store, named: Sequence[Target] | None
) -> Sequence[Target]:
    """The artifacts whose tags are compared: those that were named, else all, within bounds."""
    from roar_core.registry.labels.tagging import most_compared, tagged_targets

    with store.reading() as db:
        found = tagged_targets(db, connection.url)
    if named is not None:
        return [target for target in found if target in named]
    most = most_compared(connection, len(found))
    if len(found) > most:
        output.warn(
            f"the tags of {len(found) - most:,} older artifacts are not compared; name those"
            " that matter: roar label sync REF"
        )
    return found[:most]


def _targets(
    connection: Connection, project: Project, store: Store, refs: tuple[str, ...]
) -> list[Target]:
    from roar_core.cli.entities import find_entity
    from roar_core.registry.labels.targets import is_registered, labelled_targets, targets_of

    with store.reading() as db:
        if not refs:
            if not is_registered(db, connection.url):
                raise RoarError(
                    f"nothing of this project is registered at {connection.url} in your name; "
                    "publish something first: roar register"
                )
            return list(labelled_targets(db, connection.url))
        found = []
        for ref in refs:
            entity = find_entity(store, ref, project)
            targets = targets_of(db, connection.url, entity.kind, entity.id)
            if not targets:
                raise RoarError(
                    f"{ref} is not registered at {connection.url} in your name; publish it first: "
                    f"roar register {ref}"
                )
            found += targets
        return found


def _show(steps: Sequence[Step]) -> None:
    from roar_core.cli.label import pair
    from roar_core.registry.labels.editing import told

    for step in [step for step in steps if not step.merge.is_nothing]:
        name = output.style(output.printable(step.target.words), "bold")
        session = step.target.session_hash[:12]
        where = "" if step.target.kind == "session" else f"  in session {session}"
        output.line(f"{name}{output.printable(where)}")
        merge = step.merge
        for word, changed, gone in (
            ("there", merge.push, merge.push_deleted),
            ("here ", merge.pull, merge.pull_deleted),
        ):
            for key, value in changed.items():
                output.line(f"  {word} + {pair(key, value)}")
            for key in gone:
                output.line(f"  {word} - {output.printable(key)}")
        for conflict in merge.conflicts:
            output.line(f"  both  ? {output.printable(told(conflict))}")
        for what in step.masked:
            output.line(f"  masked  {output.printable(what)}")


def _document(
    connection: Connection, steps: Sequence[Step], tags: Sequence[Document], *, dry_run: bool
) -> Document:
    from roar_core.cli.documents import document

    return document(
        "label_sync",
        registry=connection.url,
        dry_run=dry_run,
        changes=[_told(step) for step in steps if not step.merge.is_nothing],
        tags=tags,
    )


def _told(step: Step) -> Document:
    from roar_core.registry.labels.merging import ABSENT

    def value(found: Any) -> Document:
        return {"is_set": found is not ABSENT, "value": None if found is ABSENT else found}

    merge = step.merge
    return {
        "kind": step.target.kind,
        "session_hash": step.target.session_hash,
        "job_uid": step.target.job_uid,
        "artifact_hash": step.target.artifact_hash,
        "sent": {"set": dict(merge.push), "deleted": list(merge.push_deleted)},
        "received": {"set": dict(merge.pull), "deleted": list(merge.pull_deleted)},
        "conflicts": [
            {"key": one.key, "ours": value(one.ours), "theirs": value(one.theirs)}
            for one in merge.conflicts
        ],
        "masked": list(step.masked),
    }
