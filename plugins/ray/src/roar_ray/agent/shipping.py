"""What of a node's journals is sent to where the driver can fetch it, in pieces.

A piece is told by its journal, the *stream*, and its offset there: laid down twice, or in any
order, it makes the same file. The first page goes last, with the end of what was sent.
"""

from __future__ import annotations

import os
import time
import zlib
from collections import deque
from typing import NamedTuple

from .reading import Reading
from .store import ClusterStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    class KeyValueStore(Protocol):
        """Where pieces go: the cluster's internal key-value store."""

        def put(self, key: bytes, value: bytes) -> None: ...
        def keys(self, prefix: bytes) -> list[bytes]: ...


class Place(NamedTuple):
    """What a key says of its piece; `size` in bytes before compression."""

    node: str
    stream: str
    offset: int
    size: int


def prefix_of(run: str) -> bytes:
    """What the keys of a run begin with."""
    return f"roar/{run}/".encode("ascii")


def key_of(run: str, node: str, stream: str, offset: int, size: int) -> bytes:
    """Where a piece stands. Its size is in the name, so that a list of keys tells of room."""
    return prefix_of(run) + f"{node}/{stream}/{offset:x}/{size:x}".encode("ascii")


def place_of(key: bytes) -> Place:
    """What a key says; ValueError when it is none of ours."""
    _, _, node, stream, offset, size = key.decode("ascii").split("/")
    return Place(node, stream, int(offset, 16), int(size, 16))


class Shipping:
    """Sends what is new in a process's own journal, as often as it is told to.

    `is_held_back`: for want of room in the store something stayed in the journal alone.
    """

    def __init__(
        self, path: str, run: str, node: str, store: KeyValueStore, room_bytes: int
    ) -> None:
        stream = os.path.basename(path)[: -len(".jnl")]
        self.is_held_back = False
        self._where = (run, node, stream)
        self._reading = Reading(path)
        self._store = store
        self._room = room_bytes
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._unsure = 0

    def ship(self) -> None:
        """Send what has come since the last time; what the store raises, this raises."""
        self._waiting.extend(self._reading.pieces())
        while self._waiting:
            offset, data = self._waiting[0]
            self.is_held_back = not self._has_room_for(len(data))
            if self.is_held_back:
                return
            key = key_of(*self._where, offset, len(data))
            self._store.put(key, zlib.compress(data, 1))
            self._waiting.popleft()

    def _has_room_for(self, size: int) -> bool:
        """Whether the run's pieces leave room; asked of the store after each 1/32 of all room."""
        self._unsure += size
        if self._unsure < self._room // 32:
            return True
        keys = self._store.keys(prefix_of(self._where[0]))
        if sum(int(key.rpartition(b"/")[2], 16) for key in keys) + size > self._room:
            return False
        self._unsure = 0
        return True


def chore(settings: Mapping[str, Any], worker: Any, path: str) -> Callable[[], None]:
    """Sends the journal at `path` as often as the settings say, however often it is called."""
    shipping = Shipping(
        path,
        settings["run"],
        worker.current_node_id.hex(),
        ClusterStore(worker.gcs_client),
        settings["store_bytes"],
    )
    due = 0.0

    def ship_when_due() -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + settings["ship_every_s"]
            shipping.ship()

    return ship_when_due
