"""The transfer of `gs://bucket/key`: Google Cloud Storage, by Google's own library.

addresses  URLs and what they name
failures   the library's exceptions as sentences
objects    objects as the store describes them, listed and read
uploading  one file, by a session that goes on after an interruption
"""

from __future__ import annotations

from roar_core.hookspecs import PluginConfig, Transfer, hookimpl
from roar_transfers.google_storage.transfer import GoogleStorageTransfer


@hookimpl
def roar_transfers(config: PluginConfig) -> list[Transfer]:
    return [GoogleStorageTransfer()]
