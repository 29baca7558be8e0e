"""Of which tasks Ray itself knows, so that roar can say which did not report."""

from __future__ import annotations

from .needs import is_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any


def tasks(ray: Any, job: str, without: str) -> list[tuple[str, str, int]] | None:
    """The attempts of a job that began to run; None where this Ray does not tell.

    Each is (task, node, pid): the number of the process that had it when it ended without having
    finished, and 0 where that is not so, or not known. Those by the name `without` are left out,
    and what Ray asks of its actors itself. Each worker tells the cluster once a second, and of a
    hundred thousand tasks at most: there may be more.
    """
    events = _events(ray)
    if events is None:
        return None
    from ray.core.generated import common_pb2

    running, failed = map(common_pb2.TaskStatus.Value, ("RUNNING", "FAILED"))
    driver = common_pb2.TaskType.Value("DRIVER_TASK")
    found, nodes = [], _nodes(ray)
    for event in events:
        about, states = event.task_info, event.state_updates
        is_asked_for = event.job_id.hex() == job and about.type != driver
        method = str(about.func_or_class_name).rpartition(".")[2]
        if not is_asked_for or about.name == without or is_own(method):
            continue
        if running in states.state_ts_ns:
            node, pid = _place(states, nodes)
            is_cut_short = failed in states.state_ts_ns
            found.append((event.task_id.hex(), node, pid if is_cut_short else 0))
    return found


def _place(states: Any, nodes: Mapping[str, str]) -> tuple[str, int]:
    """The node and process of an attempt: of an actor's first call only its death tells them."""
    death = states.error_info.actor_died_error.actor_died_error_context
    node = states.node_id.hex() or nodes.get(death.node_ip_address, "")
    return node, int(states.worker_pid or death.pid)


def _nodes(ray: Any) -> dict[str, str]:
    """The node at each address, where there is only one."""
    at: dict[str, list[str]] = {}
    for node in ray.nodes():
        at.setdefault(node["NodeManagerAddress"], []).append(node["NodeID"])
    return {address: found[0] for address, found in at.items() if len(found) == 1}


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
