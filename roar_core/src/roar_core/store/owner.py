"""Which roar process records a job, told so that a later one can see whether it is still there."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from roar_core.boot import boot_id


class Owner(NamedTuple):
    """A process of one boot: the pid alone is used again, with its start time it is unique.

    `start_ticks` is field 22 of /proc/PID/stat (proc(5)), in clock ticks since boot.
    `pid_namespace` is the inode of /proc/self/ns/pid: a pid means nothing in another container.
    `machine` is the name that its machine gives itself, empty for jobs of before it was noted down.
    """

    pid: int
    start_ticks: int
    boot_id: str
    pid_namespace: int
    machine: str

    @classmethod
    def current(cls) -> Owner:
        """Describe this process; zeros where there is no /proc."""
        pid = os.getpid()
        machine = os.uname().nodename
        return cls(pid, _start_ticks(pid) or 0, boot_id(), _pid_namespace(), machine)

    def is_elsewhere(self, *, is_shared: bool) -> bool:
        """Whether nobody here can tell if the process has ended: it is another machine's.

        Or another container's. `is_shared`: other machines have the project, too. Of those whose
        project is on a disk of their own the names do not matter: each container has another one.
        """
        here = Owner.current()
        if not self.boot_id or not here.boot_id:
            return True
        if self.boot_id != here.boot_id:
            return is_shared and self.machine not in ("", here.machine)
        return self.pid_namespace != here.pid_namespace

    def is_gone(self, *, is_shared: bool) -> bool:
        """Whether the process has surely ended; False also when it is elsewhere, as told there."""
        if self.is_elsewhere(is_shared=is_shared):
            return False
        if self.boot_id != boot_id():
            return True
        ticks = _start_ticks(self.pid)
        # /proc mounted with hidepid shows nothing of another user's processes: kill(2) tells.
        return not _exists(self.pid) if ticks is None else ticks != self.start_ticks


# In the order of `Owner`.
OWNER_COLUMNS = "owner_pid, owner_start_ticks, owner_boot_id, owner_pid_namespace, owner_machine"


def owner_from_row(row: Sequence[Any]) -> Owner:
    """What `OWNER_COLUMNS` give of a job."""
    return Owner._make((*row[:-1], row[-1] or ""))


def _start_ticks(pid: int) -> int | None:
    """Return when `pid` started, -1 when it is a zombie, None when /proc shows no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name in parentheses may hold spaces and parentheses itself: count from the last one.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return -1 if fields[0] in (b"Z", b"X") else int(fields[19])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno != errno.ESRCH
    return True


def _pid_namespace() -> int:
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0
