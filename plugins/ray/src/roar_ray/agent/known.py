"""Of which tasks Ray itself knows, so that roar can say which did not report."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any


def tasks(ray: Any, job: str, without: str) -> dict[str, str] | None:
    """The tasks of a job that began to run, id to node; None where this Ray does not tell.

    Those by the name `without` are left out. Each worker tells the cluster once a second, and of a
    hundred thousand tasks at most: there may be more.
    """
    events = _events(ray)
    if events is None:
        return None
    from ray.core.generated import common_pb2

    running = common_pb2.TaskStatus.Value("RUNNING")
    driver = common_pb2.TaskType.Value("DRIVER_TASK")
    found = {}
    for event in events:
        about, states = event.task_info, event.state_updates
        is_asked_for = event.job_id.hex() == job and about.type != driver
        if is_asked_for and about.name != without and running in states.state_ts_ns:
            found[event.task_id.hex()] = states.node_id.hex()
    return found


def _events(ray: Any) -> Iterable[Any] | None:
    """What the cluster knows of tasks, one by one: parsed, each takes five kilobytes of memory."""
    state = ray._private.state.state
    connect = getattr(state, "_connect_and_get_accessor", None)
    elsewhere = getattr(ray._private.state, "_READ_TASK_EVENTS_FROM_DASHBOARD_HEAD", False)
    if connect is None or elsewhere:
        ask: Callable[[], Iterable[Any]] | None = getattr(state, "_get_all_task_events", None)
        return None if ask is None else ask()
    from ray.core.generated import gcs_pb2

    return map(gcs_pb2.TaskEvents.FromString, connect().get_task_events())
