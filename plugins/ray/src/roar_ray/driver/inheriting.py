"""Workers of a cluster that a driver makes for itself: they inherit the agent from its raylet.

What a runtime environment would bring them is in the raylet's own variables, and the agent in the
cluster's store before the raylet can start a worker. For any runtime environment costs: Ray starts
workers anew for it, and sends it along with every task (docs/adr/0033).
"""

from __future__ import annotations

import functools
from types import SimpleNamespace

from roar_ray.hook.environment import WAITING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from roar_ray.driver.faults import Faults
    from roar_ray.hook.setup import Setup

_START = "start_ray_process"
_RAYLET = "raylet"
# As long as Ray itself gives a setup hook.
_PATIENCE_S = 60
# Ray keeps LD_PRELOAD from workers. A library that waits in the raylet puts itself back there, and
# where none is, what workers run first brings it in.
_VARIABLES = {"ROAR_TRACE": WAITING, "ROAR_NO_TELEMETRY": "1"}


class Inheritance:
    """What the next raylet of this process is to have for its workers.

    `services` is Ray's module of that name.
    """

    def __init__(self, services: Any, faults: Faults) -> None:
        self._services = services
        self._faults = faults
        self._setup: Setup | None = None

    @property
    def is_possible(self) -> bool:
        """Whether this Ray has all the places that it takes."""
        try:
            return hasattr(self._services, _START) and callable(_exporting())
        except (ImportError, AttributeError):
            return False

    @property
    def is_pending(self) -> bool:
        """Whether no raylet has come for what was prepared."""
        return self._setup is not None

    def join(self) -> None:
        """Put ourselves around the function by which Ray starts each of a cluster's processes."""
        start = getattr(self._services, _START, None)
        if start is not None:
            setattr(self._services, _START, self._around_start(start))

    def prepare(self, setup: Setup) -> None:
        """Have its workers run `setup` before their first task."""
        self._setup = setup

    def forget(self) -> None:
        """Let go of what was prepared for a cluster that was never made."""
        self._setup = None

    def _around_start(self, start: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(start)
        def started(command: Any, process_type: str, *arguments: Any, **named: Any) -> Any:
            if process_type == _RAYLET and self._setup is not None:
                setup, self._setup = self._setup, None
                with self._faults.kept("handing the agent to a raylet"):
                    added = {**_VARIABLES, **_exporting()(setup)}
                    named["env_updates"] = {**(named.get("env_updates") or {}), **added}
            return start(command, process_type, *arguments, **named)

        return started


@functools.cache
def _exporting() -> Callable[[Setup], dict[str, str]]:
    """What puts a hook where workers look for it, and gives the variable that has them look.

    Raises `ImportError` or `AttributeError` where a private place that it takes is missing.
    """
    from ray._private.function_manager import FunctionActorManager
    from ray._private.ray_constants import WORKER_PROCESS_SETUP_HOOK_ENV_VAR
    from ray._private.runtime_env import setup_hook
    from ray._raylet import JobID
    from ray.experimental.internal_kv import internal_kv_get_gcs_client

    # Before 2.55 with an underscore.
    decode = getattr(setup_hook, "decode_function_key", None) or setup_hook._decode_function_key
    if not hasattr(FunctionActorManager, "export_setup_func"):
        raise AttributeError("export_setup_func")

    def export(setup: Setup) -> dict[str, str]:
        # It is for whichever job comes: none has begun.
        job = JobID.nil()
        nobody = SimpleNamespace(gcs_client=internal_kv_get_gcs_client(), current_job_id=job)
        key = FunctionActorManager(nobody).export_setup_func(setup, timeout=_PATIENCE_S)
        return {WORKER_PROCESS_SETUP_HOOK_ENV_VAR: decode(key)}

    return export
