"""Wait on and wake a 32-bit word that several processes share: futex(2).

Python has no name for it. Where there is no such call (other systems, another machine's numbers)
waiting falls back to short naps and waking does nothing: slower, never wrong.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cache
from mmap import mmap

_NUMBERS = {"x86_64": 202, "aarch64": 98}  # asm/unistd.h
_WAIT, _WAKE = 0, 1  # linux/futex.h; not FUTEX_PRIVATE_FLAG: the word is shared between processes
_EVERYBODY = 0x7FFFFFFF
_NAP_S = 0.005


def wait_while(memory: mmap, offset: int, value: int, timeout_s: float) -> None:
    """Sleep until somebody wakes the word, it differs from `value`, or `timeout_s` is over."""
    call = _futex()
    if call is None:
        time.sleep(min(timeout_s, _NAP_S))
    else:
        call(memory, offset, _WAIT, value, max(0.0, timeout_s))


def wake_all(memory: mmap, offset: int) -> None:
    """Wake everybody who waits on the word."""
    call = _futex()
    if call is not None:
        call(memory, offset, _WAKE, _EVERYBODY, None)


_Call = Callable[[mmap, int, int, int, float | None], None]


@cache
def _futex() -> _Call | None:
    """The system call; ctypes takes 8 ms to import, so it is made when first needed."""
    number = _NUMBERS.get(os.uname().machine)
    if number is None:
        return None
    import ctypes

    class Timespec(ctypes.Structure):
        _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))

    # A CDLL lets go of the GIL for the length of the call.
    syscall = ctypes.CDLL(None).syscall

    def call(
        memory: mmap, offset: int, operation: int, value: int, timeout_s: float | None
    ) -> None:
        word = ctypes.c_uint32.from_buffer(memory, offset)
        limit = None
        if timeout_s is not None:
            limit = ctypes.byref(Timespec(int(timeout_s), int(timeout_s % 1 * 1e9)))
        syscall(
            ctypes.c_long(number),
            ctypes.byref(word),
            ctypes.c_int(operation),
            ctypes.c_uint32(value),
            limit,
        )

    return call
