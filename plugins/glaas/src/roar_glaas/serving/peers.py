"""Who is at the other end of a connection, when there may be proxies between."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import attrs
from litestar import Request

from roar_glaas.errors import GlaasError

FORWARDING = (b"x-forwarded-for", b"x-forwarded-proto", b"forwarded", b"via")


@attrs.frozen
class Networks:
    """Addresses and networks, as a setting lists them."""

    members: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def parse(cls, texts: Iterable[str], setting: str) -> Networks:
        """Raises GlaasError naming the setting and the text that is no network."""
        found = []
        for text in texts:
            try:
                found.append(ip_network(text, strict=False))
            except ValueError as error:
                raise GlaasError(
                    f"{setting}: {text!r} is no address or network; write 10.0.0.7 or 10.0.0.0/24"
                ) from error
        return cls(tuple(found))

    def __contains__(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.members)


@attrs.frozen
class Peer:
    """The client of one request. `is_relayed`: by somebody who is not trusted to say for whom."""

    address: str
    scheme: str
    is_relayed: bool


def peer_of(scope: dict[str, Any], trusted: Networks) -> Peer:
    """The client of a request: whoever connected, or whom a trusted proxy names.

    Of several hops the last that is not trusted itself counts: what stands left of it in
    X-Forwarded-For is what that client says.
    """
    address = plain(scope["client"][0]) if scope.get("client") else ""
    told = [(name, value) for name, value in scope["headers"] if name in FORWARDING]
    if address not in trusted:
        return Peer(address, scope["scheme"], bool(told))
    scheme = scope["scheme"]
    hops: list[str] = []
    for name, value in told:
        text = value.decode("latin-1").strip()
        if name == b"x-forwarded-for":
            hops += text.split(",")
        elif name == b"x-forwarded-proto" and text.lower() in ("http", "https"):
            scheme = text.lower()
    for hop in reversed(hops):
        found = plain(hop)
        if not found:
            break  # no address: whoever wrote it is the last that is known
        address = found
        if found not in trusted:
            break
    return Peer(address, scheme, False)


def plain(text: str) -> str:
    """An address as it is compared: without brackets, port, zone or IPv4 in IPv6; "" for none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return str(parsed)


def address_of(request: Request[Any, Any, Any]) -> str:
    """The address that a request comes from, as Gate found it; "" for none."""
    return request.client.host if request.client else ""
