"""The proxy as a run starts it: a process of its own before a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from botocore.config import Config
from botocore.session import get_session
from s3_servers import REGION, S3Server

SECRET = "not-a-real-secret-of-a-run"


@attrs.define
class Proxy:
    """A proxy that listens, and the facts that it has told."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int
    server: S3Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def facts(self) -> list[dict[str, Any]]:
        lines = (self.folder / "objects.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def told(self, key: str, count: int = 1) -> list[dict[str, Any]]:
        """The facts of a key, once there are so many: a fact follows the last byte."""
        while len(found := [fact for fact in self.facts() if fact["key"] == key]) < count:
            assert self.process.poll() is None
            time.sleep(0.002)
        return found

    def client(self, **settings: Any) -> Any:
        return client(self.url, self.server, **settings)


def client(url: str, server: S3Server, key: str = "", secret: str = "", **settings: Any) -> Any:
    """boto's client of whoever listens at the URL, with the server's own key."""
    style = {"addressing_style": "path", **settings.pop("s3", {})}
    checks = "when_required"
    config: dict[str, Any] = {
        "request_checksum_calculation": checks,
        "response_checksum_validation": checks,
        "retries": {"total_max_attempts": 1},
        **settings,
    }
    return get_session().create_client(
        "s3",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=key or server.variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret or server.variables["AWS_SECRET_ACCESS_KEY"],
        config=Config(s3=style, **config),
    )


@contextmanager
def started(folder: Path, server: S3Server, **settings: Any) -> Iterator[Proxy]:
    """A proxy before a server, until the block ends."""
    told = {
        "folder": str(folder),
        "endpoint": server.url,
        "region": REGION,
        "secret": SECRET,
        "credentials": [
            {
                "key": server.variables["AWS_ACCESS_KEY_ID"],
                "secret": server.variables["AWS_SECRET_ACCESS_KEY"],
                "token": None,
            }
        ],
        **settings,
    }
    file = folder / "proxy.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(told))
    process = subprocess.Popen(
        [sys.executable, "-m", "roar_proxy_s3.proxy", str(file)],
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
    )
    try:
        while not (folder / "ready.json").exists():
            assert process.poll() is None, "the proxy did not start"
            time.sleep(0.005)
        port = json.loads((folder / "ready.json").read_text())["port"]
        yield Proxy(process, folder, port, server)
    finally:
        process.terminate()
        process.wait(timeout=60)
