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

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict

from roar_proxy_s3.proxy import store as store_module
from roar_proxy_s3.proxy.admission import Admitted
from roar_proxy_s3.proxy.hosts import bucket_in
from roar_proxy_s3.proxy.settings import Credential, Settings
from roar_proxy_s3.proxy.signatures import EMPTY_SHA256, Scope, Target
from roar_proxy_s3.proxy.store import Store


class Loopback(AbstractResolver):
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass


Seen = list[tuple[str, str, str]]


def asked(addressing: str, sends: Callable[[Store, Seen], Awaitable[None]], moved: bool) -> Seen:
    """What a store of two regions sees: method, host and target. The bucket is in the other."""
    seen: Seen = []

    async def answer(request: web.BaseRequest) -> web.Response:
        host = request.host.partition(":")[0]
        seen.append((request.method, host, request.raw_path))
        scope = re.search(r"Credential=[^/]+/\d+/([^/]+)/", request.headers["Authorization"])
        assert scope is not None
        assert scope[1] in host
        named = {"x-amz-bucket-region": "eu-west-1"}
        if "eu-west-1" in host:
            return web.Response(text="here")
        # A store may also tell of the region only when a request is refused.
        return web.Response(status=301, headers=named if moved or request.method != "HEAD" else {})

    async def all_of_it() -> None:
        runner = web.ServerRunner(web.Server(answer))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        settings = Settings(
            folder=Path("/nowhere"),
            endpoint=f"http://s3.{{region}}.store.example:{port}",
            region="us-east-1",
            credentials={},
            secret="not-a-real-one",
            addressing=addressing,  # type: ignore[arg-type]
        )
        found = Store(settings)
        await sends(found, seen)
        await found.close()
        await runner.cleanup()

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


async def twice(store: Store, seen: Seen) -> None:
    for _ in range(2):
        answer = await store.send_signed("GET", "bkt", False, GOOD, CIMultiDict(), None)
        assert await answer.text() == "here"


@pytest.fixture(autouse=True)
def _all_hosts_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    connector = aiohttp.TCPConnector

    def with_hosts(**settings: Any) -> aiohttp.TCPConnector:
        return connector(resolver=Loopback(), **settings)

    monkeypatch.setattr(store_module.aiohttp, "TCPConnector", with_hosts)


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
