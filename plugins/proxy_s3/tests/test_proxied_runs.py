"""What a program moves by way of the proxy is in the record of its run, by its content."""

from __future__ import annotations

from typing import Any

import pytest
from blake3 import blake3
from s3_servers import S3Server

from roar_core.testing.projects import ProjectUnderTest

CONTENT = b"of an object" * 500
KEY = "year=2024/a b+c é.bin"
COPIES = """
import sys
from botocore.config import Config
from botocore.session import get_session

only = "when_required"
checks = Config(request_checksum_calculation=only, response_checksum_validation=only)
s3 = get_session().create_client("s3", config=checks)
bucket, key = sys.argv[1:]
content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
s3.head_object(Bucket=bucket, Key=key)
s3.put_object(Bucket=bucket, Key="made/" + key, Body=content.upper())
open("local.bin", "wb").write(content)
"""


@pytest.fixture
def enabled(project: ProjectUnderTest, server: S3Server, bucket: str) -> ProjectUnderTest:
    """A project with the proxy enabled, whose commands reach the server."""
    project.environ |= server.variables
    project.write("roar.toml", "[s3]\nproxy = true\n")
    with server.client() as s3:
        s3.put_object(Bucket=bucket, Key=KEY, Body=CONTENT)
    return project


def objects(job: Any, side: str) -> dict[str, Any]:
    return {edge["path"]: edge for edge in job[side] if edge["kind"] == "object"}


def test_objects_are_inputs_and_outputs_by_their_content(
    enabled: ProjectUnderTest, bucket: str
) -> None:
    enabled.write("script.py", COPIES)
    result = enabled.run("python", "script.py", bucket, KEY)
    assert result.exit_code == 0, result.stderr
    assert result.job is not None
    assert result.job["coverage"]["state"] == "complete"
    [(url, read)] = objects(result.job, "inputs").items()
    assert url == f"s3://{bucket}/{KEY}"
    assert read["hash"] == f"blake3:{blake3(CONTENT).hexdigest()}"
    assert read["size"] == len(CONTENT)
    [(url, written)] = objects(result.job, "outputs").items()
    assert url == f"s3://{bucket}/made/{KEY}"
    assert written["hash"] == f"blake3:{blake3(CONTENT.upper()).hexdigest()}"
    [local] = [edge for edge in result.job["outputs"] if edge["relative"] == "local.bin"]
    assert local["hash"] == read["hash"]
    assert not list((enabled.root / ".roar" / "runs").glob("*"))
