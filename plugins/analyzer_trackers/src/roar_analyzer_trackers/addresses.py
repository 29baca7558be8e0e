"""Servers' addresses, and what of them may be written down.

A setting may hold `https://user:password@host/path?token=…`; none of that is for a record that is
shown and shared.
"""

from __future__ import annotations

from roar_analyzer_trackers.files import text


def address(url: str | None) -> str | None:
    """Scheme, host, port and path of an http address, without `/` at its end; None for others."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit((text(url) or "").strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    host = f"[{host}]" if ":" in host else host
    where = host if port is None else f"{host}:{port}"
    return f"{parts.scheme}://{where}{parts.path.rstrip('/')}"


def joined(host: str | None, *names: str | None) -> str | None:
    """The address below `host` with these names as its path; None unless all are known."""
    from urllib.parse import quote

    if not host or not all(names):
        return None
    return "/".join([host, *(quote(name or "", safe="=+&$@*") for name in names)])
