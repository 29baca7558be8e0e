"""Real S3 servers on loopback: rclone, which checks every signature, and moto with its users on.

Neither is enough alone. rclone knows no versions, no conditions and no ETags of parts; moto looks
at no presigned signature. Both are programs of their own, started once per test process.
"""

from __future__ import annotations

import collections
import functools
import json
import os
import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

KEY, SECRET = "AKIDNOTREALATALL", "not-a-real-secret-of-anyone"
REGION = "us-east-1"


@attrs.frozen
class S3Server:
    """A server that is running, and what must be in the environment to be let in.

    `folder` holds its buckets' objects as files, None where they are in its memory.
    """

    url: str
    variables: Mapping[str, str]
    folder: Path | None = None

    @contextmanager
    def client(self, service: str = "s3") -> Iterator[Any]:
        """A client of its owner's, to prepare and to look; not the one under test."""
        key, secret = self.variables["AWS_ACCESS_KEY_ID"], self.variables["AWS_SECRET_ACCESS_KEY"]
        client = _client(service, self.url, key, secret)
        yield client
        client.close()  # its connections; it takes longer to make than to use


@functools.cache
def _client(service: str, url: str, key: str, secret: str) -> Any:
    from botocore.config import Config
    from botocore.session import get_session

    return get_session().create_client(
        service,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def variables_for(url: str, key: str, secret: str) -> dict[str, str]:
    """The environment of somebody with this key, and with no other settings for AWS."""
    return {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def rclone(folder: Path, *more: object, keeps_digests: bool = False) -> Iterator[S3Server]:
    """rclone's server of a folder: each folder in it is a bucket. `more` are arguments to it.

    `keeps_digests`: an object's ETag is made while it is written and kept, as most stores do; else
    rclone reads all of an object when it is first asked for it.
    """
    buckets = folder / "buckets"
    buckets.mkdir()
    served = f":hasher,remote={buckets},hashes=md5,max_age=off:" if keeps_digests else buckets
    command = (
        *(Path(sys.executable).parent / "rclone", "serve", "s3", "--config", os.devnull),
        *("--cache-dir", folder / "cache", "--auth-key", f"{KEY},{SECRET}"),
        *("--addr", "127.0.0.1:0", *more, served),
    )
    with _running(command, folder, r"Starting s3 server on \[(https?://[\d.:]+)/\]") as url:
        yield S3Server(url, variables_for(url, KEY, SECRET), buckets)


@contextmanager
def moto(folder: Path) -> Iterator[S3Server]:
    """moto's server, which lets in nobody but the user that is made here."""
    command = (Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", "0")
    # Three requests are taken from anybody, in which the first user is made.
    environ = {"INITIAL_NO_AUTH_ACTION_COUNT": "3"}
    with _running(command, folder, r"Running on (http://[\d.:]+)", environ) as url:
        yield new_user(S3Server(url, variables_for(url, "anybody", "anything")), ["s3:*", "iam:*"])


def new_user(server: S3Server, may: list[str]) -> S3Server:
    """The server as a new user of moto's sees it, who may do what is named, everywhere."""
    name = f"user-{uuid.uuid4().hex[:8]}"
    statement = [{"Effect": "Allow", "Action": may, "Resource": "*"}]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    with server.client("iam") as iam:
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=policy)
    variables = variables_for(server.url, key["AccessKeyId"], key["SecretAccessKey"])
    return S3Server(server.url, variables)


def assumed_role(server: S3Server) -> dict[str, str]:
    """Keys of a role of moto's that may do all on S3, as they are lent to programs."""
    name = f"role-{uuid.uuid4().hex[:8]}"
    may: dict[str, Any] = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    trusts = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
    with server.client("iam") as iam:
        role = iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trusts]}),
        )["Role"]
        policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy)
    with new_user(server, ["sts:AssumeRole"]).client("sts") as sts:
        lent = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="tests")["Credentials"]
    return {
        "AccessKeyId": lent["AccessKeyId"],
        "SecretAccessKey": lent["SecretAccessKey"],
        "Token": lent["SessionToken"],
        "Expiration": lent["Expiration"].isoformat(),
    }


def new_bucket(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket of a name that no test had before."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    with server.client() as client:
        client.create_bucket(Bucket=name)
    return name


@contextmanager
def _running(
    command: tuple[object, ...], folder: Path, said: str, environ: Mapping[str, str] | None = None
) -> Iterator[str]:
    """A server, once it has said where it listens, until the block ends."""
    server = subprocess.Popen(
        tuple(map(str, command)),
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", **(environ or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    with server.stderr as stderr:
        try:
            heard = ""
            while not (found := re.search(said, heard)):
                line = stderr.readline()
                assert line, f"{command[0]} ended: {heard}"
                heard += line
            # A pipe that nobody reads would stop the server when it is full.
            drain = threading.Thread(target=lambda: collections.deque(stderr, maxlen=0))
            drain.start()
            yield found[1]
        finally:
            server.terminate()
            server.wait(timeout=60)
        drain.join(timeout=60)
