"""Ray's private places where the agent goes in, each looked for when a worker starts.

Where one is missing, what hangs on it is left out and the process says so; without those of
`missing_in` attempts cannot be told apart at all, and only the process is observed.
"""

from __future__ import annotations

from . import libraries
from .function import TracedFunction
from .needs import Edges, is_own
from .trouble import told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .attempts import Attempts


def missing_in(ray: Any) -> list[str]:
    """The places without which no attempt can be told from another."""
    worker = ray._private.worker.global_worker
    wanted = (
        (worker.function_actor_manager, "get_execution_info"),
        (worker.core_worker, "get_current_task_id"),
        (worker.core_worker, "get_current_task_attempt_number"),
    )
    return [name for owner, name in wanted if not callable(getattr(owner, name, None))]


def install(ray: Any, attempts: Attempts) -> None:
    """Have every function wrapped before its first call."""
    worker = ray._private.worker.global_worker
    _see_to_functions(worker, attempts)
    _see_to_begin_and_end(worker, attempts)


def _see_to_functions(worker: Any, attempts: Attempts) -> None:
    manager = worker.function_actor_manager
    find = manager.get_execution_info
    wrapped: dict[Any, tuple[Any, Any]] = {}

    def get_execution_info(job_id: Any, function_descriptor: Any) -> Any:
        info = find(job_id, function_descriptor)
        try:
            key = function_descriptor.function_id
            known = wrapped.get(key)
            if known is None or known[0] is not info:
                known = wrapped[key] = (info, _traced(worker, attempts, function_descriptor, info))
            return known[1]
        except Exception as error:
            told("function", error)
            return info

    manager.get_execution_info = get_execution_info


def _traced(worker: Any, attempts: Attempts, descriptor: Any, info: Any) -> Any:
    name = str(info.function_name)
    if is_own(name):
        return info
    module = str(descriptor.module_name)
    facts: dict[str, Any] = {"name": str(descriptor.function_name), "module": module}
    owner = str(descriptor.class_name)
    if owner:
        actor = worker.core_worker.get_actor_id().hex()
        facts |= {"name": f"{owner}.{name}", "actor": actor, "actor_class": owner}
    name = facts["name"]
    is_creation = bool(owner) and descriptor.function_name == "__init__"
    if libraries.is_infrastructure(module, name):
        facts["role"] = "infrastructure"
    function = TracedFunction(
        attempts,
        info.function,
        facts,
        telling=libraries.telling_in(module, name.rpartition(".")[2]) if owner else None,
        is_named_by_label=libraries.is_named_by_label(module),
        outcome=libraries.outcome_in(module, name),
        earlier=_restarts(facts["actor"]) if is_creation else 0,
    )
    return info._replace(function=function.wrapped())


def _restarts(actor: str) -> int:
    """How often this actor was restarted: before 2.55 Ray numbers the calls of `__init__` not."""
    from ray._private import state

    try:
        return int(state.actors(actor)["NumRestarts"])
    except Exception as error:
        told("restarts", error)
        return 0


def _see_to_begin_and_end(worker: Any, attempts: Attempts) -> None:
    """Ray names task and attempt just before it calls a function, and when that has ended."""
    starts, ends = worker.record_task_log_start, worker.record_task_log_end

    def record_task_log_start(task_id: Any, attempt_number: int) -> None:
        try:
            attempts.starts(task_id, attempt_number)
        except Exception as error:
            told("start", error)
        starts(task_id, attempt_number)

    def record_task_log_end(task_id: Any, attempt_number: int) -> None:
        try:
            attempts.ends(task_id)
        except Exception as error:
            told("end", error)
        ends(task_id, attempt_number)

    worker.record_task_log_start = record_task_log_start
    worker.record_task_log_end = record_task_log_end


def edges(ray: Any, attempts: Attempts, tell: Any) -> list[str]:
    """See to what attempts need of each other; return what could not be seen to."""
    return Edges(tell, attempts.needs, attempts.puts).install(ray)
