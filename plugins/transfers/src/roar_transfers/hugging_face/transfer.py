"""The transfer of hf:// URLs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from roar_core.hookspecs import RemoteObject, Upload
from roar_transfers.extras import extra
from roar_transfers.hugging_face.addresses import SCHEME, below, file_of


class HuggingFaceTransfer:
    """Moves files to and from repositories of the Hub, with the token that its own tools find."""

    schemes = (SCHEME,)

    def __init__(self) -> None:
        self._connected: Any = None
        self._lock = threading.Lock()
        self._committing = threading.Lock()

    def list(self, url: str) -> Iterator[RemoteObject]:
        api = self._api()
        from roar_transfers.hugging_face.files import listed

        return listed(api, url)

    def read(self, source: RemoteObject, start: int, length: int | None) -> Iterator[bytes]:
        api = self._api()
        from roar_transfers.hugging_face.files import pieces

        return pieces(api, source, start, length)

    def below(self, url: str, name: str) -> str:
        return below(url, name)

    def put(self, upload: Upload) -> RemoteObject:
        address = file_of(upload.url)
        api = self._api()
        from roar_transfers.hugging_face.committing import put

        return put(api, upload, address, self._committing)

    def _api(self) -> Any:
        """The library's own, made when the first URL needs it."""
        with self._lock:
            if self._connected is None:
                with extra(SCHEME, "huggingface_hub"):
                    import huggingface_hub
                library: Any = huggingface_hub.utils
                # Progress is shown by roar, and what goes wrong is said by an error.
                library.disable_progress_bars()
                library.logging.set_verbosity_error()
                self._connected = huggingface_hub.HfApi(library_name="roar")
            return self._connected
