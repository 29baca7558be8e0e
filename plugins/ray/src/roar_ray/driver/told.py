"""What a run tells the processes that take part in it: one document beside the code they run."""

from __future__ import annotations

import itertools
import json
import os
from typing import Any, NamedTuple

from roar_ray.driver import places

NAME = "ray.json"


class Told(NamedTuple):
    """The fields of the document.

    `folder` is the run's, on the machine of roar; whoever can read `nonce` in its file
    `journals/nonce` is there, as the same user. `capture` is `auto`, `native` or `python`.
    `store_bytes` is how much may lie in the cluster's store. `library` is roar's preload library,
    on its own machine; empty where it has none.
    """

    run: str
    folder: str
    nonce: str
    capture: str = "auto"
    ship_every_s: float = 0.5
    store_bytes: int = 64 << 20
    sweep_s: float = 20.0
    library: str = ""

    @property
    def journals(self) -> str:
        """Where workers that share the machine leave their journals."""
        return os.path.join(self.folder, places.JOURNALS)

    @property
    def nonce_path(self) -> str:
        """The file by which a worker, or a driver, knows that it has this very folder."""
        return os.path.join(self.journals, "nonce")

    def for_agents(self, library: str) -> dict[str, Any]:
        """What the agent in each worker is told; the library is there by that path, if any."""
        return {
            "run": self.run,
            "folder": self.journals,
            "nonce": self.nonce,
            "capture": "python" if self.capture == "python" else "native",
            "library": library,
            "ship_every_s": self.ship_every_s,
            "store_bytes": self.store_bytes,
        }

    def for_own_cluster(self) -> Told:
        """What a driver is told that makes a cluster: the run's folder for it is a new one.

        Raises OSError when there can be none.
        """
        above = os.path.join(self.folder, places.CLUSTERS)
        os.makedirs(above, mode=0o700, exist_ok=True)
        for number in itertools.count(len(os.listdir(above)) + 1):
            told = self._replace(folder=os.path.join(above, str(number)))
            try:
                os.mkdir(told.folder, 0o700)
            except FileExistsError:
                continue
            break
        os.mkdir(told.journals, 0o700)
        with open(told.nonce_path, "w", encoding="ascii") as target:
            target.write(self.nonce)
        return told

    @property
    def is_here(self) -> bool:
        """Whether the run's folder is within reach."""
        try:
            with open(self.nonce_path, encoding="ascii") as source:
                return source.read() == self.nonce
        except OSError:
            return False


def read(folder: str) -> Told:
    """Read the document in `folder`; fields that are not known here are passed over."""
    with open(os.path.join(folder, NAME), encoding="utf-8") as source:
        fields: dict[str, Any] = json.load(source)
    return Told(**{name: fields[name] for name in Told._fields if name in fields})


def write(folder: str, told: Told) -> None:
    """Write the document where only this user may read it."""
    path = os.path.join(folder, NAME)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as target:
        json.dump(told._asdict(), target)
