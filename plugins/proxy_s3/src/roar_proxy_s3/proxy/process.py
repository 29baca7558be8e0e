"""The life of the proxy's process: it listens for as long as its run lasts."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket

from roar_proxy_s3.proxy.contents import Contents
from roar_proxy_s3.proxy.facts import Facts
from roar_proxy_s3.proxy.relay import Relay
from roar_proxy_s3.proxy.settings import Settings
from roar_proxy_s3.proxy.store import Store
from roar_proxy_s3.proxy.telling import Teller
from roar_proxy_s3.proxy.wire.inbound import Inbound

READY, OBJECTS = "ready.json", "objects.jsonl"
_LOOK_S = 0.5
_DRAIN_LOOK_S = 0.01
_BACKLOG = 1024


async def serve(settings: Settings) -> None:
    """Listen until SIGTERM, or until the run's folder is gone; then end what is under way."""
    facts = Facts(settings.folder / OBJECTS)
    store = Store(settings)
    relay = Relay(settings, store, Teller(facts, Contents(settings.folder)))
    listening = _listening(settings)
    relay.port = listening.getsockname()[1]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Inbound(relay), sock=listening, backlog=_BACKLOG)
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    if settings.listening is None:
        _say_ready(settings, relay.port)
    while not over.is_set() and settings.folder.is_dir():
        try:
            await asyncio.wait_for(over.wait(), _LOOK_S)
        except TimeoutError:
            continue
    server.close()
    end = loop.time() + settings.grace_s
    while relay.under_way and loop.time() < end and settings.folder.is_dir():
        await asyncio.sleep(_DRAIN_LOOK_S)
    store.close()
    facts.close()


def _listening(settings: Settings) -> socket.socket:
    if settings.listening is not None:
        return socket.socket(fileno=settings.listening)
    return socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)


def _say_ready(settings: Settings, port: int) -> None:
    """Write where it listens, so that who reads it reads all of it."""
    ready = settings.folder / READY
    new = ready.with_name(READY + ".new")
    new.write_text(json.dumps({"port": port, "pid": os.getpid()}))
    new.replace(ready)
