"""The life of the proxy's process: it listens for as long as its run lasts."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket

from aiohttp import web

from roar_proxy_s3.proxy.contents import Contents
from roar_proxy_s3.proxy.facts import Facts
from roar_proxy_s3.proxy.relay import Relay
from roar_proxy_s3.proxy.settings import Settings
from roar_proxy_s3.proxy.store import Store
from roar_proxy_s3.proxy.telling import Teller

READY, OBJECTS = "ready.json", "objects.jsonl"
_LOOK_S = 0.5
_DRAIN_LOOK_S = 0.01
# Clients keep connections for as long as they like.
_IDLE_S = 3600.0
_BACKLOG = 1024


async def serve(settings: Settings) -> None:
    """Listen until SIGTERM, or until the run's folder is gone; then end what is under way."""
    facts = Facts(settings.folder / OBJECTS)
    store = Store(settings)
    relay = Relay(settings, store, Teller(facts, Contents(settings.folder)))
    listening = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
    relay.port = listening.getsockname()[1]
    server = web.Server(
        relay,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=_IDLE_S,
        max_line_size=65536,
        max_field_size=65536,
        read_bufsize=1 << 17,
    )
    runner = web.ServerRunner(server, shutdown_timeout=0)
    await runner.setup()
    site = web.SockSite(runner, listening)
    await site.start()
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    _say_ready(settings, relay.port)
    while not over.is_set() and settings.folder.is_dir():
        try:
            await asyncio.wait_for(over.wait(), _LOOK_S)
        except TimeoutError:
            continue
    await site.stop()
    end = loop.time() + settings.grace_s
    while relay.under_way and loop.time() < end and settings.folder.is_dir():
        await asyncio.sleep(_DRAIN_LOOK_S)
    await runner.cleanup()
    await store.close()
    facts.close()


def _say_ready(settings: Settings, port: int) -> None:
    """Write where it listens, so that who reads it reads all of it."""
    ready = settings.folder / READY
    new = ready.with_name(READY + ".new")
    new.write_text(json.dumps({"port": port, "pid": os.getpid()}))
    new.replace(ready)
