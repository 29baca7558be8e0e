"""One stay of a driver in a cluster: what is begun with it, and all that is to be done at its end.

drivers/<pid>.<stay>.json says of each where the cluster was, and whether the end was reached: of
one that was killed, a later roar fetches what lies in the cluster's store.
"""

from __future__ import annotations

import json
import os
import sys

from roar_ray.agent import failing, shipping
from roar_ray.agent.submitting import are_few
from roar_ray.driver import fetching, known, observing, places, submitting, sweeping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from roar_ray.driver.faults import Faults
    from roar_ray.driver.reaching import Reach
    from roar_ray.driver.told import Told


class Connection:
    """Made when this process has connected to a cluster; `end` it before it leaves.

    `stay` tells the stays of this process apart.
    """

    def __init__(self, ray: Any, told: Told, faults: Faults, stay: str, reach: Reach) -> None:
        self._ray = ray
        self._told = told
        self._faults = faults
        self._reach = reach
        self._store = reach.store
        self._node = reach.node
        self._path = os.path.join(told.folder, places.DRIVERS, f"{os.getpid()}.{stay}.json")
        self._document: dict[str, Any] = {
            "address": reach.address,
            "is_own": reach.is_own,
            "job": reach.job,
            "node": reach.node,
            "pid": os.getpid(),
            "pid_started": observing.started(),
            "submission": submitting.submission(),
            "python": sys.executable,
            "auth_mode": os.environ.get("RAY_AUTH_MODE", ""),
            "session": reach.session,
            "ray": ray.__version__,
            "has_ended": False,
        }
        self._write()
        self._fetching = fetching.fetch_every(4 * max(0.5, told.ship_every_s), self._fetch)

    def end(self) -> None:
        """Bring in all there is, and take back what was left in the cluster. Does not raise."""
        self._fetching.stop()
        self._fetch()
        with self._faults.kept("asking Ray for its tasks"):
            self._ask_for_tasks()
        with self._faults.kept("asking which workers were not observed"):
            self._document["unobserved"] = failing.told(self._store, self._told.run)
        with self._faults.kept("asking the nodes for the rest"):
            self._sweep()
        with self._faults.kept("letting go of the cluster's store"):
            self._store.delete_all(shipping.prefix_of(self._told.run))
        with self._faults.kept("writing down the end of a driver"):
            self._document["has_ended"] = True
            self._write()

    def _fetch(self) -> None:
        with self._faults.kept("fetching from the cluster's store"):
            fetching.fetch(self._store, self._told.run, self._told.folder)

    def _ask_for_tasks(self) -> None:
        found, self._document["sweeps"] = self._reach.tasks() if are_few() else (None, [])
        self._document["tells_tasks"] = found is not None
        if found:
            known.write(self._told.folder, found)
            self._document["nodes"] = sorted({node for _, node, _ in found} - {""})

    def _sweep(self) -> None:
        """Ask the nodes that had work, or may have had: those of whose tasks nothing is known."""
        worked = {*self._document.get("nodes", ()), *_senders(self._told.folder)}
        if "nodes" not in self._document:
            worked |= self._alive()
        # What shares this machine has left its journals in the run's folder, and sends nothing.
        elsewhere = worked - {self._node} | (_senders(self._told.folder) & {self._node})
        asked = sorted(elsewhere & self._alive())
        silent: list[str] = []
        if asked:
            where = (self._told.run, self._told.folder, self._told.sweep_s)
            outcome = sweeping.sweep(self._ray, asked, *where, forgets=not self._has_company())
            silent = outcome.silent
            self._document["sweeps"] = [*self._document.get("sweeps", ()), *outcome.tasks]
        alive = self._alive()
        self._document["lost_nodes"] = sorted(elsewhere - alive)
        self._document["silent_nodes"] = sorted(alive.intersection(silent))

    def _has_company(self) -> bool:
        """Whether another driver of the run may have workers yet that write."""
        here = os.path.dirname(self._path)
        others = [os.path.join(here, name) for name in os.listdir(here) if name.endswith(".json")]
        for path in others:
            with open(path, encoding="utf-8") as source:
                if path != self._path and not json.load(source)["has_ended"]:
                    return True
        return False

    def _alive(self) -> set[str]:
        return {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}

    def _write(self) -> None:
        places.write_whole(self._path, self._document)


def _senders(folder: str) -> set[str]:
    """The nodes from which something has come."""
    nodes = os.path.join(folder, places.NODES)
    return set(os.listdir(nodes)) if os.path.isdir(nodes) else set()
