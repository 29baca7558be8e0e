"""A worker whose agent could not start has no journal to say so: it says so in the cluster's store.

Of this nothing is ever sent again: the driver reads it at its end.
"""

from __future__ import annotations

import os

from .store import ClusterStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    class Store(Protocol):
        """What this asks of a store."""

        def keys(self, prefix: bytes) -> list[bytes]: ...
        def get(self, key: bytes) -> bytes | None: ...
        def delete_all(self, prefix: bytes) -> None: ...


def prefix_of(run: str) -> bytes:
    """What the keys of a run's unobserved workers begin with; none of its journals' do."""
    return f"roar-unobserved/{run}/".encode("ascii")


def tell(settings: Mapping[str, Any], worker: Any, error: BaseException) -> None:
    """Let the driver know that this worker is not observed, and why. Raises nothing."""
    try:
        key = prefix_of(settings["run"]) + f"{worker.worker_id.hex()}.{os.getpid()}".encode("ascii")
        text = f"{type(error).__name__}: {error}"[:500]
        ClusterStore(worker.gcs_client).put(key, text.encode("utf-8", "replace"))
    except Exception:
        return


def told(store: Store, run: str) -> list[str]:
    """Why workers of a run are not observed, a text for each; they are forgotten then."""
    prefix = prefix_of(run)
    found = [store.get(key) for key in sorted(store.keys(prefix))]
    store.delete_all(prefix)
    return [text.decode("utf-8", "replace") for text in found if text is not None]
