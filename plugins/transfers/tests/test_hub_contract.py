"""The promises of a transfer, kept by the one of the Hugging Face Hub."""

from __future__ import annotations

import pytest

from roar_core.hookspecs import Transfer
from roar_core.testing.transfer import TransferContract
from roar_transfers.hugging_face.transfer import HuggingFaceTransfer


# The library warns of itself.
@pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload:DeprecationWarning")
class TestHuggingFace(TransferContract):
    @pytest.fixture
    def transfer(self) -> Transfer:
        return HuggingFaceTransfer()

    @pytest.fixture
    def place(self, repository: str) -> str:
        return f"{repository}/some/folder"
