"""The bodies of requests, read strictly: no value is taken for one of another type."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request
from litestar.types import Empty

from roar_glaas.errors import BadRequest
from roar_glaas.strict_json import parse

THE_BODY = "the body"


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON has one meaning and fits its handler; raises BadRequest otherwise."""

    async def json(self) -> Any:
        """The body as JSON, None when there is none."""
        if self._json is Empty:
            body = await self.body()
            self._json = self._fitting(parse(body, THE_BODY)) if body else None
        return self._json

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
