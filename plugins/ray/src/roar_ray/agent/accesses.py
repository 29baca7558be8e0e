"""What an audited call did to files, found out once it has returned.

An audit event comes before its call, and nothing comes after it. Reading a file that is there is
recorded at once. What changes files waits until it can be seen: until the thread's next event, the
attempt's end, or the agent's thread looks.
"""

from __future__ import annotations

import os
import stat

from . import records
from .places import Place, look, name, same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    # kind, value, fingerprints, strings
    Report = tuple[int, int, Sequence[os.stat_result], Sequence[bytes]]
    # The report once it is certain; `True` asks to decide now, whatever can be seen.
    Question = Callable[[bool], "Report | None"]
    Path = str | bytes

_ACCESS = {
    os.O_RDONLY: records.READ,
    os.O_WRONLY: records.WRITE,
    os.O_RDWR: records.READ | records.WRITE,
}


def opening(path: Path, flags: int) -> Report | Question | None:
    """What an open of this path is."""
    intents = _ACCESS.get(flags & os.O_ACCMODE)
    if intents is None or flags & os.O_PATH or flags & os.O_TMPFILE == os.O_TMPFILE:
        return None
    there = look(path)
    if there is None:
        # A file of ours if it comes to be; a device, a pipe, or nothing otherwise.
        if flags & os.O_CREAT and not os.path.exists(path):
            return _creating(path, intents)
        return None
    if not stat.S_ISREG(there.status.st_mode) or _is_refused(path, flags):
        return None
    if flags & os.O_TRUNC:
        return _emptying(path, intents, there)
    if intents & records.WRITE:
        intents |= records.APPEND if flags & os.O_APPEND else 0
        return records.OPEN, intents, (there.status, there.status), (there.path,)
    return records.OPEN, intents, (there.status,), (there.path,)


def renaming(old: Path, new: Path) -> Question | None:
    """A rename; nothing when there is nothing to move."""
    moved, replaced = look(old, follow=False), look(new, follow=False)
    source, target = name(old), name(new)
    if moved is None or source is None or target is None:
        return None
    kind = records.DIRECTORY_RENAMED if stat.S_ISDIR(moved.status.st_mode) else 0
    prints = [moved.status] if replaced is None else [moved.status, replaced.status]

    def done(_: bool) -> Report | None:
        if not same(look(target, follow=False), moved):
            return None
        return records.RENAME, kind, prints, (source, target)

    return done


def linking(existing: Path, new: Path) -> Question | None:
    """A second name for a file."""
    file, target = look(existing, follow=False), name(new)
    if file is None or target is None:
        return None

    def done(_: bool) -> Report | None:
        now = look(target, follow=False)
        if now is None or not same(now, file):
            return None
        return records.LINK, 0, (now.status,), (file.path, target)

    return done


def removing(path: Path) -> Question | None:
    """The end of a name."""
    file = look(path, follow=False)
    if file is None:
        return None

    def done(_: bool) -> Report | None:
        if look(file.path, follow=False) is not None:
            return None
        return records.UNLINK, 0, (file.status,), (file.path,)

    return done


def cutting(path: Path | int, length: int) -> Question | None:
    """A truncation, by path or descriptor."""
    file = look(f"/proc/self/fd/{path}" if isinstance(path, int) else path)
    if file is None:
        return None

    def done(is_last: bool) -> Report | None:
        now = look(file.path)
        if now is None or not same(now, file) or (now.status.st_size != length and not is_last):
            return None
        return records.TRUNCATE, length, (now.status, file.status), (file.path,)

    return done


def _creating(path: Path, intents: int) -> Question:
    wanted = os.path.join(os.getcwdb(), os.fsencode(path))

    def done(_: bool) -> Report | None:
        now = look(wanted)
        if now is None or not stat.S_ISREG(now.status.st_mode):
            return None
        return records.OPEN, intents | records.CREATED, (now.status,), (now.path,)

    return done


def _emptying(path: Path, intents: int, before: Place) -> Question:
    wanted = before.path

    def done(is_last: bool) -> Report | None:
        now = look(wanted)
        if now is None or not stat.S_ISREG(now.status.st_mode):
            return None
        if now.status.st_ctime_ns == before.status.st_ctime_ns and not is_last:
            return None
        prints = (now.status, before.status)
        return records.OPEN, intents | records.EMPTIED, prints, (now.path,)

    return done


def _is_refused(path: Path, flags: int) -> bool:
    if flags & os.O_EXCL and flags & os.O_CREAT:
        return True
    wanted = {os.O_RDONLY: os.R_OK, os.O_WRONLY: os.W_OK}
    access = wanted.get(flags & os.O_ACCMODE, os.R_OK | os.W_OK)
    return not os.access(path, access)
