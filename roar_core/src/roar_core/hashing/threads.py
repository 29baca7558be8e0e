"""How many threads hashing may use here."""

from __future__ import annotations

import functools
import os
import threading


def core_count() -> int:
    """Cores this process may run on, as its affinity says."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def may_thread() -> bool:
    """Whether a thread per core, and those that read for them, can be started.

    Asked before blake3 may: where a limit on processes (RLIMIT_NPROC, a container's pids) forbids
    it, blake3's thread pool panics, prints a Rust backtrace and raises no Exception.
    """
    release = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(core_count() + 4):
            thread = threading.Thread(target=release.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError:
        return False
    finally:
        release.set()
        for thread in started:
            thread.join()
    return True
