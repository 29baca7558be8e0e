"""A tiny model file system that reports what is done to it as a perfect tracer would.

For tests of whatever reads journals: do things to a `ModelTree`, hand its `records` and its `look`
to the judge. Methods named `outside_…` change the world without a record.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence

from roar_core.journal import Intent, Kind, Record, RenameFlag
from roar_core.model.fingerprint import Fingerprint

SECOND = 1_000_000_000
_DEVICE = 7
_MODES = {
    "r": Intent.READ,
    "r+": Intent.READ | Intent.WRITE,
    "w": Intent.WRITE | Intent.TRUNCATE,
    "a": Intent.WRITE | Intent.APPEND,
    "w+": Intent.READ | Intent.WRITE | Intent.TRUNCATE,
}


class ModelFile:
    """An inode. `content` is a number that changes whenever the bytes do."""

    def __init__(self, ino: int, size: int, now_ns: int, content: int) -> None:
        self.ino = ino
        self.size = size
        self.mtime_ns = self.ctime_ns = now_ns
        self.nlink = 1
        self.content = content

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(
            _DEVICE,
            self.ino,
            self.size,
            self.mtime_ns,
            self.ctime_ns,
            stat.S_IFREG | 0o644,
            self.nlink,
        )


class ModelTree:
    """Files by path, and the records of what one process did to them. Every step takes a second.

    Numbers of deleted files are used again at once, as ext4 does.
    """

    def __init__(self, *, clock_step_ns: int = SECOND) -> None:
        self.files: dict[str, ModelFile] = {}
        self.records: list[Record] = []
        self.now_ns = 1000 * SECOND
        self._step_ns = clock_step_ns
        self._contents = 0
        self.report(Kind.START, strings=("/usr/bin/true", "/"), fingerprints=(_program(99_999),))

    # --- the world ---

    def look(self, path: str) -> Fingerprint | None:
        """What lstat(2) would say."""
        file = self.files.get(path)
        return None if file is None else file.fingerprint

    def list_files(self, directory: str) -> Iterator[str]:
        """Every path below a directory."""
        return (path for path in list(self.files) if path.startswith(directory + "/"))

    def outside_create(self, path: str, size: int = 10) -> ModelFile:
        """A file appears, replacing another, without the tree."""
        self._tick()
        self._drop(path)
        file = self.files[path] = self._new_file(size)
        return file

    def outside_change(self, path: str, size: int | None = None) -> None:
        """A file is changed in place, without the tree."""
        self._tick()
        self._modify(self.files[path], size)

    def outside_remove(self, path: str) -> None:
        """A name vanishes, without the tree."""
        self._drop(path)

    # --- the tree ---

    def report(
        self,
        kind: Kind,
        *,
        value: int = 0,
        strings: Sequence[str] = (),
        fingerprints: Sequence[Fingerprint] = (),
        pid: int = 100,
    ) -> int:
        """Add a record as it is; return its offset."""
        offset = 4096 + 64 * len(self.records)
        raw = tuple(string.encode("utf-8", "surrogateescape") for string in strings)
        self.records.append(
            Record(offset, kind, pid, pid, self.now_ns, value, tuple(fingerprints), raw)
        )
        return offset

    def open(self, path: str, mode: str = "r", *, extra: int = 0) -> int:
        """Open as `open(2)` would for fopen's `mode`; return the offset of the record."""
        self._tick()
        intent = int(_MODES[mode]) | extra
        file = self.files.get(path)
        if file is None:
            file = self.files[path] = self._new_file(0)
            intent = (intent & ~Intent.TRUNCATE) | Intent.CREATED
            return self._opened(intent, path, (file.fingerprint,))
        before = file.fingerprint
        if intent & Intent.TRUNCATE:
            self._modify(file, 0)
        known = (file.fingerprint, before) if intent & Intent.WRITE else (file.fingerprint,)
        return self._opened(intent, path, known)

    def read(self, path: str) -> int:
        """Open for reading, and read."""
        return self.open(path, "r")

    def write(self, path: str, mode: str = "w", size: int | None = None) -> int:
        """Open for writing and write; nobody reports the write itself."""
        offset = self.open(path, mode)
        self._tick()
        file = self.files[path]
        self._modify(file, file.size + 5 if size is None else size)
        return offset

    def truncate(self, path: str, length: int) -> None:
        """truncate(2)."""
        self._tick()
        file = self.files[path]
        before = file.fingerprint
        self._modify(file, length)
        self.report(
            Kind.TRUNCATE, value=length, strings=(path,), fingerprints=(file.fingerprint, before)
        )

    def rename(self, old: str, new: str) -> None:
        """rename(2) of a file."""
        self._tick()
        file, replaced = self.files[old], self.files.get(new)
        known = (file.fingerprint, replaced.fingerprint) if replaced else (file.fingerprint,)
        if replaced is not file:
            self._drop(new)
            self.files[new] = self.files.pop(old)
            file.ctime_ns = self.now_ns
        self.report(Kind.RENAME, strings=(old, new), fingerprints=known)

    def rename_directory(self, old: str, new: str) -> None:
        """rename(2) of a directory."""
        self._tick()
        for path in list(self.list_files(old)):
            self.files[new + path[len(old) :]] = self.files.pop(path)
        self.report(Kind.RENAME, value=RenameFlag.DIRECTORY, strings=(old, new))

    def exchange(self, one: str, other: str) -> None:
        """renameat2(2) with RENAME_EXCHANGE."""
        self._tick()
        first, second = self.files[one], self.files[other]
        self.files[one], self.files[other] = second, first
        self.report(
            Kind.RENAME,
            value=RenameFlag.EXCHANGE,
            strings=(one, other),
            fingerprints=(first.fingerprint, second.fingerprint),
        )

    def link(self, existing: str, new: str) -> None:
        """link(2)."""
        self._tick()
        file = self.files[new] = self.files[existing]
        file.nlink += 1
        file.ctime_ns = self.now_ns
        self.report(Kind.LINK, strings=(existing, new), fingerprints=(file.fingerprint,))

    def unlink(self, path: str) -> None:
        """unlink(2)."""
        self._tick()
        before = self.files[path].fingerprint
        self._drop(path)
        self.report(Kind.UNLINK, strings=(path,), fingerprints=(before,))

    def _opened(self, intent: int, path: str, known: Sequence[Fingerprint]) -> int:
        return self.report(Kind.OPEN, value=intent, strings=(path,), fingerprints=known)

    def _tick(self) -> None:
        self.now_ns += self._step_ns

    def _new_file(self, size: int) -> ModelFile:
        used = {file.ino for file in self.files.values()}
        ino = next(number for number in range(1, len(used) + 2) if number not in used)
        self._contents += 1
        return ModelFile(ino, size, self.now_ns, self._contents)

    def _modify(self, file: ModelFile, size: int | None) -> None:
        self._contents += 1
        file.content = self._contents
        file.size = file.size if size is None else size
        file.mtime_ns = file.ctime_ns = self.now_ns

    def _drop(self, path: str) -> None:
        file = self.files.pop(path, None)
        if file is not None:
            file.nlink -= 1


def _program(ino: int) -> Fingerprint:
    return Fingerprint(_DEVICE, ino, 1, 1, 1, stat.S_IFREG | 0o755, 1)
