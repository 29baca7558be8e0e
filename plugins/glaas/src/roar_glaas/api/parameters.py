"""What questions take in their addresses, and the refusal of what they do not."""

from __future__ import annotations

from typing import Annotated, Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import Parameter

from roar_glaas import door
from roar_glaas.errors import BadRequest
from roar_glaas.graph.paging import MOST

Limit = Annotated[int, Parameter(ge=1, le=MOST, description="How many at once.")]
Cursor = Annotated[
    str | None, Parameter(description="`nextCursor` of the page before; it never expires.")
]
Algorithm = Annotated[
    str, Parameter(max_length=32, description="Of the digest: blake3, sha256, md5 …")
]
_MOST_CHARACTERS = 4_096


def known_parameters(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Refuse a question that says something which would be passed over. A guard of routes."""
    known = set(handler.parsed_fn_signature.parameters)
    for name in connection.query_params:
        if name not in known:
            raise BadRequest(f"{name[:80]!r} is no parameter of this; see /schema/openapi.json")


def plain(value: str | None, where: str) -> str | None:
    """A text that both databases can be asked for; raises BadRequest naming `where`."""
    if value is not None and len(value) > _MOST_CHARACTERS:
        raise BadRequest(f"{where} is longer than {_MOST_CHARACTERS} characters")
    return None if value is None else door.storable(value, where)
