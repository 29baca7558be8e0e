"""The agent's start in a worker, before Ray gives it its first task."""

from __future__ import annotations

import json
import os
import platform
import socket
import sys

from . import (
    capture,
    failing,
    forks,
    frames,
    leftovers,
    loops,
    records,
    seams,
    shipping,
    threads,
    trouble,
)
from .attempts import Attempts
from .audit import PythonCapture
from .folder import folder_of
from .journal import Journal
from .keeper import Keeper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .capture import Capture


class Agent:
    """What the agent has made in this process."""

    def __init__(self, journal: Journal, observed: Capture, attempts: Attempts | None) -> None:
        self.journal = journal
        self.capture = observed
        self.attempts = attempts


def start(settings: Mapping[str, Any], ray: Any) -> Agent | None:
    """Observe this worker from now on. Raises when nothing at all can be, and tells the driver.

    `settings` are `run` (32 hexadecimal digits), `folder` and `nonce` (see `folder_of`), `capture`
    (`native` when it can be had, or `python`), and for a node of which that folder is out of reach
    `ship_every_s` and `store_bytes`. `is_inherited`: every worker of the cluster has this agent,
    whichever job it is for. Workers that only spill objects, and bring them back, have no tasks.
    """
    worker = ray._private.worker.global_worker
    if worker.mode != ray.WORKER_MODE:
        return None
    try:
        return _started(settings, ray, worker)
    except Exception as error:
        failing.tell(settings, worker, error)
        raise


def _started(settings: Mapping[str, Any], ray: Any, worker: Any) -> Agent:
    name = worker.worker_id.hex()
    folder = folder_of(settings["run"], settings.get("folder", ""), settings.get("nonce", ""))
    journal = Journal(f"{folder.path}/{name}.{os.getpid()}.jnl", settings["run"])
    observed, reason = capture.choose(journal, settings.get("capture", "native"))
    trouble.tell_by(observed.tell)
    missing = seams.missing_in(ray)
    about = _about(settings, worker, observed.name, reason, missing)
    observed.tell(0, records.PROCESS, json.dumps(about).encode())
    chores = [journal.grow, observed.settle]
    if not folder.is_shared:
        try:
            journal.hold()
            chores.append(leftovers.chore(folder.path))
            chores.append(shipping.chore(settings, worker, journal.path))
        except Exception as error:
            trouble.told("shipping", error)
    Keeper(*chores)
    if missing:
        return Agent(journal, observed, None)
    attempts = Attempts(worker.core_worker, observed)
    for place in (threads, loops, frames):
        try:
            place.install(ray)
        except Exception as error:
            trouble.told(place.__name__, error)
    if isinstance(observed, PythonCapture):
        forks.install(observed, lambda: _of_child(folder.path, about, attempts))
    unseen = seams.edges(ray, attempts, observed.tell)
    if unseen:
        trouble.told("edges", RuntimeError("; ".join(unseen)))
    seams.install(ray, attempts)
    return Agent(journal, observed, attempts)


def _of_child(folder: str, about: Mapping[str, Any], attempts: Attempts) -> Journal:
    """A forked child's journal; for which attempt it works is told anew."""
    pid = os.getpid()
    journal = Journal(f"{folder}/{about['worker']}.{pid}.jnl", about["run"])
    text = json.dumps({**about, "pid": pid, "parent": about["pid"]}).encode()
    journal.write(records.TASK, records.PROCESS, strings=(text,))
    attempt = attempts.current()
    if attempt is not None:
        begun = attempt.tag << 8 | records.BEGIN
        forked = b'{"forked": true, ' + attempt.begun[1:]
        journal.write(records.TASK, begun, strings=(forked,))
    return journal


def _about(
    settings: Mapping[str, Any], worker: Any, name: str, reason: str, missing: list[str]
) -> dict[str, Any]:
    return {
        "run": settings["run"],
        "node": worker.current_node_id.hex(),
        "host": socket.gethostname(),
        "worker": worker.worker_id.hex(),
        "pid": os.getpid(),
        "capture": name,
        "reason": reason,
        "missing": missing,
        "python": platform.python_version(),
        "executable": sys.executable,
        "prefixes": [sys.prefix, sys.base_prefix],
        "is_inherited": settings.get("is_inherited", False),
    }
