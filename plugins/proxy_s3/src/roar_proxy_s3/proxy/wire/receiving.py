"""How much of what has come is taken at once."""

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
