"""The promises of a storage proxy."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from blake3 import blake3
from s3_servers import S3Server

from roar_core.hookspecs import RunContext, StorageProxy
from roar_core.model.fragment import ObservedObject
from roar_core.testing.storage_proxy import Exchange, StorageProxyContract
from roar_proxy_s3.runs.leading import variables
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


KEYS = {"AWS_ACCESS_KEY_ID": "AKIDX", "AWS_SECRET_ACCESS_KEY": "nobody's", "PATH": "/bin"}


@pytest.fixture
def run(tmp_path: Path) -> RunContext:
    """A run of which nothing is started."""
    return RunContext("ab" * 16, ("true",), tmp_path, tmp_path, tmp_path)


def test_who_has_not_enabled_it_is_left_alone(run: RunContext) -> None:
    proxy = S3Proxy(is_enabled=False)
    assert not proxy.start(run, KEYS)
    assert not list(proxy.objects(run))
    assert not proxy.stop(run)
    assert not list(run.folder.iterdir())


def test_a_proxy_for_http_in_the_way_is_told(run: RunContext) -> None:
    proxy = S3Proxy(is_enabled=True)
    assert not proxy.start(run, {**KEYS, "HTTP_PROXY": "http://127.0.0.1:9", "no_proxy": ".lan"})
    assert not list(proxy.objects(run))
    [reason] = proxy.stop(run)
    assert "export NO_PROXY=127.0.0.1" in reason.detail
    assert not list(S3Proxy(is_enabled=True).objects(run))


@pytest.mark.parametrize(
    ("theirs", "heeds"),
    [({}, True), ({"S3_ENDPOINT_URL": "http://other"}, False)],
)
def test_another_store_s_variable_is_left_alone(theirs: dict[str, str], heeds: bool) -> None:
    added = variables("http://127.0.0.1:1", theirs)
    assert added["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:1"
    assert ("S3_ENDPOINT_URL" in added) == heeds


def _digest(content: bytes) -> str:
    return blake3(content).hexdigest()
