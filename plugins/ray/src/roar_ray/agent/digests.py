"""Hash, on the node, the files that its tasks have used: nobody else may be able to read them."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import time

from . import records
from .reading import each_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

_BLOCK = 1 << 20
_KINDS = frozenset({records.OPEN, records.RENAME, records.LINK, records.CLOSED})


def of_files_in(journals: Iterable[str], within_s: float) -> list[str]:
    """A JSON document for each file that these journals name and that still is there.

    `{"path": …, "fingerprint": [dev, ino, size, mtime_ns, ctime_ns, mode, nlink], ALGORITHM: hex}`,
    the path as `os.fsdecode` gives it. Newest first, until time is up. What belongs to this node's
    Python and system is none of a task's data.
    """
    until = time.monotonic() + within_s
    found = []
    for path in _paths(journals):
        if time.monotonic() > until:
            break
        document = _hashed(path, until)
        if document is not None:
            found.append(json.dumps(document))
    return found


def _paths(journals: Iterable[str]) -> list[str]:
    """The last path of each record that names a file; the latest first."""
    ours = tuple(f"{os.path.realpath(each)}/" for each in {sys.prefix, sys.base_prefix})
    system = ("/proc/", "/sys/", "/dev/", "/usr/", "/lib/", "/lib64/", "/etc/", "/bin/")
    paths = dict.fromkeys(
        os.fsdecode(text)
        for journal in journals
        for kind, texts in each_in(journal)
        if kind in _KINDS and texts
        for text in texts[-1:]
    )
    return [path for path in reversed(list(paths)) if not path.startswith((*ours, *system))]


def _hashed(path: str, until: float) -> dict[str, Any] | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            return None
        algorithm, digest = _algorithm()
        for block in _blocks(descriptor):
            digest.update(block)
            if time.monotonic() > until:
                return None
        after = os.fstat(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    fingerprint = _fingerprint(before)
    if fingerprint != _fingerprint(after):
        return None
    return {"path": path, "fingerprint": fingerprint, algorithm: digest.hexdigest()}


def _blocks(descriptor: int) -> Iterator[bytes]:
    while block := os.read(descriptor, _BLOCK):
        yield block


def _algorithm() -> tuple[str, Any]:
    try:
        from blake3 import blake3
    except ImportError:
        return "sha256", hashlib.sha256()
    return "blake3", blake3()


def _fingerprint(found: os.stat_result) -> list[int]:
    return [
        *(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns),
        *(found.st_mode, found.st_nlink),
    ]
