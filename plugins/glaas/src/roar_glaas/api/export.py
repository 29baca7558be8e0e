"""Everything that one may read, streamed: no lock-in."""

from __future__ import annotations

from collections.abc import Iterator

from litestar import Router, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.response import Stream

from roar_glaas.access.caller import Caller
from roar_glaas.api.parameters import known_parameters
from roar_glaas.exchange.exporting import export
from roar_glaas.storage.database import Database

_LINES = "application/x-ndjson"
_AT_ONCE_BYTES = 1 << 16


@get(
    "/",
    sync_to_thread=False,
    responses={
        200: ResponseSpec(
            str,
            description="One JSON object a line, in the format of `glaas export`, version 1: a "
            "`header`, rows as `{kind, row}` and the records of the log, and an `end` that tells "
            "the number of lines between. Without its end an export is not whole.",
            media_type=_LINES,
            generate_examples=False,
        )
    },
)
def everything(database: Database, caller: Caller) -> Stream:
    """All sessions that the caller may see, with their jobs, artifacts, datasets and labels."""
    return Stream(_lines(database, caller), media_type=_LINES)


def _lines(database: Database, caller: Caller) -> Iterator[bytes]:
    """The lines, some thousand bytes at a time; all of one state of the registry."""
    with database.read() as connection:
        waiting = bytearray()
        for line in export(connection, caller):
            waiting += line
            if len(waiting) >= _AT_ONCE_BYTES:
                yield bytes(waiting)
                waiting.clear()
        yield bytes(waiting)


export_routes = Router(
    path="/api/v1/export", guards=[known_parameters], tags=["graph"], route_handlers=[everything]
)
