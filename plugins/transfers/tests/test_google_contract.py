"""The promises of a transfer, kept by the one of Google Cloud Storage."""

from __future__ import annotations

import pytest

from roar_core.hookspecs import Transfer
from roar_core.testing.transfer import TransferContract
from roar_transfers.google_storage.transfer import GoogleStorageTransfer


class TestGoogleStorage(TransferContract):
    @pytest.fixture
    def transfer(self, transfer: GoogleStorageTransfer) -> Transfer:
        return transfer

    @pytest.fixture
    def place(self, bucket: str) -> str:
        return f"gs://{bucket}"
