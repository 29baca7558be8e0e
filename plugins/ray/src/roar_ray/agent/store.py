"""The cluster's internal key-value store, as `shipping` and `fetching` want it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAMESPACE = b"roar"


class ClusterStore:
    """The store behind a client of the cluster's control service (GCS), of Ray's own class."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, key: bytes, value: bytes) -> None:
        """Put a value, in the place of what is there."""
        self._client.internal_kv_put(key, value, True, NAMESPACE)

    def get(self, key: bytes) -> bytes | None:
        """The value; None when there is none."""
        found: bytes | None = self._client.internal_kv_get(key, NAMESPACE)
        return found

    def keys(self, prefix: bytes) -> list[bytes]:
        """All keys that begin so."""
        return list(self._client.internal_kv_keys(prefix, NAMESPACE))

    def delete(self, key: bytes) -> None:
        """Delete one key, or nothing."""
        self._client.internal_kv_del(key, False, NAMESPACE)

    def delete_all(self, prefix: bytes) -> None:
        """Delete all keys that begin so."""
        self._client.internal_kv_del(prefix, True, NAMESPACE)


def store_at(address: str) -> ClusterStore:
    """The store of the cluster at an address, for a process that is not connected to it."""
    from ray import _raylet

    client: Any = _raylet
    return ClusterStore(client.GcsClient(address=address))
