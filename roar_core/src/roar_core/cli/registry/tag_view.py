"""Tags that changed after publication, as `roar label sync` tells and sends them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from roar_core.cli import output, wording

if TYPE_CHECKING:
    from roar_core.cli.documents import Document
    from roar_core.registry.connection import Connection
    from roar_core.registry.labels.tagging import TagChange
    from roar_core.store.writer import Store


def show_tags(changes: Sequence[TagChange], *, is_sent: bool) -> None:
    """What changes there; or, where the registry takes no tags, that and why it does not."""
    if is_sent:
        for change in changes:
            name = output.style(output.printable(change.target.words), "bold")
            output.line(f"{name}  in session {change.target.session_hash[:12]}")
            for sign, tags in (("+", change.added), ("-", change.removed)):
                for tag in tags:
                    output.line(f"  there {sign} tag {output.printable(tag)}")
            if not change.added and not change.removed:
                output.line("  there   how its tags came")
    elif changes:
        changed = [
            f"{sign}{tag} of {change.target.words}"
            for change in changes
            for sign, some in (("", change.added), ("no more ", change.removed))
            for tag in some
        ]
        if changed:
            verb = "is" if len(changed) == 1 else "are"
            output.warn(
                f"{wording.count(len(changed), 'tag')} changed here {verb} not sent:"
                f" {wording.some(changed)}; this registry takes tags only with a job that is"
                " registered: the next one that touches the artifact brings them"
            )


def send_newest(connection: Connection, store: Store, changes: Sequence[TagChange]) -> None:
    """Send tags as they are now, of the versions that labels have by now. Raises RegistryError."""
    from roar_core.registry.labels.tagging import send_tags, tag_changes

    with store.reading() as db:
        newest = tag_changes(connection, db, [change.target for change in changes])
    send_tags(connection, newest)


def tag_documents(changes: Sequence[TagChange], *, is_sent: bool) -> list[Document]:
    """docs/json.md, "label_sync_tags"."""
    return [
        {
            "artifact_hash": change.target.artifact_hash,
            "session_hash": change.target.session_hash,
            "added": list(change.added),
            "removed": list(change.removed),
            "sent": is_sent,
        }
        for change in changes
    ]
