"""The HTTP server under the application: how long connections may take, and how many there may be.

uvicorn closes idle connections, but waits without end for the rest of a request's head: a client
that sends a byte now and then (slow loris) would hold a connection for as long as it likes.
"""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from roar_glaas.settings import Settings

_MOST_CONNECTIONS = 4096
_HEAD_BYTES = 32 * 1024


def uvicorn_settings(app: Any, settings: Settings) -> uvicorn.Config:
    """How uvicorn is to serve `app`; logging is left as it is set up."""
    return uvicorn.Config(
        app,
        # Not httptools, which uvicorn would take where it is installed: it knows no such limit of
        # a request's head as is given below.
        http=_protocol(settings.receive_timeout_s),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        # Gate judges whom to believe.
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=settings.shutdown_timeout_s,
        h11_max_incomplete_event_size=_HEAD_BYTES,
    )


def _protocol(head_timeout_s: float) -> type[asyncio.Protocol]:
    base: Any = H11Protocol

    class Impatient(base):  # type: ignore[misc]
        """One connection, closed when the head of a request does not arrive in time."""

        _head_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._await_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._is_answering():
                self._stop_waiting()
            elif self._head_timer is None:
                self._await_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _is_answering(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _await_head(self) -> None:
            self._head_timer = self.loop.call_later(head_timeout_s, self._give_up)

        def _stop_waiting(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _give_up(self) -> None:
            if not self._is_answering():
                self.transport.close()

    return Impatient
