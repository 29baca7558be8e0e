"""A driver that was submitted runs where no tracer of roar's does: it is observed like a worker.

By the preload library, which was carried along and reports for its child processes too, or else by
the interpreter itself. Only on the machine of the run's folder: from elsewhere nobody fetches it.
"""

from __future__ import annotations

import atexit
import json
import os
import platform
import socket
import sys

from roar_ray.agent import capture, forks, records, trouble
from roar_ray.agent.audit import PythonCapture
from roar_ray.agent.journal import Journal
from roar_ray.agent.keeper import Keeper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from roar_ray.driver.told import Told

# No thread of ours, which would make room, runs in a program before it has imported Ray.
_ROOM = records.CHUNK
# In JSON a character may take six bytes.
_WORDS_MAX = records.RECORD_MAX // 8
_observed: tuple[Journal, capture.Capture] | None = None


def observe(told: Told, submission: str) -> None:
    """Observe this process from now on, which is a driver or a program that helps it."""
    global _observed
    about = _about(told, submission)
    # Whoever reads it while this process begins knows whose it is, and that there is more to come.
    text = json.dumps(about).encode()
    journal = Journal(_path_of(told, about), told.run, _ROOM, about=text)
    wanted = "python" if told.capture == "python" else "native"
    observed, reason = capture.choose(journal, wanted)
    trouble.tell_by(observed.tell)
    if isinstance(observed, PythonCapture):
        # It is the library's, which is not here, and not for child processes either.
        os.environ.pop("ROAR_TRACE", None)
        forks.install(observed, lambda: _of_child(told, about))
    by = {"capture": observed.name, "reason": reason}
    observed.tell(0, records.PROCESS, json.dumps(by).encode())
    about |= by
    _observed = journal, observed
    # What is under way then is found out now, or never.
    atexit.register(_tell_end, observed, os.getpid())


def _about(told: Told, submission: str) -> dict[str, Any]:
    return {
        "run": told.run,
        "host": socket.gethostname(),
        "worker": f"driver-{submission}",
        "pid": os.getpid(),
        "pid_started": started(),
        "submission": submission,
        "words": _words(),
        "cwd": os.getcwd(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "prefixes": [sys.prefix, sys.base_prefix],
    }


def _words() -> list[str]:
    """With what this process was started, as far as a record has room: it is a program's text."""
    room, found = _WORDS_MAX, []
    for word in sys.orig_argv:
        found.append(word if len(word) <= room else f"{word[:room]}…")
        room -= len(word)
        if room <= 0:
            break
    return found


def _path_of(told: Told, about: Mapping[str, Any]) -> str:
    return os.path.join(told.journals, f"{about['worker']}.{about['pid']}.jnl")


def _of_child(told: Told, about: Mapping[str, Any]) -> Journal:
    """A forked child's journal: it has one writer."""
    own = {"pid": os.getpid(), "pid_started": started(), "parent": about["pid"]}
    about = {**about, **own}
    return Journal(_path_of(told, about), told.run, about=json.dumps(about).encode())


def keep_room() -> None:
    """From now on there is a thread that gives the journal more room, if there is one."""
    if _observed is not None:
        journal, observed = _observed
        Keeper(journal.grow, observed.settle)


def _tell_end(observed: capture.Capture, pid: int) -> None:
    if os.getpid() == pid:
        observed.tell(0, records.PROCESS, b'{"has_ended": true}')
        observed.settle()


def started() -> str:
    """When this process was started, in the kernel's clock ticks: its number may be another's."""
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as source:
        return source.read().rpartition(")")[2].split()[19]
