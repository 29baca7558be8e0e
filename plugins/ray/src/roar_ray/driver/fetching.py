"""Bring what nodes have sent from the cluster's store to the run's folder.

nodes/<node>/<stream>.jnl      journals, piece by piece
nodes/<node>/<stream>.digests  what a node has hashed of its files, a JSON document a line
"""

from __future__ import annotations

import os
import threading
import zlib
from typing import NamedTuple

from roar_ray.agent import reading, shipping
from roar_ray.driver import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Store(shipping.KeyValueStore, Protocol):
        """What fetching asks of a store."""

        def get(self, key: bytes) -> bytes | None: ...
        def delete(self, key: bytes) -> None: ...


def fetch(store: Store, run: str, folder: str) -> int:
    """Lay down all pieces of a run that are there, and delete them; returns how many.

    A piece is deleted when it is in its file: whoever is killed in between leaves it to be laid
    down again, in the same place. A journal's first page may be deleted just when it was sent anew;
    it is sent again with the next piece, and readers go on to the end of the file without it.
    """
    fetched = 0
    for key in sorted(store.keys(shipping.prefix_of(run))):
        value = store.get(key)
        if value is None:  # somebody else's already
            continue
        node, stream, offset, _ = shipping.place_of(key)
        lay_down(folder, node, stream, offset, zlib.decompress(value))
        store.delete(key)
        fetched += 1
    return fetched


def lay_down(folder: str, node: str, stream: str, offset: int, data: bytes) -> None:
    """Write one piece into its journal."""
    path = journal_path(folder, node, stream)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written
    finally:
        os.close(descriptor)


def journal_path(folder: str, node: str, stream: str) -> str:
    """Where a journal of a node lies within the run's folder."""
    return os.path.join(folder, places.NODES, node, f"{stream}.jnl")


def reached(folder: str, node: str) -> dict[str, int]:
    """The journals of a node that are here, with the offset up to which they are without a gap."""
    here = os.path.join(folder, places.NODES, node)
    names = os.listdir(here) if os.path.isdir(here) else ()
    return {
        name[: -len(".jnl")]: reading.gapless(os.path.join(here, name))
        for name in names
        if name.endswith(".jnl")
    }


class Fetching(NamedTuple):
    """A thread that fetches every so often, so that little lies in the store."""

    thread: threading.Thread
    stopping: threading.Event

    def stop(self) -> None:
        """Let it end; what it is doing is waited for, for a while."""
        self.stopping.set()
        self.thread.join(10)


def fetch_every(seconds: float, fetch_once: Callable[[], object]) -> Fetching:
    """Call that every so many seconds, in a thread of its own, until it is stopped."""
    stopping = threading.Event()

    def work() -> None:
        while not stopping.wait(seconds):
            fetch_once()

    thread = threading.Thread(target=work, name="roar-ray-fetch", daemon=True)
    thread.start()
    return Fetching(thread, stopping)
