"""Who asks, and for what: requests over the socket, and what the kernel says of their sender.

A request is one packet of NUL-terminated fields; a registration carries the journal's descriptor.

    roar-ebpf VERSION run UID         [FLAGS DEV INO SIZE MTIME CTIME MODE NLINK PATH] …
    roar-ebpf VERSION ping
    roar-ebpf VERSION catch-up UID
    roar-ebpf VERSION finish UID
"""

from __future__ import annotations

import array
import os
import re
import socket
import struct
from pathlib import Path
from typing import NamedTuple

from roar_tracer_ebpf.roard import VERSION
from roar_tracer_ebpf.roard.runs import Inherited

_MAX_REQUEST = 1 << 20
_UCRED = struct.Struct("=iII")
_UID = re.compile(rb"[0-9a-f]{32}")


class Refused(Exception):
    """The request is not granted; the text goes to whoever asked."""


class Request(NamedTuple):
    """One request: who sent it, what it wants of which run, and the descriptors that came along."""

    pid: int
    user: int
    action: bytes
    run_uid: bytes
    inherited: list[Inherited]
    descriptors: list[int]


def receive(connection: socket.socket) -> Request | None:
    """The next request, None when the peer has hung up. Raises Refused, and then keeps nothing."""
    space = socket.CMSG_SPACE(4 * 8)
    data, ancillary, _, _ = connection.recvmsg(_MAX_REQUEST, space, socket.MSG_CMSG_CLOEXEC)
    descriptors: list[int] = []
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers = array.array("i")
            numbers.frombytes(content[: len(content) // 4 * 4])
            descriptors += numbers
    if not data:
        close_all(descriptors)
        return None
    try:
        pid, user, _ = _UCRED.unpack(
            connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        )
        return _parsed(data, pid, user, descriptors)
    except Refused:
        close_all(descriptors)
        raise


def _parsed(data: bytes, pid: int, user: int, descriptors: list[int]) -> Request:
    head, _, rest = data.partition(b"\0")
    words = head.split(b" ")
    if len(words) < 3 or words[0] != b"roar-ebpf":
        raise Refused("not a request of roar")
    if words[1] != VERSION.encode():
        theirs = words[1].decode("ascii", "replace")[:20]
        raise Refused(
            f"this roard is of version {VERSION}, roar's plugin of {theirs};"
            " renew it: roar tracer disable ebpf, then roar tracer enable ebpf"
        )
    action = words[2]
    run_uid = words[3] if len(words) > 3 else b""
    if action not in (b"ping", b"run", b"catch-up", b"finish"):
        raise Refused("an unknown request")
    if action != b"ping" and not _UID.fullmatch(run_uid):
        raise Refused("a run is named by 32 hexadecimal digits")
    try:
        inherited = _inherited(rest)
    except ValueError:
        raise Refused("an unreadable list of open files") from None
    return Request(pid, user, action, run_uid, inherited, descriptors)


def _inherited(data: bytes) -> list[Inherited]:
    files = []
    for entry in data.split(b"\0"):
        if not entry:
            continue
        *numbers, path = entry.split(b" ", 8)
        flags, *fingerprint = map(int, numbers)
        if len(fingerprint) != 7 or not path.startswith(b"/") or len(path) > 65536:
            raise ValueError
        for value, (low, high) in zip(fingerprint, _RANGES, strict=True):
            if not low <= value < high:
                raise ValueError
        files.append(Inherited(flags, tuple(fingerprint), path))
    return files


_RANGES = (*[(0, 1 << 64)] * 3, *[(-(1 << 63), 1 << 63)] * 2, *[(0, 1 << 32)] * 2)


def require_same_view(pid: int) -> None:
    """Refuse a process whose names of files or of processes are not ours. Raises Refused."""
    try:
        for kind in ("pid", "mnt"):
            theirs = os.readlink(f"/proc/{pid}/ns/{kind}")  # noqa: PTH115 - no resolution
            if theirs != os.readlink(f"/proc/self/ns/{kind}"):  # noqa: PTH115
                raise Refused("it runs in a container; use the tracer ptrace there")
        if os.readlink(f"/proc/{pid}/root") != "/":  # noqa: PTH115
            raise Refused("it runs in another root directory; use the tracer ptrace there")
    except OSError:
        raise Refused("it is gone") from None


def parent_of(pid: int) -> int | None:
    """A descriptor of the process that started `pid`; it can be read when that process has ended.

    None when that has ended already, and `pid` was given to whoever takes orphans.
    """
    try:
        parent = _parent(pid)
        if parent <= 1:
            return None
        descriptor = os.pidfd_open(parent)
        # A process has one parent as long as that lives: then the number was not given again.
        if _parent(pid) == parent:
            return descriptor
        os.close(descriptor)
    except (OSError, ValueError, IndexError):  # it is gone itself
        return None
    return None


def _parent(pid: int) -> int:
    content = Path(f"/proc/{pid}/stat").read_bytes()
    return int(content.rpartition(b")")[2].split()[1])  # proc_pid_stat(5): field 4


def listen(path: str, group: int | None) -> socket.socket:
    """Listen at `path`: for everybody, or for one group. A stale socket is replaced.

    Raises OSError, BlockingIOError when another collector listens there.
    """
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        probe.connect(path)
        raise BlockingIOError(f"another roard listens at {path}")
    except (FileNotFoundError, ConnectionRefusedError):
        Path(path).unlink(missing_ok=True)
    finally:
        probe.close()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before = os.umask(0o177)
    try:
        server.bind(path)
    finally:
        os.umask(before)
    if group is not None:
        os.chown(path, 0, group)
    Path(path).chmod(0o666 if group is None else 0o660)
    server.listen(64)
    return server


def close_all(descriptors: list[int]) -> None:
    """Close descriptors that came along and are not wanted."""
    for descriptor in descriptors:
        os.close(descriptor)
