"""The counters on this machine, and the only names that can be counted."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from roar_core.config import files
from roar_core.errors import ConfigError
from roar_core.telemetry.paths import Paths

STATS_SCHEMA_VERSION = 1

SUBCOMMANDS = (
    *("run", "build", "init", "reset", "register", "show", "dag", "log", "status", "get", "put"),
    *("inputs", "diff", "lineage"),
)
RUN_OUTCOMES = (
    *("run_success", "run_failed_dirty", "run_failed_tracer_setup", "run_failed_user_exit"),
    *("run_failed_interrupted", "run_failed_internal"),
)
COUNTERS = frozenset(SUBCOMMANDS + RUN_OUTCOMES)
TRACERS = frozenset({"preload", "ptrace", "ebpf", "native", "auto", "disabled", "unknown"})

_MOST_VERSIONS = 50
_UUID_LENGTH = len("00000000-0000-4000-8000-000000000000")
_TIME_LENGTH = len("2026-01-01T00:00:00.000000Z")
# How long a command waits for another one that is counting, which takes about 0.2 ms. Longer only
# where that other one was stopped (Ctrl-Z); then this command is not counted.
_PATIENCE_S = 1.0


class Stats:
    """What is counted. Whatever a file held, only allowed names and forms get in."""

    def __init__(self, stated: object = None) -> None:
        given = stated if isinstance(stated, dict) else {}
        install_id = given.get("install_id")
        self.is_new = not _is_hexadecimal(install_id)
        self.install_id = random_uuid() if self.is_new else str(install_id)
        self.sequence = _count(given.get("sequence"))
        self.first_seen = _time(given.get("first_seen"))
        self.counters_as_of = _time(given.get("counters_as_of"))
        self.subcommand_counts = _counts(given.get("subcommand_counts"), COUNTERS)
        self.tracer_selections = _counts(given.get("tracer_selections"), TRACERS)
        versions = given.get("versions")
        self.versions = [
            version
            for version in (versions if isinstance(versions, list) else [])
            if isinstance(version, str)
        ]
        capabilities = given.get("feature_capabilities")
        self.feature_capabilities: dict[str, bool] = {
            name: value
            for name, value in (capabilities if isinstance(capabilities, dict) else {}).items()
            if isinstance(value, bool)
        }

    def count(self, name: str, now: str) -> None:
        """Count one use of a subcommand, or one outcome of a run; other names are left out."""
        if name in COUNTERS:
            self.subcommand_counts[name] = self.subcommand_counts.get(name, 0) + 1
            self.counters_as_of = now

    def count_tracer(self, name: str, now: str) -> None:
        """Count a run that this tracer observed; somebody else's tracer is `unknown`."""
        known = name if name in TRACERS else "unknown"
        self.tracer_selections[known] = self.tracer_selections.get(known, 0) + 1
        self.counters_as_of = now

    def note_version(self, version: str) -> None:
        """Remember that this version of roar has run here."""
        if version not in self.versions:
            self.versions = [*self.versions, version][-_MOST_VERSIONS:]

    def document(self) -> dict[str, Any]:
        """What stats.json holds."""
        return {
            "stats_schema_version": STATS_SCHEMA_VERSION,
            "install_id": self.install_id,
            "sequence": self.sequence,
            "first_seen": self.first_seen,
            "counters_as_of": self.counters_as_of,
            "subcommand_counts": self.subcommand_counts,
            "tracer_selections": self.tracer_selections,
            "versions": self.versions,
            "feature_capabilities": self.feature_capabilities,
        }


@contextlib.contextmanager
def locked(paths: Paths) -> Iterator[None]:
    """Our turn to read and write the stats and the queue; concurrent commands take turns.

    Raises OSError where the folder cannot be written or is another user's, TimeoutError when it is
    not our turn.
    """
    make_folder(paths.folder)
    lock = os.open(paths.stats_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take_turn(lock)
        yield
    finally:
        os.close(lock)


def make_folder(folder: Path) -> None:
    """Make telemetry's folder where it is not there; raises OSError, also where it is another's.

    `sudo roar` with the user's home must not leave files there that the user cannot write.
    """
    place = next(place for place in (folder, *folder.parents) if place.exists())
    if place.stat().st_uid != os.geteuid():
        raise PermissionError(f"{place} is another user's")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def read(paths: Paths) -> Stats:
    """The stats as they are; new ones where there are none, or where the file is damaged."""
    try:
        return Stats(json.loads(files.read(paths.stats) or b"null"))
    except (ConfigError, ValueError, RecursionError):
        return Stats()


def write(paths: Paths, stats: Stats) -> None:
    """Write the stats, in our turn; a file that was not what we write is set aside first."""
    if stats.is_new and paths.stats.exists():
        paths.stats.replace(paths.stats.with_suffix(".damaged"))
    replace(paths.stats, json.dumps(stats.document(), indent=1, sort_keys=True).encode())


def replace(path: Path, content: bytes) -> None:
    """Write a file that is whole at every moment, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def random_uuid() -> str:
    """A version 4 UUID (RFC 9562); the module `uuid` takes 2 ms to import."""
    value = int.from_bytes(os.urandom(16)) & ~(0xF000 << 64) & ~(0xC000 << 48)
    text = f"{value | (0x4000 << 64) | (0x8000 << 48):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _take_turn(lock: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError("another command is counting") from None
            time.sleep(0.0005)
        else:
            return


def _count(value: object) -> int:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
    return value if is_count and isinstance(value, int) else 0


def _counts(value: object, allowed: frozenset[str]) -> dict[str, int]:
    given = value if isinstance(value, dict) else {}
    return {name: _count(given[name]) for name in sorted(allowed & given.keys())}


# No regular expressions here: compiling them is half of what a command without a milestone would
# pay. `payload` has the strict forms, and nothing leaves that has not got them.


def _is_hexadecimal(value: object) -> bool:
    is_long = isinstance(value, str) and len(value) == _UUID_LENGTH
    return is_long and isinstance(value, str) and set(value) <= set("0123456789abcdef-")


def _time(value: object) -> str | None:
    is_time = isinstance(value, str) and len(value) == _TIME_LENGTH
    return value if is_time and isinstance(value, str) and value.endswith("Z") else None
