"""One small member of a zip archive that may be a trap."""

from __future__ import annotations

import os
from pathlib import PurePath

from roar_analyzer_trackers.files import is_file, tail

# The record at the archive's end: its size without a comment, and where in it the size of the
# directory stands (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3.16).
_END, _END_BYTES, _END_SEARCHED = b"PK\x05\x06", 22, 22 + 0xFFFF
_MAX_DIRECTORY_BYTES = 4 << 20


def member(path: PurePath, name: str, limit: int) -> bytes:
    """The content of one member; nothing if it is longer than `limit` or cannot be read."""
    if not is_file(path) or _directory_bytes(path) > _MAX_DIRECTORY_BYTES:
        return b""
    import zipfile
    import zlib

    try:
        with zipfile.ZipFile(os.fspath(path)) as archive, archive.open(name) as file:
            content = file.read(limit + 1)
    except (OSError, KeyError, ValueError, EOFError, NotImplementedError, RuntimeError):
        return b""
    except (zipfile.BadZipFile, zlib.error):
        return b""
    return content if len(content) <= limit else b""


def _directory_bytes(path: PurePath) -> int:
    """How long the archive says its directory is; `zipfile` reads all of it into memory."""
    end = tail(path, _END_SEARCHED)
    at = end.rfind(_END)
    return int.from_bytes(end[at + 12 : at + 16], "little") if at >= 0 else 0
