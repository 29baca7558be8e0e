"""The names that this server answers to.

A page elsewhere can have its own name point at a server in here (DNS rebinding); the browser then
takes the server's answers for that page's. The name it asks for gives it away.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from roar_glaas.errors import GlaasError, Misdirected
from roar_glaas.settings import Settings

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


def listens_everywhere(host: str) -> bool:
    """Whether a server with this `host` is reached by every address of its machine."""
    return host in _EVERYWHERE


class Hosts:
    """The names and addresses of one server. Ports do not matter: names are what is rebound."""

    def __init__(self, settings: Settings) -> None:
        names = {settings.host.lower(), *(name.lower() for name in settings.allowed_hosts)}
        if settings.public_url:
            names.add(_name_in(settings.public_url))
        # Who listens everywhere is reached by every address of the machine; no page has one as
        # its own name without being this server.
        self._takes_addresses = listens_everywhere(settings.host)
        if settings.is_loopback or self._takes_addresses:
            names.update(_LOOPBACK)
        self._names = frozenset(names)

    def check(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Raises Misdirected for a request to another name, to two, or to none."""
        asked = [value for name, value in headers if name == b"host"]
        if len(asked) != 1:
            raise Misdirected("a request must have one Host header")
        host = _without_port(asked[0].decode("latin-1")).lower()
        if host.removesuffix(".") in self._names:
            return
        if self._takes_addresses and _is_address(host):
            return
        raise Misdirected(
            f"this registry does not answer to the name {host[:100]!r}; "
            "whoever runs it may add it to the setting allowed_hosts"
        )


def _name_in(public_url: str) -> str:
    try:
        parts = urlsplit(public_url)
        name = parts.hostname
    except ValueError:
        name = None
    if not name or parts.scheme not in ("http", "https"):
        raise GlaasError(f"public_url: {public_url!r} is no address; write https://NAME")
    return name


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
