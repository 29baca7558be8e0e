"""The promises of a storage proxy."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest
from blake3 import blake3
from s3_servers import S3Server

from roar_core.hookspecs import StorageProxy
from roar_core.model.fragment import ObservedObject
from roar_core.testing.storage_proxy import Exchange, StorageProxyContract
from roar_proxy_s3.runs.storage_proxy import S3Proxy

EXCHANGE = """
import sys
from botocore.session import get_session

s3 = get_session().create_client("s3")
bucket = sys.argv[1]
assert s3.get_object(Bucket=bucket, Key="in")["Body"].read() == b"input"
s3.put_object(Bucket=bucket, Key="out", Body=b"output")
"""


class TestS3Proxy(StorageProxyContract):
    @pytest.fixture
    def make_proxy(self) -> Callable[[], StorageProxy]:
        return lambda: S3Proxy(is_enabled=True)

    @pytest.fixture
    def environ(self, moto: S3Server, bucket_on_moto: str) -> Mapping[str, str]:
        with moto.client() as s3:
            s3.put_object(Bucket=bucket_on_moto, Key="in", Body=b"input")
        return {"PATH": os.defpath, **moto.variables}

    @pytest.fixture
    def exchange(self, bucket_on_moto: str) -> Exchange:
        def work(variables: Mapping[str, str]) -> list[ObservedObject]:
            command = [sys.executable, "-c", EXCHANGE, bucket_on_moto]
            subprocess.run(command, env=dict(variables), check=True)
            at = f"s3://{bucket_on_moto}"
            return [
                ObservedObject(f"{at}/in", "input", 5, {"blake3": _digest(b"input")}),
                ObservedObject(f"{at}/out", "output", 6, {"blake3": _digest(b"output")}),
            ]

        return work


def _digest(content: bytes) -> str:
    return blake3(content).hexdigest()
