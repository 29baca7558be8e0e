"""Digests of files that have not changed since they were hashed, known by their fingerprint."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from roar_core.hashing.cache import FingerprintKey, is_settled, key_of
from roar_core.model.fingerprint import Fingerprint
from roar_core.store.database import Database

# About 30 MB. Files hashed longest ago go first; one that is still in use is then hashed once more.
KEPT_ROWS = 200_000

# Below SQLite's limit on bound variables before 3.32 (999).
_CHUNK = 900


class StatCache(Database):
    """The table `stat_cache`: what `hashing` asks before it reads a file."""

    def digests_for(
        self, fingerprints: Iterable[Fingerprint], algorithm: str
    ) -> dict[FingerprintKey, str]:
        """Map `key_of(fingerprint)` to the hex digest, for files that are known and unchanged."""
        wanted: dict[int, dict[int, list[Fingerprint]]] = defaultdict(lambda: defaultdict(list))
        for fingerprint in fingerprints:
            wanted[fingerprint.dev][_signed(fingerprint.ino)].append(fingerprint)
        known: dict[FingerprintKey, str] = {}
        with self.reading() as db:
            for dev, files in wanted.items():
                inodes = list(files)
                for start in range(0, len(inodes), _CHUNK):
                    chunk = inodes[start : start + _CHUNK]
                    rows = db.execute(
                        "SELECT ino, size, mtime_ns, ctime_ns, value FROM stat_cache "  # noqa: S608 (only `?` is joined in)
                        f"WHERE dev = ? AND algorithm = ? AND ino IN ({_marks(len(chunk))})",
                        (_signed(dev), algorithm, *chunk),
                    )
                    for ino, size, mtime_ns, ctime_ns, value in rows:
                        for wanted_file in files[ino]:
                            if (size, mtime_ns, ctime_ns) == _version(wanted_file):
                                known[key_of(wanted_file)] = value
        return known

    def remember(self, rows: Iterable[tuple[Fingerprint, str, str, int]]) -> None:
        """Keep (fingerprint, algorithm, hex, hashed_at_ns), but of files that had not settled.

        `hashed_at_ns` is the time since the epoch just before the file was read.
        """
        settled = [
            (_signed(file.dev), _signed(file.ino), algorithm, *_version(file), value, hashed_at_ns)
            for file, algorithm, value, hashed_at_ns in rows
            if is_settled(file, hashed_at_ns)
        ]
        if not settled:
            return
        with self.writing() as db:
            db.executemany(
                "INSERT OR REPLACE INTO stat_cache "
                "(dev, ino, algorithm, size, mtime_ns, ctime_ns, value, hashed_at_ns) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                settled,
            )
            newest = db.execute("SELECT max(id) FROM stat_cache").fetchone()[0]
            db.execute("DELETE FROM stat_cache WHERE id <= ?", (newest - KEPT_ROWS,))


def _version(file: Fingerprint) -> tuple[int, int, int]:
    return _signed(file.size), _signed(file.mtime_ns), _signed(file.ctime_ns)


def _signed(number: int) -> int:
    """Return the signed twin of a 64-bit number: inodes and times can exceed SQLite's integers."""
    return (number + 2**63) % 2**64 - 2**63


def _marks(count: int) -> str:
    return ",".join("?" * count)
