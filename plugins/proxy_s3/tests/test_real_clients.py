"""Clients as they are installed, with odd keys, under `roar run`: what they moved is recorded.

The lists of docs/proxy.md. All but rclone need an environment of their own, which is made once, so
they run with ROAR_TEST_ALL_CLIENTS=1 (`make test-all`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from real_clients import CLIENTS, UNSEEN
from s3_servers import S3Server

from roar_core.testing.locked_environments import python_or_leave_out
from roar_core.testing.projects import ProjectUnderTest

HERE = Path(__file__).parent
KEYS = [
    "year=2024/part-0.csv",
    "a b+c:d.csv",
    "100%20 #1.csv",
    "ä/日本/é.csv",
    "tilde~(paren)'!@&,;$.csv",
]
# What clients make of a key is theirs: seen to be so without roar, too.
LEFT_OUT: dict[str, set[str]] = {}


@pytest.fixture(params=[name for name in CLIENTS if name != UNSEEN])
def client(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def python(client: str) -> str:
    """The interpreter that has the client."""
    if not CLIENTS[client]:
        return sys.executable
    return python_or_leave_out(HERE / "locks" / f"{CLIENTS[client]}.txt")


BY_COMMON_RUNTIME = """
import boto3, sys
from boto3.s3.transfer import TransferConfig

by_runtime = TransferConfig(preferred_transfer_client="crt")
try:
    boto3.client("s3").upload_file("script.py", sys.argv[1], "key", Config=by_runtime)
except Exception as error:
    sys.exit(type(error).__name__)
"""


def content_of(key: str) -> bytes:
    return f"name,number\n{key.replace(',', '')},1\n".encode()


def test_what_a_client_moves_is_recorded(
    project: ProjectUnderTest, moto: S3Server, bucket_on_moto: str, client: str, python: str
) -> None:
    keys = [key for key in KEYS if key not in LEFT_OUT.get(client, ())]
    project.environ |= {**moto.variables, "AWS_ALLOW_HTTP": "true"}
    project.write("roar.toml", "[s3]\nproxy = true\n")
    with moto.client() as s3:
        for key in keys:
            s3.put_object(Bucket=bucket_on_moto, Key=f"in/{key}", Body=content_of(key))
    program = str(HERE / "client_programs.py")
    result = project.run(python, program, client, bucket_on_moto, json.dumps(keys))
    assert result.exit_code == 0, result.stderr
    with moto.client() as s3:
        for key in keys:
            found = s3.get_object(Bucket=bucket_on_moto, Key=f"out/{key}")["Body"].read()
            assert found == content_of(key)
    job: Any = result.job
    for side, folder in (("inputs", "in"), ("outputs", "out")):
        told = {edge["path"]: edge["hash"] for edge in job[side] if edge["kind"] == "object"}
        assert told == {
            f"s3://{bucket_on_moto}/{folder}/{key}": f"blake3:{blake3(content_of(key)).hexdigest()}"
            for key in keys
        }
    assert job["coverage"]["reasons"] == []


@pytest.mark.parametrize("client", [UNSEEN])
def test_what_goes_by_the_common_runtime_is_said_to_be_missed(
    project: ProjectUnderTest, moto: S3Server, bucket_on_moto: str, python: str
) -> None:
    """It goes by TLS whatever endpoint is set, so that here it fails, as it does without roar."""
    project.environ |= moto.variables
    project.write("roar.toml", "[s3]\nproxy = true\n")
    project.write("script.py", BY_COMMON_RUNTIME)
    result = project.run(python, "script.py", bucket_on_moto)
    assert "AwsCrtError" in result.stderr
    assert result.job is not None
    [reason] = result.job["coverage"]["reasons"]
    assert "awscrt" in reason["detail"]
