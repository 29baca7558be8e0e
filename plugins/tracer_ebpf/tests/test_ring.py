"""The reader's side of the kernel's ring, on memory laid out as the kernel lays it out."""

from __future__ import annotations

import mmap
import os
import struct

from roar_tracer_ebpf.roard.bpf import Ring, events_in

PAGE = mmap.PAGESIZE
BUSY = 1 << 31


def test_an_unfinished_event_hides_those_behind_it_and_that_can_be_seen() -> None:
    fd = os.memfd_create("ring")
    os.ftruncate(fd, 4 * PAGE)
    os.pwrite(fd, struct.pack("=Q", 48), PAGE)
    for number, length in enumerate((8, 8 | BUSY, 8)):
        os.pwrite(fd, struct.pack("=I4xQ", length, number), 2 * PAGE + 16 * number)
    ring = Ring(fd, PAGE)
    first = ring.drain()
    assert len(list(events_in(first))) == 1
    assert (ring.taken, ring.begun) == (16, 48)
    os.pwrite(fd, struct.pack("=I", 8), 2 * PAGE + 16)
    assert len(list(events_in(ring.drain()))) == 2
    assert ring.taken == ring.begun
    os.close(fd)
