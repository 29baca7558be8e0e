"""Errors as S3 words them: XML with a code that clients know and a message for people."""

from __future__ import annotations

from xml.sax.saxutils import escape

from aiohttp import web


class Refusal(Exception):
    """The proxy's own answer to a request. Its message says what to do."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def response(self) -> web.Response:
        """The answer. The connection ends with it when a body was not read."""
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message>"
            "<RequestId>roar</RequestId></Error>"
        )
        return web.Response(status=self.status, text=text, content_type="application/xml")


def denied(message: str) -> Refusal:
    return Refusal(403, "AccessDenied", message)


def invalid(message: str) -> Refusal:
    return Refusal(400, "InvalidRequest", message)


def unavailable(message: str) -> Refusal:
    """One that clients try again."""
    return Refusal(503, "ServiceUnavailable", message)
