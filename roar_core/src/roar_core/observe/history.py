"""Folds records into the histories of files: what was read, created, changed and named. Pure.

Records are taken in file order, in which writers reserved their room. A record without what its
kind needs (a damaged journal) is counted as `unresolved`, never guessed at.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Container, Iterable, Sequence

from roar_core.journal_format import Intent, Kind, Record, RenameFlag
from roar_core.model.fingerprint import Fingerprint
from roar_core.observe.files import GIVEN, WRITTEN, FileHistory, Read, same_version
from roar_core.observe.names import Names
from roar_core.observe.processes import in_words

# Plain integers: an IntFlag operation costs a microsecond, and there are 10^5 opens.
_READ, _WRITE, _TRUNCATE = int(Intent.READ), int(Intent.WRITE), int(Intent.TRUNCATE)
_CREATED, _TMPFILE, _CODE = int(Intent.CREATED), int(Intent.TMPFILE), int(Intent.CODE)
_TEXTUAL, _RENAME_TEXTUAL = int(Intent.TEXTUAL), int(RenameFlag.TEXTUAL)
_NEW = _CREATED | _TMPFILE
_OPEN = int(Kind.OPEN)
_NAMING = frozenset({Kind.RENAME, Kind.LINK, Kind.UNLINK})
_NOT_QUIET = _WRITE | _TRUNCATE | _NEW | _TEXTUAL
# What os.fsdecode would ask for each name.
_NAMES = (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
_TYPE = stat.S_IFMT(0xFFFF)
_NO_ARTIFACT = (b"/proc/", b"/sys/", b"/memfd:", b"/SYSV")


class History:
    """What a run did, file by file.

    `names` holds the files, `code` the paths executed or loaded, `unresolved` counts the records
    that could not be placed and `unresolved_example` is one of their paths.
    """

    def __init__(self, records: Iterable[Record], executed: Sequence[Record]) -> None:
        self.names = Names()
        self.code: set[str] = set()
        self.unresolved = 0
        self.unresolved_example = ""
        self._reads: dict[tuple[object, ...], Read] = {}
        self._paths: dict[bytes, str] = {}
        records = records if isinstance(records, list) else list(records)
        kinds = {record.kind for record in records}
        # Most tasks tell of nothing but opens: then nothing has to be looked for.
        self._unused = _values(records, kinds, Kind.UNUSED) - _values(records, kinds, Kind.USED)
        self._unwritten = _values(records, kinds, Kind.UNWRITTEN)
        self._busy = _busy_files(records)
        for record in records:
            take = _TAKE.get(record.kind)
            if take is not None:
                take(self, record)
        for record in executed:
            self._executed(record)

    @property
    def reads(self) -> list[Read]:
        """Versions used, in the order of their first use."""
        return list(self._reads.values())

    def _open(self, record: Record) -> None:
        prints = record.fingerprints
        intent = record.value
        if not prints or not record.strings:
            self._misplaced(record)
            return
        after = prints[0]
        if after.mode & _TYPE != stat.S_IFREG:
            return
        path = self._path(record.strings[0], textual=bool(intent & _TEXTUAL))
        if path is None:
            return
        if intent & _CODE:
            self.code.add(path)
        if self._busy is not None and after[:2] not in self._busy:
            if record.offset not in self._unused:
                self._reads.setdefault((path, *after[:4]), Read(path, after, _QUIET))
            return
        if intent & _NEW:
            temporary = intent & _TMPFILE
            self.names.file(after, None if temporary else path, created=True).is_created = True
            return
        before = prints[1] if len(prints) > 1 else None
        if before is not None and before[:2] != after[:2]:
            self._may_be_copied_up(before, after, path)
        file = self.names.file(after, path if after.nlink else None, before=before)
        if intent & _READ and not intent & _TRUNCATE and record.offset not in self._unused:
            self._read(path, after, file)
        if intent & _TRUNCATE or (intent & _WRITE and record.offset not in self._unwritten):
            self._opened_for_writing(file, before or after, path, record)
            if intent & _TRUNCATE:
                _emptied(file, before)

    def _may_be_copied_up(self, before: Fingerprint, after: Fingerprint, path: str) -> None:
        """overlayfs gives a file of a lower layer another identity when it is first written."""
        lower = self.names.at(path)
        if lower is not None and lower.identity == before[:2] and self.names.known(after) is None:
            self.names.is_now(lower, after)

    def _read(self, path: str, version: Fingerprint, file: FileHistory) -> None:
        if file.is_created or file.is_replaced:
            return
        if file.names.get(path, 0) & GIVEN and file.found and path not in file.found:
            # A name of the run's own making was not there before it; the bytes came by another.
            path = file.found[0]
        if file.before is not None and not same_version(version, file.before):
            # The tree has changed it in place since: what it can have used of the world's bytes are
            # those before.
            version = file.before
        self._reads.setdefault((path, *version[:4]), Read(path, version, file))
        if path not in file.read_as:
            file.read_as += (path,)

    def _opened_for_writing(
        self, file: FileHistory, before: Fingerprint, path: str | None, record: Record
    ) -> None:
        file.is_touched = True
        if not file.is_created and file.before is None:
            file.before = before
            file.before_time_ns = record.time_ns
        if path is not None and path in file.names:
            file.names[path] |= WRITTEN

    def _used(self, record: Record) -> None:
        file = self._known(record)
        if file is None or not file.names:
            return
        if record.value == 0 or not file.read_as:
            self._read(next(iter(file.names)), record.fingerprints[0], file)

    def _written(self, record: Record) -> None:
        file = self._known(record)
        if file is None:
            return
        for path in file.names:
            self._opened_for_writing(file, record.fingerprints[0], path, record)
        file.is_touched = file.is_written = True

    def _closed(self, record: Record) -> None:
        file = self._regular(record)
        if file is not None:
            self._opened_for_writing(file, file.latest, self._path(record.strings[0]), record)
            file.is_written = True

    def _rename(self, record: Record) -> None:
        textual = bool(record.value & _RENAME_TEXTUAL)
        paths = [self._path(raw, textual=textual) for raw in record.strings[:2]]
        prints = record.fingerprints
        if len(paths) < 2:
            self._misplaced(record)
            return
        old, new = paths
        if old is None or new is None:
            return
        moved = prints[0] if prints else None
        replaced = prints[1] if len(prints) > 1 else None
        if record.value & RenameFlag.EXCHANGE:
            self.names.exchange(old, new, moved, replaced)
        elif record.value & RenameFlag.DIRECTORY or (moved and stat.S_ISDIR(moved.mode)):
            self.names.rename_directory(old, new)
        elif moved is None or moved.is_regular:
            self.names.rename(old, new, moved, replaced)

    def _link(self, record: Record) -> None:
        if not record.fingerprints or len(record.strings) < 2:
            self._misplaced(record)
            return
        fingerprint = record.fingerprints[0]
        if fingerprint.is_regular:
            existing, new = map(self._path, record.strings[:2])
            if new is not None:
                self.names.link(existing, new, fingerprint)

    def _unlink(self, record: Record) -> None:
        if record.value == 1:
            return
        if not record.strings:
            self._misplaced(record)
            return
        path = self._path(record.strings[0])
        if path is not None:
            before = record.fingerprints[0] if record.fingerprints else None
            self.names.unlink(path, before)

    def _truncate(self, record: Record) -> None:
        file = self._regular(record)
        if file is None:
            return
        before = record.fingerprints[1] if len(record.fingerprints) > 1 else None
        path = self._path(record.strings[0])
        self._opened_for_writing(file, before or record.fingerprints[0], path, record)
        if record.value == 0:
            _emptied(file, before)
        elif before is None or before.size != record.value:
            file.is_written = True

    def _mapped(self, record: Record) -> None:
        file = self._regular(record)
        if file is not None:
            path = self._path(record.strings[0])
            self._opened_for_writing(file, record.fingerprints[0], path, record)

    def _start(self, record: Record) -> None:
        if not record.strings:
            self._misplaced(record)
            return
        path = self._path(record.strings[0])
        if path is None:
            return
        self.code.add(path)
        if record.fingerprints and record.fingerprints[0].is_regular:
            program = record.fingerprints[0]
            self._read(path, program, self.names.file(program, path))

    def _executed(self, record: Record) -> None:
        """A program or script that ran: under its resolved names where it was also seen opened."""
        if not record.fingerprints or not record.strings:
            return
        program = record.fingerprints[0]
        path = self._path(record.strings[0], textual=True)
        if path is None or not program.is_regular:
            return
        file = self.names.known(program)
        if file is not None and file.read_as:
            self.code.update(file.read_as)
            return
        self.code.add(path)
        self._read(path, program, file or self.names.file(program, path))

    def _known(self, record: Record) -> FileHistory | None:
        return self.names.known(record.fingerprints[0]) if record.fingerprints else None

    def _regular(self, record: Record) -> FileHistory | None:
        """The file that a record with a fingerprint and its path is about."""
        if not record.fingerprints or not record.strings:
            self._misplaced(record)
            return None
        fingerprint = record.fingerprints[0]
        if not fingerprint.is_regular:
            return None
        path = self._path(record.strings[0])
        before = record.fingerprints[1] if len(record.fingerprints) > 1 else None
        return None if path is None else self.names.file(fingerprint, path, before=before)

    def _path(self, raw: bytes, *, textual: bool = False) -> str | None:
        """The path a record names; None when it can be no artifact's, or cannot be told."""
        path = self._paths.get(raw)
        if path is None:
            if raw.startswith(_NO_ARTIFACT):
                return None
            if not raw.startswith(b"/") or b"\0" in raw:
                self.unresolved += 1
                self.unresolved_example = self.unresolved_example or in_words(raw)
                return None
            path = self._paths[raw] = raw.decode(*_NAMES)
        return os.path.normpath(path) if textual else path

    def _misplaced(self, record: Record) -> None:
        self.unresolved += 1
        self.unresolved_example = self.unresolved_example or f"a record of kind {record.kind}"


_TAKE: dict[int, Callable[[History, Record], None]] = {
    Kind.START: History._start,
    Kind.OPEN: History._open,
    Kind.USED: History._used,
    Kind.WRITTEN: History._written,
    Kind.CLOSED: History._closed,
    Kind.RENAME: History._rename,
    Kind.LINK: History._link,
    Kind.UNLINK: History._unlink,
    Kind.TRUNCATE: History._truncate,
    Kind.MAPPED: History._mapped,
}

# Stands for each file that was opened to be read and nothing else: there is nothing to tell of it.
_QUIET = FileHistory(Fingerprint(0, 0, 0, 0, 0, 0, 0))


def _values(records: Iterable[Record], kinds: Container[int], wanted: Kind) -> set[int]:
    """The values of all records of a kind, if it is among those that occur."""
    return {r.value for r in records if r.kind == wanted} if wanted in kinds else set()


def _busy_files(records: Iterable[Record]) -> set[tuple[int, ...]] | None:
    """The identities of which more is told than that they were opened to be read.

    None when records do not say of which files they tell: a directory was renamed, or a name
    changed hands and no fingerprint came with it.
    """
    busy: set[tuple[int, ...]] = set()
    for record in records:
        kind, prints = record.kind, record.fingerprints
        if kind == _OPEN:
            is_quiet = record.value & _READ and not record.value & _NOT_QUIET
            if is_quiet and len(prints) == 1 and prints[0].nlink:
                continue
        elif kind in _NAMING and not (prints and prints[0].is_regular):
            return None
        busy.update(fingerprint[:2] for fingerprint in prints)
    return busy


def _emptied(file: FileHistory, before: Fingerprint | None) -> None:
    file.is_replaced = True
    # Emptying an empty file changes no content, and its mtime will tell what follows.
    if before is None or before.size:
        file.is_written = True
