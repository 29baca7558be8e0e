"""The bodies of requests, read strictly."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.types import Empty

from roar_glaas.strict_json import parse


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON has one meaning; raises BadRequest otherwise."""

    async def json(self) -> Any:
        """The body as JSON, None when there is none."""
        if self._json is Empty:
            body = await self.body()
            self._json = parse(body, "the body") if body else None
        return self._json
