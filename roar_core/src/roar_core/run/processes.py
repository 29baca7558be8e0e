"""Which processes of a run are alive, by what the journal and /proc say."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence

from roar_core.journal import Kind, Record
from roar_core.model.coverage import CoverageReason


class ProcessTree:
    """The pids that a run's records name as started and not as ended."""

    def __init__(self) -> None:
        self._running: set[int] = set()
        self._ended_ns: dict[int, int] = {}

    def take(self, records: Iterable[Record]) -> None:
        """Learn from further records, in their order."""
        for record in records:
            if record.kind == Kind.FORK:
                self._running.add(record.value)
            elif record.kind == Kind.START:
                self._running.add(record.pid)
            elif record.kind == Kind.EXIT:
                self._running.discard(record.pid)
                self._ended_ns[record.pid] = record.time_ns
            elif record.kind == Kind.EXEC and record.time_ns > self._ended_ns.get(record.pid, 0):
                # All that is told of one whose first act it was, until its program tells more. A
                # parent's word on whom it has spawned may come when that one has ended.
                self._running.add(record.pid)

    def survivors(self, since_s: float) -> list[int]:
        """Those still alive that started at `since_s` (seconds since boot) or later."""
        return sorted(pid for pid in self._running if is_alive(pid, since_s))


def outlived(left: Sequence[int]) -> CoverageReason:
    """That these processes go on: what they still do is not in the record."""
    names = ", ".join(map(str, left[:5]))
    return CoverageReason("outlived", len(left), f"still running when recorded: pid {names}")


def words_of(pid: int) -> list[str]:
    """The arguments of a process, or the title it gave itself; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as handle:  # noqa: PTH123 - as below
            return [os.fsdecode(word) for word in handle.read().split(b"\0") if word]
    except OSError:
        return []


def seconds_since_boot() -> float:
    """The clock of `/proc/PID/stat`'s start time."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def age_of_this_process_s() -> float:
    """How long ago this process was started, to the hundredth of a second the kernel tells."""
    with open("/proc/self/stat", "rb") as handle:  # noqa: PTH123 - start-up
        fields = handle.read().rpartition(b")")[2].split()
    return seconds_since_boot() - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def is_alive(pid: int, since_s: float) -> bool:
    """Whether `pid` runs, and is no later process that was given the same number."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as handle:  # noqa: PTH123 - hot
            fields = handle.read().rpartition(b")")[2].split()
    except OSError:
        return False
    started_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # proc_pid_stat(5): field 22
    # One tick of grain: a process of the run may seem to have started just before it.
    return fields[0] not in (b"Z", b"X") and started_s >= since_s - 0.02
