"""The transfer of s3:// URLs."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

from roar_core.errors import RoarError
from roar_core.hookspecs import RemoteObject, Upload
from roar_proxy_s3.transfer.addresses import SCHEME, below, object_of
from roar_proxy_s3.transfer.failures import explaining


class S3Transfer:
    """Moves files to and from buckets, with the user's own credentials and settings for AWS."""

    schemes = (SCHEME,)

    def __init__(self) -> None:
        self._connected: Any = None
        self._lock = threading.Lock()

    def list(self, url: str) -> Iterator[RemoteObject]:
        from roar_proxy_s3.transfer.listing import listed

        return listed(self._client(url), url)

    def read(self, source: RemoteObject, start: int, length: int | None) -> Iterator[bytes]:
        from roar_proxy_s3.transfer.reading import pieces

        return pieces(self._client(source.url), source, start, length)

    def below(self, url: str, name: str) -> str:
        return below(url, name)

    def put(self, upload: Upload) -> RemoteObject:
        from roar_proxy_s3.transfer.file_parts import PART_SIZE
        from roar_proxy_s3.transfer.multipart import put_in_parts
        from roar_proxy_s3.transfer.simple import put_whole

        address = object_of(upload.url)
        client = self._client(upload.url)
        try:
            descriptor = os.open(upload.source, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise RoarError(f"cannot read {upload.source}: {error.strerror}") from error
        try:
            put = put_whole if upload.size <= PART_SIZE else put_in_parts
            return put(client, upload, address, descriptor)
        except OSError as error:
            raise RoarError(f"cannot read {upload.source}: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let go of the connections that are kept open between requests; others are made anew."""
        with self._lock:
            if self._connected is not None:
                self._connected.close()

    def _client(self, url: str) -> Any:
        """The client, made when the first URL needs it."""
        with self._lock:
            if self._connected is None:
                from roar_proxy_s3.transfer.client import connect

                with explaining("reach", url):
                    try:
                        self._connected = connect()
                    except ValueError as error:  # how botocore refuses an endpoint or a setting
                        raise RoarError(f"the settings for AWS cannot be used: {error}") from error
            return self._connected
