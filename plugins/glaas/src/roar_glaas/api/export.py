"""Everything that one may read, streamed: no lock-in."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator

from litestar import Router, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.response import Stream

from roar_glaas.access.caller import Caller
from roar_glaas.api.parameters import known_parameters
from roar_glaas.errors import Unavailable
from roar_glaas.exchange.exporting import export
from roar_glaas.storage.database import Database

_LINES = "application/x-ndjson"
_AT_ONCE_BYTES = 1 << 16
# Each holds a connection of the database for as long as its client takes to read.
_exports = threading.BoundedSemaphore(4)


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
    if not _exports.acquire(blocking=False):
        raise Unavailable("others export everything just now; try again when they are done")
    lines = _lines(database, caller)
    # However it ends: read to its end, given up by its client, or never begun.
    weakref.finalize(lines, _exports.release)
    return Stream(lines, media_type=_LINES)


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
