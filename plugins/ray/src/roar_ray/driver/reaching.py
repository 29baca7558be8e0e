"""How a process reaches the cluster that it works with: as a driver, or as a client of Ray Client.

A client is no part of the cluster. It has the cluster's store by its server, and asks for what only
a member can find out by a task.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

from roar_ray.agent import known
from roar_ray.agent.store import NAMESPACE, ClusterStore
from roar_ray.driver import sweeping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


CLIENT = "ray://"


class Reach(NamedTuple):
    """What `Connection` asks of it.

    `node` is where the process itself is, empty when it is on none. `tasks` gives the tasks of
    which Ray knows, see `agent.known`, and those of ours by which it was asked. `is_own`: the
    cluster was made for this process, and ends with it.
    """

    store: Any
    address: str
    node: str
    job: str
    session: str
    is_own: bool
    tasks: Callable[[], tuple[list[tuple[str, str, int]] | None, list[str]]]


def as_driver(ray: Any, is_own: bool) -> Reach:
    """Of a process that `ray.init` has made a driver."""
    worker = ray._private.worker.global_worker
    job = worker.current_job_id.hex()
    return Reach(
        store=ClusterStore(worker.gcs_client),
        address=worker.gcs_client.address,
        node=worker.current_node_id.hex(),
        job=job,
        session=getattr(ray._private.worker._global_node, "_session_dir", ""),
        is_own=is_own,
        tasks=lambda: (known.tasks(ray, job, sweeping.NAME), []),
    )


def as_client(ray: Any, client: Any) -> Reach:
    """Of a process whose `ray.util.client.worker.Worker` is connected."""
    job = str(ray.get_runtime_context().get_job_id())
    return Reach(
        store=ClientStore(client),
        address=f"{CLIENT}{client._conn_str}",
        node="",
        job=job,
        session="",
        is_own=False,
        tasks=functools.partial(sweeping.tasks, ray, job),
    )


class ClientStore(ClusterStore):
    """The cluster's key-value store, by way of a client's server, which lists by another name."""

    def keys(self, prefix: bytes) -> list[bytes]:
        """All keys that begin so."""
        return list(self._client.internal_kv_list(prefix, NAMESPACE))
