"""Send what a task did, for a limited time, and without a trace in how the task ends."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roar_core.config.layers import load
from roar_core.config.redacting import redactor_of
from roar_core.errors import RegistryError
from roar_core.fragment_sessions.calls import Calls
from roar_core.fragment_sessions.pieces import packed, piece_at
from roar_core.fragment_sessions.sealing import Seal
from roar_core.fragment_sessions.session import Session
from roar_core.fragment_sessions.waiting import Asking, hurried_by_signals
from roar_core.project import Project
from roar_core.redaction import DEFAULT, Redactor, redact

SEND_S = 15.0
_ATTEMPTS = 3
_PIECE_BYTES = 512 << 10
_SMALLEST_PIECE_BYTES = 1 << 10
_TOO_LARGE = 413
_FILES = ("read", "written")


def send(
    session: Session,
    document: Mapping[str, Any],
    redactor: Redactor = DEFAULT,
    limit_s: float = SEND_S,
) -> None:
    """Send a JSON object, without its secrets, and return when the registry has it.

    It is a fragment (`to_json`), or has one in its member `fragment`. Sent twice, it is received
    once. Call it in the main thread, after the command: a signal ends the waiting, and no more.
    Raises RegistryError when the registry has it not, or not after `limit_s`, ConfigError for a
    pattern of the user's that takes too long, and ValueError when it is too large.
    """
    deadline = time.monotonic() + limit_s
    # In this thread: only here are a user's patterns stopped when they take too long.
    whole = packed(redacted(document, redactor))
    asking = Asking(session.url, lambda: _leave(session, whole))
    with hurried_by_signals(asking):
        asking.answer(max(0.0, deadline - time.monotonic()))


def redactor_in(project: Path, environ: Mapping[str, str]) -> Redactor:
    """What is masked where a task runs: by rules of everybody's, of the node's and the project's.

    Raises ConfigError.
    """
    found = Project(project)
    return redactor_of(load(found.root, found.roar_dir, environ))


def redacted(document: Mapping[str, Any], redactor: Redactor) -> Any:
    """A document as it leaves; a fragment some of whose paths are not what they were, says so."""
    found = redact(document, redactor)
    told = found.document
    at = "/fragment" if "fragment" in document else ""
    places = tuple(f"{at}/{name}/" for name in _FILES)
    count = sum(each.where.startswith(places) for each in found.masked)
    if not count:
        return told
    words = "paths of files, masked before they went through a registry"
    reason = {"code": "redacted", "count": count, "detail": words}
    fragment = told["fragment"] if at else told
    changed = {**fragment, "coverage": [*fragment.get("coverage", ()), reason]}
    return {**told, "fragment": changed} if at else changed


def _leave(session: Session, whole: bytes) -> None:
    """Leave all pieces, smaller ones where a registry, or a proxy on the way, wants them smaller.

    Numbers are drawn at random: nobody tells tasks apart, and none may take another's.
    """
    calls, seal = Calls.to(session, attempts=_ATTEMPTS), Seal(session)
    sequence, size, offset = secrets.randbits(40) << 12, _PIECE_BYTES, 0
    try:
        while offset < len(whole):
            try:
                calls.leave(sequence, seal.close(piece_at(whole, offset, size)))
            except RegistryError as error:
                if error.status != _TOO_LARGE or size <= _SMALLEST_PIECE_BYTES:
                    raise
                size //= 2
                continue
            offset += size
            sequence += 1
    finally:
        calls.close()
