"""The folders that a tracker's files are in, and bounded reads of the files.

These may be anything: half-written, huge, a pipe, a loop of links. Nothing here raises for what a
file is; what cannot be read is as if it were empty.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

_JSON_LIMIT = 4 << 20


def folders_above(paths: Iterable[PurePath]) -> set[PurePath]:
    """Every folder above these paths, each once however many files are in it."""
    found: set[PurePath] = set()
    # As texts first: of a hundred thousand files, `parent` alone would take a second.
    for folder in map(PurePath, {os.fspath(path).rpartition("/")[0] for path in paths}):
        if folder not in found:
            found.add(folder)
            found.update(folder.parents)
    return found


def head(path: PurePath, limit: int) -> bytes:
    """The first `limit` bytes of a regular file."""
    return _read(path, limit, from_end=False)


def tail(path: PurePath, limit: int) -> bytes:
    """The last `limit` bytes of a regular file."""
    return _read(path, limit, from_end=True)


def is_file(path: PurePath) -> bool:
    """Whether a regular file lies there."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - `path` is a pure one
    except (OSError, ValueError):
        return False


def json_object(content: bytes) -> Mapping[str, Any]:
    """A JSON object, or nothing at all."""
    import json

    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def json_file(path: PurePath) -> Mapping[str, Any]:
    """The JSON object in a file of at most 4 MiB."""
    return json_object(head(path, _JSON_LIMIT))


def text(value: object) -> str | None:
    """A name as it can be stored and shown, of at most 1,000 characters; None when empty.

    What is no UTF-8 and what steers a terminal becomes `?`.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, int):
        value = str(value)
    if not isinstance(value, str):
        return None
    # Names from paths and variables may hold bytes that are no UTF-8, as lone surrogates.
    sound = value[:1000].encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", "?", sound) or None


def _read(path: PurePath, limit: int, *, from_end: bool) -> bytes:
    try:
        # O_NONBLOCK: opening a pipe nobody writes to would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return b""
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return b""
        if from_end:
            os.lseek(descriptor, max(0, status.st_size - limit), os.SEEK_SET)
        return _all_of(descriptor, limit)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _all_of(descriptor: int, limit: int) -> bytes:
    """Up to `limit` bytes; a network's file system may give them in portions."""
    content = b""
    while len(content) < limit and (part := os.read(descriptor, limit - len(content))):
        content += part
    return content
