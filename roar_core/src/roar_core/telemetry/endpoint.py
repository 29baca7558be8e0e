"""Where events are sent, and which addresses are safe to send to."""

from __future__ import annotations

DEFAULT_REGISTRY = "https://api.glaas.ai"
DEFAULT_ENDPOINT = f"{DEFAULT_REGISTRY}/api/v1/telemetry/roar"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def endpoint_problem(endpoint: str) -> str | None:
    """Why nothing is sent to this address, None when it may be: https, or this very machine."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "it is no URL"
    if not host:
        return "it names no host"
    if parts.username is not None or parts.password is not None:
        return "it holds a login"
    if parts.fragment or not endpoint.isprintable() or " " in endpoint:
        return "it holds a space or a fragment"
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)
    return None if is_safe else "it must start with https://"
