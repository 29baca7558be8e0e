"""One run: what the kernel tells of its processes, put into the words of the journal."""

from __future__ import annotations

import os
import stat
import time
from typing import NamedTuple

from roar_tracer_ebpf.roard import events as ev
from roar_tracer_ebpf.roard import journal as jn
from roar_tracer_ebpf.roard.events import Event, Print
from roar_tracer_ebpf.roard.lookup import inode_at, resolved, resolved_name

# ext2, ext3, ext4: there every reading passes the page cache or iomap, and nothing shares extents.
_EXT_MAGIC = 0xEF53
# File systems whose every change of content sets ctime where we look (FS_MGTIME): ext4, xfs, btrfs
# and tmpfs. An O_TRUNC that set no time there has changed nothing.
_TELLS_CHANGES = frozenset({_EXT_MAGIC, 0x58465342, 0x9123683E, 0x01021994})
# What stat(2) calls by another device than the kernel's super block does.
_OTHER_DEVICE = frozenset({0x9123683E, 0x794C7630})  # btrfs, overlayfs
_S_DAX = 1 << 13
# The age at which a file has surely left the tick it was changed in, and our own delay.
_SETTLED_NS = 10_000_000_000
_RENAME_EXCHANGE = 2
_NO_MORE = 0xFFFFFFFF
_OPERATIONS = {18: "openat", 28: "openat2", 35: "renameat", 36: "unlinkat", 39: "linkat"}

Key = tuple[int, int]


class Inherited(NamedTuple):
    """A regular file that the command finds open: `flags` are open(2)'s."""

    flags: int
    fingerprint: tuple[int, ...]
    path: bytes


class Run:
    """Turns events into records. `processes` are the pids alive, `numbers` all there were.

    `sees_reads` and `sees_writes` say whether this kernel proves them.
    """

    def __init__(
        self, writer: jn.JournalWriter, pid: int, *, sees_reads: bool, sees_writes: bool
    ) -> None:
        self.processes = {pid}
        self.numbers = {pid}
        self._writer = writer
        self._sees_reads = sees_reads
        self._sees_writes = sees_writes
        self._parents: dict[int, int] = {}
        self._unproven: dict[Key, list[int]] = {}
        self._unchanged: dict[Key, list[int]] = {}
        self._changed: set[Key] = set()
        self._writable: set[Key] = set()
        self._scripts: dict[int, bytes] = {}
        self._told: set[tuple[int, bytes]] = set()
        self._take = {
            ev.FORK: self._fork,
            ev.EXIT: self._exit,
            ev.EXEC: self._exec,
            ev.OPEN: self._open,
            ev.READ: self._read,
            ev.WRITTEN: self._written,
            ev.RENAME: self._rename,
            ev.LINK: self._link,
            ev.UNLINK: self._unlink,
            ev.TRUNCATE: self._truncate,
            ev.MAPPED: self._mapped,
            ev.IO_URING: self._io_uring,
        }

    def take(self, event: Event) -> None:
        """Write what one event tells."""
        handler = self._take.get(event.kind)
        if handler is not None:
            handler(event)

    def inherit(self, pid: int, time_ns: int, files: list[Inherited]) -> None:
        """The regular files with which the command starts, as the starter has looked at them."""
        for file in files:
            intent = jn.INTENT_INHERITED
            mode = file.flags & os.O_ACCMODE
            intent |= jn.INTENT_READ if mode != os.O_WRONLY else 0
            intent |= jn.INTENT_WRITE if mode != os.O_RDONLY else 0
            intent |= jn.INTENT_APPEND if file.flags & os.O_APPEND else 0
            prints = (file.fingerprint,) * (2 if intent & jn.INTENT_WRITE else 1)
            self._writer.add(jn.OPEN, pid, pid, time_ns, intent, prints, (file.path,))
            if intent & jn.INTENT_WRITE:
                self._writable.add(_key(file.fingerprint))

    def finish(self, time_ns: int, lost: int) -> None:
        """Say what proved unread, and what the kernel had no room to tell."""
        pid = os.getpid()
        # A process that goes on may still read.
        if not self.processes and not lost and self._writer.offsets_hold:
            for kind, proofs in ((jn.UNUSED, self._unproven), (jn.UNWRITTEN, self._unchanged)):
                for offsets in proofs.values():
                    for offset in offsets:
                        self._writer.add(kind, pid, pid, time_ns, offset)
        if lost:
            reason = b"the ring of the eBPF collector was full"
            self._writer.add(jn.LOST, pid, pid, time_ns, lost, (), (reason,))

    def gap(self, event: Event, code: int, what: bytes) -> None:
        """A hole, told once for each code and name."""
        if (code, what) not in self._told:
            self._told.add((code, what))
            self._writer.add(jn.GAP, event.pid, event.tid, event.time_ns, code, (), (what,))

    def _add(
        self,
        event: Event,
        kind: int,
        value: int = 0,
        prints: tuple[tuple[int, ...], ...] = (),
        strings: tuple[bytes, ...] = (),
    ) -> int:
        return self._writer.add(kind, event.pid, event.tid, event.time_ns, value, prints, strings)

    # --- processes -------------------------------------------------------------------------------

    def _fork(self, event: Event) -> None:
        self.processes.add(event.value)
        self.numbers.add(event.value)
        self._parents[event.value] = event.pid
        self._add(event, jn.FORK, event.value)

    def _exit(self, event: Event) -> None:
        self.processes.discard(event.pid)
        self._parents.pop(event.pid, None)
        self._scripts.pop(event.pid, None)
        self._add(event, jn.EXIT, event.value)

    def _exec(self, event: Event) -> None:
        program, cwd = event.paths
        name, arguments = event.names
        given = name if name.startswith(b"/") else cwd.rstrip(b"/") + b"/" + name
        print_ = event.after
        if print_ is None:
            return
        fingerprint = _stat_like(print_, program)
        whole = resolved(given)
        # The kernel executes the interpreter of a script; the script is what it will open.
        is_script = whole is not None and whole != program and not given.startswith(b"/dev/fd/")
        if is_script and whole is not None:
            self._scripts[event.pid] = whole
        prints = () if is_script else (fingerprint,)
        self._add(event, jn.EXEC, 0, prints, (given, arguments))
        if event.flags & ev.PRIVILEGED:
            self.processes.discard(event.pid)
            self.gap(event, jn.GAP_PRIVILEGED, given)
            return
        parent = self._parents.get(event.pid, 0)
        self._add(event, jn.START, parent, (fingerprint,), (program, cwd))
        if event.flags & ev.FOREIGN:
            self.gap(event, jn.GAP_FOREIGN_ABI, program)

    # --- files -----------------------------------------------------------------------------------

    def _open(self, event: Event) -> None:
        after = event.after
        path = self._whole_path(event)
        if after is None or path is None:
            return
        flags, mode = event.open_flags, event.f_mode
        intent = mode & (jn.INTENT_READ | jn.INTENT_WRITE)
        intent |= jn.INTENT_APPEND if flags & os.O_APPEND else 0
        is_temporary = flags & os.O_TMPFILE == os.O_TMPFILE
        if is_temporary:
            intent |= jn.INTENT_TMPFILE
        elif mode & ev.FMODE_CREATED:
            intent |= jn.INTENT_CREATED
        elif flags & os.O_TRUNC:
            intent |= jn.INTENT_TRUNCATE
        if self._scripts.get(event.pid) == path:
            intent |= jn.INTENT_CODE
        fingerprint = _stat_like(after, path)
        prints: tuple[tuple[int, ...], ...] = (fingerprint,)
        if intent & jn.INTENT_WRITE and not intent & (jn.INTENT_CREATED | jn.INTENT_TMPFILE):
            before = self._before(event, after, fingerprint, bool(intent & jn.INTENT_TRUNCATE))
            if before is not None:
                prints = (fingerprint, before)
        offset = self._add(event, jn.OPEN, intent, prints, (path,))
        key = _key(fingerprint)
        if intent & jn.INTENT_WRITE:
            self._writable.add(key)
            # The kernel tells of a change once: what changed before may have changed again.
            provable = len(prints) == 2 and not intent & jn.INTENT_TRUNCATE
            if provable and key not in self._changed and self._proves_writes(after):
                self._unchanged.setdefault(key, []).append(offset)
        if (
            intent & jn.INTENT_READ
            and not intent & jn.INTENT_CODE
            and self._proves_reads(after, flags)
        ):
            self._unproven.setdefault(key, []).append(offset)

    def _before(
        self, event: Event, after: Print, fingerprint: tuple[int, ...], is_emptied: bool
    ) -> tuple[int, ...] | None:
        """What the file was before this open; None when O_TRUNC has destroyed the only witness."""
        if not is_emptied:
            return fingerprint
        if event.before is not None:
            return _same_device(event.before, fingerprint)
        if self._sees_writes and after.magic in _TELLS_CHANGES:
            return fingerprint
        return None

    def _proves_reads(self, file: Print, flags: int) -> bool:
        """Whether a reading of this open file could not have escaped us."""
        return bool(
            self._sees_reads
            and file.magic == _EXT_MAGIC
            and file.size
            and not flags & os.O_DIRECT
            and not file.iflags & _S_DAX
        )

    def _proves_writes(self, file: Print) -> bool:
        """Whether a change of this file could not escape us.

        Times are set by the kernel's tick: what changed in this very one may change unseen again.
        """
        age_ns = time.time_ns() - file.mtime_sec * 1_000_000_000 - file.mtime_nsec
        return self._sees_writes and file.magic == _EXT_MAGIC and age_ns > _SETTLED_NS

    def _read(self, event: Event) -> None:
        if event.after is not None:
            self._unproven.pop(_key(event.after.fingerprint), None)

    def _written(self, event: Event) -> None:
        if event.after is None:
            return
        fingerprint = event.after.fingerprint
        self._note_change(_key(fingerprint))
        # ioctl(2) changes more than content; only what was open for writing can have been written.
        if _key(fingerprint) in self._writable:
            self._add(event, jn.WRITTEN, 0, (fingerprint,))

    def _note_change(self, key: Key) -> None:
        self._changed.add(key)
        self._unchanged.pop(key, None)

    def _mapped(self, event: Event) -> None:
        path = self._whole_path(event)
        if event.after is None or path is None:
            return
        fingerprint = _stat_like(event.after, path)
        if event.flags & ev.CODE:
            intent = jn.INTENT_READ | jn.INTENT_CODE
            self._add(event, jn.OPEN, intent, (fingerprint,), (path,))
        else:
            self._add(event, jn.MAPPED, 0, (fingerprint,), (path,))

    # --- names -----------------------------------------------------------------------------------

    def _names(self, event: Event) -> list[tuple[bytes, bool]] | None:
        """The names a call was given, absolute, and whether their directories are resolved."""
        if event.flags & (ev.CUT | ev.NO_NAME | ev.DETACHED):
            self.gap(event, jn.GAP_CUT, event.paths[0])
            return None
        found = []
        for base, name in zip(event.paths, event.names, strict=True):
            whole = base.rstrip(b"/") + b"/" + name if name else base
            simple = name.strip(b"/")
            if b"/" in simple or simple in (b".", b".."):
                found.append(resolved_name(whole))
            else:
                found.append((whole.rstrip(b"/") or b"/", True))
        return found

    def _rename(self, event: Event) -> None:
        names = self._names(event)
        if names is None:
            return
        (old, old_sure), (new, new_sure) = names
        value = 0 if old_sure and new_sure else jn.RENAME_TEXTUAL
        at_new = inode_at(new)
        captured = [event.before, event.after]
        # The kernel sets the times of what was moved and of what was replaced, in either order.
        if _is_moved(captured[1], at_new) or _is_gone(captured[0]):
            captured.reverse()
        moved, replaced = captured
        prints: tuple[tuple[int, ...], ...] = ()
        if event.value & _RENAME_EXCHANGE:
            value |= jn.RENAME_EXCHANGE
        elif moved is None and (at_new is None or at_new[1]):
            value |= jn.RENAME_DIRECTORY
        if moved is not None:
            prints = (_stat_like(moved, new),)
            if replaced is not None:
                if not value & jn.RENAME_EXCHANGE:
                    replaced = _before_losing(replaced)
                prints += (_same_device(replaced, prints[0]),)
        self._add(event, jn.RENAME, value, prints, (old, new))

    def _link(self, event: Event) -> None:
        names = self._names(event)
        if names is None:
            return
        (existing, _), (new, _) = names
        fingerprint = None
        if event.after is not None:
            fingerprint = _stat_like(event.after, new)
        else:
            try:
                fingerprint = _of_stat(os.lstat(new))
            except OSError:
                self.gap(event, jn.GAP_CUT, new)
                return
        if not event.names[0]:  # AT_EMPTY_PATH
            existing = b"/proc/self/fd/-"
        self._add(event, jn.LINK, 0, (fingerprint,), (existing, new))

    def _unlink(self, event: Event) -> None:
        names = self._names(event)
        if names is None:
            return
        path = names[0][0]
        prints: tuple[tuple[int, ...], ...] = ()
        if event.before is not None:
            prints = (_stat_like(_before_losing(event.before), path, is_gone=True),)
        self._add(event, jn.UNLINK, 0, prints, (path,))

    def _truncate(self, event: Event) -> None:
        if event.names[0]:
            names = self._names(event)
            if names is None:
                return
            path = resolved(names[0][0]) or names[0][0]
        else:
            whole = self._whole_path(event)
            if whole is None:
                return
            path = whole
        if event.after is None or event.before is None:
            if self._sees_writes:
                return  # no time was set: it had that length
            try:
                self._add(event, jn.TRUNCATE, event.value, (_of_stat(os.lstat(path)),), (path,))
            except OSError:
                self.gap(event, jn.GAP_CUT, path)
            return
        after = _stat_like(event.after, path)
        self._writable.add(_key(after))
        self._note_change(_key(after))
        prints = (after, _same_device(event.before, after))
        self._add(event, jn.TRUNCATE, event.value, prints, (path,))

    def _io_uring(self, event: Event) -> None:
        name = _OPERATIONS.get(event.value, f"operation {event.value}")
        self.gap(event, jn.GAP_IO_URING, f"{name} by io_uring".encode())

    def _whole_path(self, event: Event) -> bytes | None:
        """The path of an open file; asked of /proc where the walk did not reach the root."""
        path = event.paths[0]
        if not event.flags & (ev.CUT | ev.DETACHED | ev.NO_NAME):
            return path
        if event.kind == ev.OPEN and event.after is not None:
            link = f"/proc/{event.pid}/fd/{event.value}"
            try:
                told = os.readlink(link.encode())  # noqa: PTH115 - bytes
                found = inode_at(told)
            except OSError:
                found = None
            if found is not None and found[0] == event.after.ino:
                return told
        self.gap(event, jn.GAP_CUT, path)
        return None


def _key(fingerprint: tuple[int, ...]) -> Key:
    return fingerprint[0], fingerprint[1]


def _is_moved(candidate: Print | None, at_new: tuple[int, bool] | None) -> bool:
    return candidate is not None and at_new is not None and candidate.ino == at_new[0]


def _is_gone(candidate: Print | None) -> bool:
    return candidate is not None and candidate.nlink in (0, _NO_MORE)


def _before_losing(file: Print) -> Print:
    """The file with the link that the call has taken from it; `nlink` is what it has now."""
    return file._replace(nlink=1 if file.nlink == _NO_MORE else file.nlink + 1)


def _same_device(file: Print, like: tuple[int, ...]) -> tuple[int, ...]:
    return (like[0], *file.fingerprint[1:])


def _stat_like(file: Print, path: bytes, *, is_gone: bool = False) -> tuple[int, ...]:
    """The fingerprint, with the device that stat(2) tells where that is not the kernel's."""
    fingerprint = file.fingerprint
    if file.magic in _OTHER_DEVICE:
        try:
            status = os.lstat(os.path.dirname(path) if is_gone else path)  # noqa: PTH120 - bytes
        except OSError:
            return fingerprint
        if is_gone or status.st_ino == file.ino:
            return (status.st_dev, *fingerprint[1:])
    return fingerprint


def _of_stat(status: os.stat_result) -> tuple[int, ...]:
    mode = status.st_mode if stat.S_IFMT(status.st_mode) else 0
    times = (status.st_mtime_ns, status.st_ctime_ns)
    return (status.st_dev, status.st_ino, status.st_size, *times, mode, status.st_nlink)
