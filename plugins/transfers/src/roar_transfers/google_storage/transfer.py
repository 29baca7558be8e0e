"""The transfer of gs:// URLs."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

from roar_core.errors import RoarError
from roar_core.hookspecs import RemoteObject, Upload
from roar_transfers.extras import extra
from roar_transfers.google_storage.addresses import SCHEME, below, object_of

_CONNECTIONS = 32


class GoogleStorageTransfer:
    """Moves files to and from buckets, with the credentials that Google's own tools find."""

    schemes = (SCHEME,)

    def __init__(self) -> None:
        self._connected: Any = None
        self._lock = threading.Lock()

    def list(self, url: str) -> Iterator[RemoteObject]:
        client = self._client(url)
        from roar_transfers.google_storage.objects import listed

        return listed(client, url)

    def read(self, source: RemoteObject, start: int, length: int | None) -> Iterator[bytes]:
        client = self._client(source.url)
        from roar_transfers.google_storage.objects import pieces

        return pieces(client, source, start, length)

    def below(self, url: str, name: str) -> str:
        return below(url, name)

    def put(self, upload: Upload) -> RemoteObject:
        address = object_of(upload.url)
        client = self._client(upload.url)
        from roar_transfers.google_storage.uploading import put

        try:
            descriptor = os.open(upload.source, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise RoarError(f"cannot read {upload.source}: {error.strerror}") from error
        try:
            return put(client, upload, address, descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let go of the connections that are kept open between requests."""
        with self._lock:
            if self._connected is not None:
                self._connected.close()
                self._connected = None

    def _client(self, url: str) -> Any:
        """The client, made when the first URL needs it."""
        with self._lock:
            if self._connected is None:
                self._connected = _connect(url)
            return self._connected


def _connect(url: str) -> Any:
    """A client of Google's library, which threads may share."""
    with extra(SCHEME, "google-cloud-storage"):
        from google.cloud.storage import Client  # type: ignore[import-untyped]
        from requests.adapters import HTTPAdapter

        from roar_transfers.google_storage.failures import explaining
    with explaining("reach", url):
        client = Client()
        # In which threads of the library's would keep, for traces that nobody takes, what they ask
        # the store of each bucket.
        client._bucket_metadata_cache = None
        # As many as there may be threads: the library would throw away those above ten, and say so.
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=_CONNECTIONS)
        client._http.mount("https://", adapter)
        client._http.mount("http://", adapter)
    return client
