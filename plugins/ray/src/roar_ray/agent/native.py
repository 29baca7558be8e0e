"""The preload library in this process, where the loader has put it."""

from __future__ import annotations

import ctypes

from . import tags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .journal import Journal


class Unattached(Exception):
    """Why the library does not report from this process."""


class NativeCapture:
    """Reports by the library: whatever goes through the C library, child processes too."""

    name = "native"

    def __init__(self, journal: Journal) -> None:
        # A PyDLL keeps the interpreter's lock: these calls take less than letting go of it.
        here = ctypes.PyDLL(None)
        try:
            attach, task_is, tell = here.roar_attach, here.roar_task_is, here.roar_task_tell
        except AttributeError:
            raise Unattached("the library is not loaded") from None
        attach.argtypes = (ctypes.c_char_p,)
        task_is.argtypes, task_is.restype = (ctypes.c_uint64,), None
        tell.argtypes = (ctypes.c_uint64, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t)
        problem = attach(journal.path.encode())
        if problem:
            raise Unattached(f"the library could not attach to its journal ({problem})")
        self._tell = tell
        self._journal = journal
        tags.tell_library(task_is)

    def tell(self, tag: int, event: int, text: bytes) -> None:
        """Write a TASK record."""
        self._journal.grow()
        self._tell(tag, event, text, len(text))

    def settle(self) -> None:
        """Nothing is left to be found out: the library reports after the fact."""
