"""Small JSON caches that may be lost at any time: a damaged or unwritable one costs only time."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

_LARGEST_BYTES = 16 << 20


def user_cache_dir(environ: Mapping[str, str]) -> str | None:
    """Where roar may cache facts about this machine, or None without a home.

    `$XDG_CACHE_HOME/roar`, else `~/.cache/roar` (XDG Base Directory Specification: relative values
    are to be ignored).
    """
    for name, rest in (("XDG_CACHE_HOME", "/roar"), ("HOME", "/.cache/roar")):
        if environ.get(name, "").startswith("/"):
            return environ[name].rstrip("/") + rest
    return None


def cache_file(name: str, cache_dir: str | None = None) -> str | None:
    """Where the cache called `name` lies: in `cache_dir`, else the user's; None without either."""
    folder = user_cache_dir(os.environ) if cache_dir is None else cache_dir
    return None if folder is None else f"{folder}/{name}"


def stamp_of(found: os.stat_result) -> str:
    """Which file, in which version: images of containers fix every mtime, so ctime is in it too."""
    return f"{found.st_dev} {found.st_ino} {found.st_mtime_ns} {found.st_ctime_ns}"


def load_cache(path: str | None) -> dict[str, Any]:
    """The object stored at `path`; empty when there is none that can be understood."""
    if path is None:
        return {}
    import json

    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 8 ms
            found = json.loads(file.read(_LARGEST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def save_cache(path: str | None, content: Mapping[str, Any]) -> bool:
    """Replace the object at `path` in one step; False when that is not possible."""
    if path is None:
        return False
    import json

    temporary = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)  # noqa: PTH103,PTH120
        # ASCII escapes keep surrogates, and so names of any bytes.
        with open(temporary, "w", encoding="ascii") as file:  # noqa: PTH123
            json.dump(content, file)
        os.rename(temporary, path)  # noqa: PTH104
    except OSError:
        return False
    return True
