"""The transfers of the core, offered by the same door as everybody's."""

from __future__ import annotations

from roar_core.hookspecs import PluginConfig, Transfer, hookimpl
from roar_core.transfer.file import FileTransfer
from roar_core.transfer.https import HttpsTransfer


@hookimpl
def roar_transfers(config: PluginConfig) -> list[Transfer]:
    """Files, and what web servers give."""
    return [FileTransfer(), HttpsTransfer()]
