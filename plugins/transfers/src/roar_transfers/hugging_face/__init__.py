"""The transfer of `hf://` URLs: the Hugging Face Hub, by its own library.

addresses  URLs and what they name
failures   the library's exceptions as sentences
files      files as the hub describes them, listed and read at one commit
committing one file, in one commit
"""

from __future__ import annotations

from roar_core.hookspecs import PluginConfig, Transfer, hookimpl
from roar_transfers.hugging_face.transfer import HuggingFaceTransfer


@hookimpl
def roar_transfers(config: PluginConfig) -> list[Transfer]:
    return [HuggingFaceTransfer()]
