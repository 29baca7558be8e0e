"""The process that hashes while the observed command runs, in time nobody else wants.

A process, not a thread: a thread at idle priority that is preempted while it holds the interpreter
lock stops all of roar, measured 1.6 s at a time with every core busy (nice 19: 0.7 s), and roar
would forward no signal and grow no journal meanwhile.

Requests arrive on descriptor 0 and are answered on 1, in order and in the machine's byte order. It
ends when either is closed, so also when roar is killed.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from roar_core.hashing.digests import digest_file
from roar_core.hashing.failures import HashError
from roar_core.model.fingerprint import Fingerprint

# Ticket, the seven fields of a Fingerprint, length of the path that follows.
REQUEST = struct.Struct("=IQQQqqIII")
# Ticket, 1 when the digests that follow are valid, when reading began in ns.
ANSWER = struct.Struct("=IBq")
DIGEST_BYTES = {"blake3": 32, "sha256": 32, "sha512": 64, "md5": 16}


def serve(algorithms: tuple[str, ...]) -> None:
    """Answer requests until roar hangs up."""
    _become_idle()
    os.chdir("/")  # a working directory of the user's would keep its file system busy
    with open(0, "rb") as requests:
        try:
            while len(head := requests.read(REQUEST.size)) == REQUEST.size:
                os.write(1, _answer(head, requests, algorithms))
        except BrokenPipeError:
            return


def _become_idle() -> None:
    # Here and not by posix_spawn, whose caller waits for the exec: roar would stand still until a
    # busy machine lets an idle process get that far.
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except PermissionError:
        os.nice(19)


def _answer(head: bytes, requests: BinaryIO, algorithms: tuple[str, ...]) -> bytes:
    ticket, *fields, path_bytes = REQUEST.unpack(head)
    path = os.fsdecode(requests.read(path_bytes))
    try:
        digested = digest_file(path, algorithms, expected=Fingerprint(*fields), threads=1)
    except HashError:
        return ANSWER.pack(ticket, 0, 0) + bytes(sum(DIGEST_BYTES[name] for name in algorithms))
    raw = b"".join(bytes.fromhex(digested.digests[name]) for name in algorithms)
    return ANSWER.pack(ticket, 1, digested.read_at_ns) + raw
