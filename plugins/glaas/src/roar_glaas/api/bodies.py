"""The bodies of requests, read strictly: no value is taken for one of another type."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.types import Empty

from roar_glaas.errors import BadRequest
from roar_glaas.strict_json import parse

THE_BODY = "the body"
# More than this takes so long to read that all other requests would notice.
_MOST_AT_ONCE = 64 * 1024


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON has one meaning and fits its handler; raises BadRequest otherwise."""

    async def json(self) -> Any:
        """The body as JSON, None when there is none."""
        if self._json is Empty:
            body = await self.body()
            if len(body) > _MOST_AT_ONCE:
                self._json = await sync_to_thread(self._read, body)
            else:
                self._json = self._read(body) if body else None
        return self._json

    def _read(self, body: bytes) -> Any:
        return self._fitting(parse(body, THE_BODY))

    def _fitting(self, value: Any) -> Any:
        """`value` as it is. The framework itself would take "1" for a number."""
        wanted = getattr(self.route_handler, "parsed_data_field", None)
        if wanted is not None:
            try:
                msgspec.convert(value, wanted.annotation, strict=True)
            except msgspec.ValidationError as error:
                what, _, path = str(error).partition(" - at `$")
                field = path.rstrip("`").lstrip(".") or THE_BODY
                raise BadRequest(f"{field}: {what}") from error
        return value
