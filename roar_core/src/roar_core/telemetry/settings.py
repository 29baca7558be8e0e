"""Whether telemetry is on, and where it goes: the user's own file decides, no project's does."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from roar_core.config import files
from roar_core.errors import ConfigError
from roar_core.telemetry.endpoint import DEFAULT_ENDPOINT
from roar_core.telemetry.paths import Paths
from roar_core.telemetry.stats import make_folder, replace
from roar_core.telemetry.suppression import silenced_by


class Settings:
    """`off_because` is None while events are queued; `endpoint` is empty where none may be sent."""

    def __init__(self, off_because: str | None, endpoint: str) -> None:
        self.off_because = off_because
        self.endpoint = endpoint


def settings(paths: Paths, environ: Mapping[str, str]) -> Settings:
    """What holds for this user now. A file that cannot be read counts as `off`: better silent."""
    variable = silenced_by(environ)
    stated = _stated(paths)
    endpoint = DEFAULT_ENDPOINT if stated is None else stated.endpoint
    if variable is not None:
        return Settings(f"{variable} is set", endpoint)
    return Settings(None, endpoint) if stated is None else stated


def _stated(paths: Paths) -> Settings | None:
    """What the user's file says; None when it says nothing about telemetry."""
    try:
        found = paths.config.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return Settings(f"{paths.config} cannot be read", DEFAULT_ENDPOINT)
    fingerprint = [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
    remembered = _remembered(paths.settings, fingerprint)
    if remembered is not None:
        return remembered
    stated = _parsed(paths.config)
    # Written first and read at once, a file may change again within its clock's grain; then its
    # ctime changes too, or the next command reads it once more. Nobody but us reads this copy.
    with contextlib.suppress(OSError):
        make_folder(paths.folder)
        copy = {"of": fingerprint, "off_because": stated.off_because, "endpoint": stated.endpoint}
        replace(paths.settings, json.dumps(copy).encode())
    return stated


def _remembered(path: Path, fingerprint: list[int]) -> Settings | None:
    try:
        copy = json.loads(files.read(path) or b"null")
        is_current = copy["of"] == fingerprint and isinstance(copy["endpoint"], str)
        reason = copy["off_because"]
        return Settings(reason and str(reason), copy["endpoint"]) if is_current else None
    except (ConfigError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _parsed(file: Path) -> Settings:
    try:
        data = files.read(file) or b""
        table = files.parse(os.fspath(file), data).get("telemetry", {})
    except ConfigError:
        return Settings(f"{file} cannot be read", DEFAULT_ENDPOINT)
    if not isinstance(table, dict):
        return Settings(f"{file} says nothing sensible of telemetry", DEFAULT_ENDPOINT)
    endpoint = table.get("endpoint", DEFAULT_ENDPOINT)
    if not isinstance(endpoint, str):
        return Settings(f"{file} names no endpoint that is text", DEFAULT_ENDPOINT)
    enabled = table.get("enabled", True)
    return Settings(None if enabled is True else f"{file} says so", endpoint)
