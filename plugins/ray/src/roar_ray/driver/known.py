"""Of which tasks Ray itself knows, so that roar can say which did not report."""

from __future__ import annotations

import json
import os

from roar_ray.driver import places, sweeping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def tasks(ray: Any, job: str) -> dict[str, str] | None:
    """The tasks of a job that began to run, id to node; None where this Ray does not tell.

    Each worker tells the cluster once a second, and of a hundred thousand tasks at most: there may
    be more.
    """
    ask = getattr(ray._private.state.state, "_get_all_task_events", None)
    if ask is None:
        return None
    from ray.core.generated import common_pb2

    running = common_pb2.TaskStatus.Value("RUNNING")
    driver = common_pb2.TaskType.Value("DRIVER_TASK")
    found = {}
    for event in ask():
        about, states = event.task_info, event.state_updates
        is_ours = event.job_id.hex() == job and about.type != driver
        if is_ours and about.name != sweeping.NAME and running in states.state_ts_ns:
            found[event.task_id.hex()] = states.node_id.hex()
    return found


def write(folder: str, found: dict[str, str]) -> None:
    """Add tasks to those known of the run, a JSON array (task, node) a line."""
    with open(os.path.join(folder, places.KNOWN), "a", encoding="ascii") as target:
        target.writelines(f"{json.dumps(pair)}\n" for pair in found.items())
