"""The promises of a transfer, on both servers."""

from __future__ import annotations

import pytest

from roar_core.hookspecs import Transfer
from roar_core.testing.transfer import TransferContract
from roar_proxy_s3.transfer.s3 import S3Transfer


class TestS3(TransferContract):
    memory_mib = 96  # ten parts of 8 MiB at once, and some

    @pytest.fixture
    def transfer(self, transfer: S3Transfer) -> Transfer:
        return transfer

    @pytest.fixture
    def place(self, bucket: str) -> str:
        return f"s3://{bucket}"
