"""Events that wait to be sent: one file each, in order, never more than a bounded number."""

from __future__ import annotations

from pathlib import Path

from roar_core.telemetry.stats import replace

MOST_EVENTS = 64
MOST_BYTES = 256 * 1024


def add(folder: Path, event_id: str, content: bytes) -> bool:
    """Queue an event; False when the queue is full: what waits already is never given up for it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    sizes = [_size(entry) for entry in folder.iterdir()]
    if len(sizes) >= MOST_EVENTS or sum(sizes) + len(content) > MOST_BYTES:
        return False
    replace(folder / f"{event_id}.json", content)
    return True


def events(folder: Path) -> list[Path]:
    """The files of the queued events, the oldest first."""
    try:
        found = [entry for entry in folder.iterdir() if _is_event(entry)]
    except OSError:
        return []
    return sorted(found, key=lambda path: (_mtime_ns(path), path.name))


def wipe(folder: Path) -> int:
    """Delete everything in the queue; returns how many events that were. Raises OSError."""
    count = len(events(folder))
    if folder.is_dir() and not folder.is_symlink():
        for entry in folder.iterdir():
            entry.unlink(missing_ok=True)
    return count


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:  # sent a moment ago
        return 0


def _mtime_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _is_event(path: Path) -> bool:
    return path.suffix == ".json" and not path.is_symlink() and path.is_file()
