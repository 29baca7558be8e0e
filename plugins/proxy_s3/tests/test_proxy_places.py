"""Where requests go: regions that are asked for, buckets named before the host.

The store here has a host for each region and each bucket, so it is one of the tests' own, in their
process, and asked through a resolver that knows them all.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from roar_proxy_s3.proxy.admission import Admitted
from roar_proxy_s3.proxy.hosts import bucket_in
from roar_proxy_s3.proxy.settings import Credential, Settings
from roar_proxy_s3.proxy.signatures import EMPTY_SHA256, Scope, Target
from roar_proxy_s3.proxy.store import Store, ToSign
from roar_proxy_s3.proxy.wire.fields import Answer, Fields
from roar_proxy_s3.proxy.wire.inbound import Inbound
from roar_proxy_s3.proxy.wire.outbound import Pausable
from roar_proxy_s3.proxy.wire.request import Request

Seen = list[tuple[str, str, str]]


class Told:
    """An answer, kept."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.body = b""

    def fed_by(self, source: Pausable | None) -> None:
        """So little need not be paused."""

    def head(self, answer: Answer) -> None:
        self.statuses.append(answer.status)

    def data(self, piece: bytes) -> None:
        self.body += piece


def asked(addressing: str, sends: Callable[[Store], Awaitable[None]], moved: bool) -> Seen:
    """What a store of two regions sees: method, host and target. The bucket is in the other."""
    seen: Seen = []

    async def answer(request: Request) -> None:
        host = request.fields.get("Host").partition(":")[0]
        seen.append((request.method, host, request.target))
        scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/", request.fields.get("Authorization"))
        assert scope is not None
        assert scope[1] in host
        if "eu-west-1" in host:
            request.answer(200, "OK", [("Content-Length", "4")], b"here")
        else:
            # A store may also tell of the region only when a request is refused.
            is_told = moved or request.method != "HEAD"
            named = [("x-amz-bucket-region", "eu-west-1")] if is_told else []
            request.answer(301, "Moved", [*named, ("Content-Length", "0")], None)
        request.end()

    async def all_of_it() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Inbound(answer), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = Settings(
            folder=Path("/nowhere"),
            endpoint=f"http://s3.{{region}}.store.example:{port}",
            region="us-east-1",
            credentials={},
            secret="not-a-real-one",
            addressing=addressing,  # type: ignore[arg-type]
        )
        found = Store(settings)
        await sends(found)
        found.close()
        server.close()

    asyncio.run(all_of_it())
    return seen


GOOD = Admitted(
    Credential("AKIDNOTREAL", "not-a-real-one"),
    None,
    Scope("20240101", "us-east-1", "s3"),
    Target("/bkt/a%20b//c", "versionId=1"),
    Target("/bkt/a%20b//c", "versionId=1"),
    EMPTY_SHA256,
    "",
    "",
)


async def twice(store: Store) -> None:
    for _ in range(2):
        told = Told()
        await store.send_signed(ToSign("GET", "bkt", False, GOOD, Fields(), None), told)
        assert (told.statuses, told.body) == ([200], b"here")


@pytest.fixture(autouse=True)
def _all_hosts_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    find = socket.getaddrinfo

    def found(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        return find("127.0.0.1", port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", found)


def test_a_buckets_region_is_asked_for_once() -> None:
    target = "/bkt/a%20b//c?versionId=1"
    assert asked("path", twice, moved=True) == [
        ("HEAD", "s3.us-east-1.store.example", "/bkt"),
        ("GET", "s3.eu-west-1.store.example", target),
        ("GET", "s3.eu-west-1.store.example", target),
    ]


def test_a_region_that_a_refusal_tells_is_learnt() -> None:
    target = "/bkt/a%20b//c?versionId=1"
    assert asked("path", twice, moved=False) == [
        ("HEAD", "s3.us-east-1.store.example", "/bkt"),
        ("GET", "s3.us-east-1.store.example", target),
        ("GET", "s3.eu-west-1.store.example", target),
        ("GET", "s3.eu-west-1.store.example", target),
    ]


def test_a_bucket_before_the_hosts_name() -> None:
    assert (
        asked("virtual", twice, moved=True)[1:]
        == [("GET", "bkt.s3.eu-west-1.store.example", "/a%20b//c?versionId=1")] * 2
    )


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("bkt.s3.amazonaws.com", "bkt"),
        ("a.b.s3.eu-west-1.amazonaws.com", "a.b"),
        ("bkt.s3-us-west-2.amazonaws.com", "bkt"),
        ("bkt.s3.dualstack.us-east-1.amazonaws.com", "bkt"),
        ("bkt.s3-accelerate.amazonaws.com", "bkt"),
        ("s3.eu-west-1.amazonaws.com", None),
        ("s3.cn-north-1.amazonaws.com.cn", None),
        ("store.example:9000", None),
        ("bkt.store.example:9000", "bkt"),
        ("other.example", None),
    ],
)
def test_which_bucket_a_host_names(host: str, bucket: str | None) -> None:
    assert bucket_in(host, "http://store.example:9000") == bucket
