"""Several processes that serve one listening socket, and end together."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

import click


def share(count: int, serve: Callable[[Callable[[], None]], None], announce: str) -> None:
    """Run `serve` in `count` processes until SIGTERM or SIGINT, or until one cannot start.

    `serve` is given what it has to call when it is ready; then `announce` is told, once. A process
    that dies is replaced. Ends the program: with 1 when a process could not start.
    """
    _Family(count, serve).live(announce)


class _Family:
    def __init__(self, count: int, serve: Callable[[Callable[[], None]], None]) -> None:
        self._count = count
        self._serve = serve
        self._started: set[int] = set()
        self._is_ending = False
        self._has_failed = False
        # Its other end closes with this process, however that ends: then the others end too.
        self._life = os.pipe()

    def live(self, announce: str) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        # The first alone makes or migrates the database, and says what is wrong with the settings.
        for _ in range(self._count):
            if not self._start():
                self._end()
                break
        else:
            click.echo(announce, err=True)
        while self._started:
            self._replace(*os.wait())
        sys.exit(1 if self._has_failed else 0)

    def _start(self) -> bool:
        """Start one; whether it got ready."""
        told, tell = os.pipe()
        number = os.fork()
        if number == 0:
            os.close(told)
            self._be_one(tell)
        os.close(tell)
        self._started.add(number)
        if self._is_ending:  # the signal came before this one was counted
            os.kill(number, signal.SIGTERM)
        is_ready = os.read(told, 1) == b"1"
        os.close(told)
        if not is_ready:
            self._has_failed = True
        return is_ready

    def _be_one(self, tell: int) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.close(self._life[1])
        threading.Thread(target=self._outlive_nobody, daemon=True).start()

        def ready() -> None:
            os.write(tell, b"1")
            os.close(tell)

        self._serve(ready)
        sys.exit(0)

    def _outlive_nobody(self) -> None:
        os.read(self._life[0], 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _replace(self, number: int, status: int) -> None:
        self._started.remove(number)
        if self._is_ending:
            return
        code = os.waitstatus_to_exitcode(status)
        click.echo(f"glaas: process {number} ended with status {code}", err=True)
        if not self._start():
            self._end()

    def _end(self, _: int = 0, __: FrameType | None = None) -> None:
        self._is_ending = True
        for number in self._started:
            os.kill(number, signal.SIGTERM)
