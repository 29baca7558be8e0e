"""Fetch what launchers have sent: lines in logs, files in storage, or a registry's batches."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from roar_core.errors import RoarError
from roar_core.hookspecs import RunContext
from roar_osmo.client import Osmo
from roar_osmo.rewrite import FRAGMENTS, Treatment
from roar_osmo.state import Attempt

_LINE = re.compile(r"ROAR1 ([0-9a-f]{64}) (\d{1,6})/(\d{1,6}) ([A-Za-z0-9+/=]{1,4096})\s*$")
_NAME = re.compile(r"[0-9a-f]{64}")
# A delivery may unpack to so much; a task with more files than that sends none of them.
_CONTENT_MAX = 64 << 20
_PARTS_MAX = 10_000

Found = tuple[str, bytes]


def fetched(
    osmo: Osmo,
    workflow: str,
    treatment: Treatment,
    attempts: Iterable[Attempt],
    incomplete: set[str],
) -> Iterator[Found]:
    """Name and content of each delivery of a task's attempts; raises OsmoError.

    Deliveries that are cut short or damaged are none; their names are added to `incomplete`.
    """
    if treatment.returned_by == "output":
        yield from _stored(osmo, treatment.url.replace("{{workflow_id}}", workflow), incomplete)
        return
    retries = sorted(attempt.retry for attempt in attempts)
    for retry in retries:
        words = ["workflow", "logs", workflow]
        # osmo takes `--retry-id 0` for no retry, which is the latest: where there are several, the
        # log of the first is a part of the whole workflow's, if of any.
        if retry or len(retries) == 1:
            words += [f"--task={treatment.task}"]
        if retry:
            words += ["--retry-id", str(retry)]
        with osmo.lines(*words) as lines:
            yield from in_lines(lines, incomplete)


def received(run: RunContext, session: str) -> Iterator[Found]:
    """Name and content of what a registry has; `session` is the text that the workflow's tasks got.

    The run has opened that session itself, or attaches to a workflow of somebody else's: then no
    registry is asked unless the user has agreed to that. Raises RoarError.
    """
    from roar_core.fragment_sessions.run_session import RunSession, is_asked_for
    from roar_core.fragment_sessions.session import Session

    own = RunSession(run.folder)
    if own.session is None:
        try:
            found = Session.from_text(session)
        except ValueError as error:
            raise RoarError(f"the workflow's tasks were given {error}") from error
        if not is_asked_for(run.project, os.environ):
            raise RoarError(
                f"its tasks have sent to {found.url}; to have it fetched from there:"
                " roar config set --global fragments.carrier registry"
            )
        own.adopt(found)
    for name, document in own.receive().documents:
        told = dict(document)
        called = told.pop("delivery", name)  # the same if it came by the log, too
        is_name = isinstance(called, str) and _NAME.fullmatch(called)
        yield called if is_name else name, json.dumps(told).encode("ascii")


def in_lines(lines: Iterable[str], incomplete: set[str]) -> Iterator[Found]:
    """The deliveries in a log, whatever stands before and between their lines.

    When all lines are read, `incomplete` has the names of those that did not come whole.
    """
    parts: dict[str, dict[int, str]] = {}
    for line in lines:
        match = _LINE.search(line) if "ROAR1 " in line else None
        if match is None:
            continue
        name, at, count, text = match[1], int(match[2]), int(match[3]), match[4]
        if not 1 <= at <= count <= _PARTS_MAX:
            continue
        mine = parts.setdefault(name, {})
        mine[at] = text
        if len(mine) == count:
            content = _unpacked("".join(mine.pop(part, "") for part in range(1, count + 1)), name)
            if content is None:
                incomplete.add(name)
            else:
                yield name, content
    incomplete.update(name for name, left in parts.items() if left)


def _unpacked(text: str, name: str) -> bytes | None:
    try:
        packed = base64.b64decode(text, validate=True)
        if hashlib.sha256(packed).hexdigest() != name:
            return None
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(packed, _CONTENT_MAX)
        return content if unpacker.eof else None
    except (binascii.Error, zlib.error):
        return None


def _stored(osmo: Osmo, url: str, incomplete: set[str]) -> Iterator[Found]:
    with tempfile.TemporaryDirectory(prefix="roar-osmo-") as folder:
        osmo.text("data", "download", url, folder, "--regex", f".*{FRAGMENTS}/.*")
        for path in sorted(Path(folder).rglob("*.json")):
            if path.is_symlink() or not path.is_file():
                continue
            content = path.read_bytes() if path.stat().st_size <= _CONTENT_MAX else b""
            if hashlib.sha256(content).hexdigest() == path.stem:
                yield path.stem, content
            else:
                incomplete.add(path.stem)
