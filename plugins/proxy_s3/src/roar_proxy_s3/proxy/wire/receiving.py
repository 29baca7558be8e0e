"""What has come on a connection: how much of it is taken at once, and what is left of it."""

from __future__ import annotations

import asyncio

# Each piece costs some forty calls, whatever its length; this much still stays in a core's cache.
# Of a body that nobody has asked for yet, no more than this is taken.
AT_ONCE = 1 << 19


def opened(transport: asyncio.BaseTransport) -> asyncio.Transport:
    """A connection's transport, which from now on takes so much at once.

    asyncio asks for 256 KiB. What it asks for is an attribute of its own transports, which is not
    documented; others, as those of TLS, are left as they are.
    """
    assert isinstance(transport, asyncio.Transport)
    if hasattr(transport, "max_size"):
        transport.max_size = AT_ONCE
    return transport


def left_behind(transport: asyncio.Transport) -> bytes:
    """What had come before a connection broke off, and was not taken yet.

    asyncio reads no more once a write has failed, yet who closes while we write has perhaps said
    why. Of TLS, where only asyncio could read it, nothing.
    """
    if transport.get_extra_info("ssl_object") is not None:
        return b""
    try:
        with transport.get_extra_info("socket").dup() as own:
            taken: bytes = own.recv(AT_ONCE)
    except OSError:
        return b""
    return taken
