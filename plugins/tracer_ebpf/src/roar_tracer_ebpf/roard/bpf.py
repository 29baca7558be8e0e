"""Maps and the ring of loaded programs, by bpf(2) and mmap(2) alone.

The ring's layout is in Documentation/bpf/ringbuf.rst: a page with the reader's position, one with
the writers', then the data, mapped twice in a row so that no event is torn.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import struct
from collections.abc import Iterator

_SYS_BPF = {"x86_64": 321, "aarch64": 280}
_LOOKUP, _UPDATE, _DELETE, _NEXT = 1, 2, 3, 4
_BUSY, _DISCARDED, _LENGTH = 1 << 31, 1 << 30, (1 << 30) - 1
_PAGE = mmap.PAGESIZE
_POSITION = struct.Struct("=Q")
_HEADER = struct.Struct("=I4x")
_libc = ctypes.CDLL(None, use_errno=True)


class _MapCall(ctypes.Structure):
    """union bpf_attr of the calls on elements; linux/bpf.h."""

    _fields_ = (
        ("map_fd", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("key", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
    )


class Map:
    """A map of fixed-size keys and values, given as bytes. Failures raise OSError."""

    def __init__(self, fd: int, value_size: int) -> None:
        self._fd = fd
        self._value = ctypes.create_string_buffer(value_size)
        self._number = _SYS_BPF[platform.machine()]

    def get(self, key: bytes) -> bytes | None:
        """The value at `key`, None when there is none."""
        return self._value.raw if self._call(_LOOKUP, key) else None

    def put(self, key: bytes, value: bytes) -> None:
        """Set the value at `key`."""
        self._value.raw = value
        self._call(_UPDATE, key)

    def remove(self, key: bytes) -> None:
        """Take `key` out; nothing there is no error."""
        self._call(_DELETE, key)

    def keys(self, size: int) -> Iterator[bytes]:
        """Every key there is now, each of `size` bytes; what changes meanwhile may be missed."""
        following = ctypes.create_string_buffer(size)
        key: bytes | None = None
        while self._call(_NEXT, key, following):
            key = following.raw
            yield key

    def _call(
        self, command: int, key: bytes | None, value: ctypes.Array[ctypes.c_char] | None = None
    ) -> bool:
        held = ctypes.create_string_buffer(key, len(key)) if key is not None else None
        target = self._value if value is None else value
        call = _MapCall(
            self._fd,
            0,
            ctypes.addressof(held) if held is not None else 0,
            # A call refuses what it does not use.
            0 if command == _DELETE else ctypes.addressof(target),
            0,
        )
        size = ctypes.c_uint(ctypes.sizeof(call))
        if _libc.syscall(self._number, command, ctypes.byref(call), size) == 0:
            return True
        code = ctypes.get_errno()
        if code == errno.ENOENT:
            return False
        raise OSError(code, f"bpf(2): {os.strerror(code)}")


class Ring:
    """The reader's side of the ring of events."""

    def __init__(self, fd: int, size: int) -> None:
        self._size = size
        self._reader = mmap.mmap(fd, _PAGE)
        self._writers = mmap.mmap(fd, _PAGE + 2 * size, prot=mmap.PROT_READ, offset=_PAGE)

    @property
    def taken(self) -> int:
        """The position up to which events were taken out."""
        return int(_POSITION.unpack_from(self._reader)[0])

    @property
    def begun(self) -> int:
        """The position behind the last event that was begun; one before it may be unfinished."""
        return int(_POSITION.unpack_from(self._writers)[0])

    def drain(self) -> bytes:
        """Copy out all up to the first unfinished event, headers included; give the room back."""
        start, end = self.taken, self.begun
        if start == end:
            return b""
        at = _PAGE + start % self._size
        data = self._writers[at : at + end - start]
        taken, whole = 0, len(data)
        unpack = _HEADER.unpack_from
        while taken < whole:
            length = unpack(data, taken)[0]
            if length & _BUSY:
                break
            taken += (8 + (length & _LENGTH) + 7) & ~7
        _POSITION.pack_into(self._reader, 0, start + taken)
        return data[:taken]


def events_in(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each event lies in drained `data`: its start and its length."""
    at, end = 0, len(data)
    unpack = _HEADER.unpack_from
    while at < end:
        length = unpack(data, at)[0]
        if not length & _DISCARDED:
            yield at + 8, length & _LENGTH
        at += (8 + (length & _LENGTH) + 7) & ~7
