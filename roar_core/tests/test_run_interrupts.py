"""Ctrl-C after a command: one cuts the recording short, and no other does anything."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from roar_core.run.interrupts import OneInterrupt


@pytest.fixture(autouse=True)
def disposition() -> Iterator[None]:
    """Interrupts as a program has them that nobody told otherwise, and afterwards as they were."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_ends_the_block_and_later_ones_nothing() -> None:
    one = OneInterrupt()
    ended = []

    def record() -> None:
        with one.allowed():
            try:
                interrupt()
            finally:
                for _ in range(3):
                    interrupt()
                ended.append("in order")

    with pytest.raises(KeyboardInterrupt):
        record()
    interrupt()
    assert ended == ["in order"]


def test_one_before_the_block_ends_it_at_its_start_and_one_after_it_nothing() -> None:
    early = OneInterrupt()
    interrupt()
    entered = []

    def record() -> None:
        with early.allowed():
            entered.append("the block")

    with pytest.raises(KeyboardInterrupt):
        record()
    assert entered == []
    signal.signal(signal.SIGINT, signal.default_int_handler)
    late = OneInterrupt()
    with late.allowed():
        pass
    interrupt()
    interrupt()


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with OneInterrupt().allowed():
        interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
