"""Errors as S3 words them: XML with a code that clients know and a message for people."""

from __future__ import annotations

from html import escape

from roar_proxy_s3.proxy.wire.fields import Pair


class Refusal(Exception):
    """The proxy's own answer to a request. Its message says what to do."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def body(self) -> bytes:
        """The answer's."""
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message>"
            "<RequestId>roar</RequestId></Error>"
        )
        return text.encode("utf-8", "replace")

    @staticmethod
    def fields(body: bytes) -> list[Pair]:
        """The answer's, that has this body."""
        return [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]


def denied(message: str) -> Refusal:
    return Refusal(403, "AccessDenied", message)


def invalid(message: str) -> Refusal:
    return Refusal(400, "InvalidRequest", message)


def unavailable(message: str) -> Refusal:
    """One that clients try again."""
    return Refusal(503, "ServiceUnavailable", message)
