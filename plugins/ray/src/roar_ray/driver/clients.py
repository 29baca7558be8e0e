"""Programs that reach a cluster by Ray Client (`ray://`): both ends of it.

The cluster starts a process for each client, its server, in the runtime environment that the client
asks for, and the server is the driver. So what is carried along with that environment runs in the
server, and adds the agent there. The client fetches and sweeps: it is the end that has the run.
"""

from __future__ import annotations

import copy
import functools
import os
from contextlib import contextmanager

from roar_ray.driver import carrying, places, reaching, submitting
from roar_ray.driver.connection import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from roar_ray.driver.faults import Faults
    from roar_ray.driver.told import Told

_SERVER = "ray.util.client.server"


def is_server(folder: str, words: Sequence[str]) -> bool:
    """Whether a process, started with these words, is the server of a client that carried us."""
    return carrying.is_carried(folder) and _SERVER in words


def serving(named: Mapping[str, Any], add: Callable[[Any], Any], faults: Faults) -> dict[str, Any]:
    """What a server is to give to `ray.init` instead of `named`; `add` adds the agent.

    Ray brings no setup hook of a client's to workers, and does not run the user's own. So ours is
    brought just before the job is told to the cluster, when the process is connected to it.
    """
    job_config = copy.copy(named["job_config"])
    serialize = job_config._serialize
    carried = (job_config.runtime_env or {}).get("py_modules", [])[:1]

    def _serialize() -> Any:
        before = job_config.runtime_env
        with faults.kept("adding the agent for a client"):
            job_config.set_runtime_env(_uploaded(before, carried, add), validate=True)
            return serialize()
        job_config.set_runtime_env(before)
        return serialize()

    job_config._serialize = _serialize
    return {**named, "job_config": job_config}


def _uploaded(asked: Any, carried: list[str], add: Callable[[Any], Any]) -> Any:
    """The runtime environment with the agent, whose hook lies in the cluster's store."""
    from ray._private import worker
    from ray._private.runtime_env.setup_hook import upload_worker_process_setup_hook_if_needed

    found = dict(asked or {})
    theirs = found.pop("worker_process_setup_hook", None)
    # An environment that came beside the job's, which Ray prefers, has not got what was carried.
    if carried and carried[0] not in (found.get("py_modules") or ()):
        found = carrying.with_package(found, *carried)
    found = upload_worker_process_setup_hook_if_needed(add(found), worker.global_worker)
    if theirs is not None:
        found["worker_process_setup_hook"] = theirs
    return found


class Clients:
    """The connections of this process that go by Ray Client."""

    def __init__(self, told: Told, faults: Faults, folder: str) -> None:
        self._told = told
        self._faults = faults
        self._folder = folder
        self._pid = os.getpid()
        self._stays = 0
        self._connections: dict[int, tuple[Connection, Any]] = {}

    def join(self, client: Any) -> None:
        """Put ourselves around how a client introduces itself to its server, and how it goes."""
        client._server_init = self._around_init(client._server_init)
        client.close = self._around_close(client.close)

    def _around_init(self, init: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(init)
        def _server_init(client: Any, job_config: Any = None, *arguments: Any, **named: Any) -> Any:
            found = init(client, self._with_package(job_config), *arguments, **named)
            with self._faults.kept("beginning with a cluster by Ray Client"):
                self._enter(client)
            return found

        return _server_init

    def _with_package(self, job_config: Any) -> Any:
        """The user's configuration of the job, with what makes its server take part."""
        with self._faults.kept("adding to what Ray Client asks for"):
            from ray.job_config import JobConfig

            changed = JobConfig() if job_config is None else copy.copy(job_config)
            package = carrying.packed(self._told, self._folder)
            changed.set_runtime_env(submitting.with_roar(changed.runtime_env, package))
            return changed
        return job_config

    def _enter(self, client: Any) -> None:
        if not self._told.is_here:
            return
        import ray
        from ray.util.client import ray as stub

        self._stays += 1
        reach = reaching.as_client(ray, client)
        stay = f"client{self._stays}"
        connection = Connection(ray, self._told, self._faults, stay, reach)
        self._connections[id(client)] = connection, stub.get_context()

    def _around_close(self, close: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(close)
        def closed(client: Any, *arguments: Any, **named: Any) -> Any:
            connection, context = self._connections.pop(id(client), (None, None))
            if connection is not None and os.getpid() == self._pid:
                with self._faults.kept("leaving a cluster by Ray Client"), _within(context):
                    connection.end()
                    self._see_whether_results_were_told()
            return close(client, *arguments, **named)

        return closed

    def _see_whether_results_were_told(self) -> None:
        """They are, by the server, when it finds the run's folder: its machine is this one then."""
        here = os.path.join(self._told.folder, places.DRIVERS)
        if not any(name.endswith(".edges") for name in os.listdir(here)):
            self._faults.note(
                "results between tasks are not seen: Ray Client's server is on another machine"
            )


@contextmanager
def _within(context: Any) -> Iterator[None]:
    """Have `ray` mean the cluster of one client, of which a program may have several."""
    from ray.util.client import ray as stub

    before = stub.set_context(context)
    try:
        yield
    finally:
        stub.set_context(before)
