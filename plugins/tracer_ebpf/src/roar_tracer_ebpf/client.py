"""Ask a collector over its socket, after making sure that it is root's."""

from __future__ import annotations

import os
import stat
import struct

from roar_tracer_ebpf.roard import VERSION

_UCRED = struct.Struct("=iII")


class Collector:
    """The collector that listens at `path`."""

    def __init__(self, path: str) -> None:
        self.path = path

    def ask(self, request: str, *, patience_s: float) -> str:
        """Send one request; return an empty text when granted, else why not. Raises nothing."""
        try:
            if problem := self._distrust():
                return problem
            import socket  # 3 ms, where most runs have no collector to ask

            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
                peer.settimeout(patience_s)
                peer.connect(self.path)
                credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
                if _UCRED.unpack(credentials)[1] != 0:
                    return f"{self.path} is not root's"
                peer.send(f"roar-ebpf {VERSION} {request}\0".encode())
                answer = peer.recv(4096).decode("utf-8", "replace")
        except TimeoutError:
            return "the collector does not answer"
        except PermissionError:
            return f"you may not use {self.path}: it is for a group you are not in"
        except (FileNotFoundError, ConnectionRefusedError):
            return "the collector is not running"
        except OSError as error:
            return f"the collector cannot be reached: {error.strerror or error}"
        if answer == "ok":
            return ""
        return answer.removeprefix("no ") or "the collector has ended"

    def _distrust(self) -> str:
        """Why the socket may be somebody's trap, empty when it cannot."""
        folder = os.path.dirname(self.path)  # noqa: PTH120 - start-up
        status = os.lstat(folder)
        if status.st_uid != 0 or stat.S_IMODE(status.st_mode) & 0o022:
            return f"{folder} is not root's alone"
        status = os.lstat(self.path)
        if status.st_uid != 0 or not stat.S_ISSOCK(status.st_mode):
            return f"{self.path} is not root's socket"
        return ""
