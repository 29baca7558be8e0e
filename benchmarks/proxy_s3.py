"""What the proxy of S3 costs: requests straight to a store, and by way of the proxy, by turns.

    python benchmarks/proxy_s3.py [--rounds 5] [--small 2000] [--megabytes 100] [--stock PROGRAM]

The store is rclone's server on loopback. The client is a socket that sends requests which were
signed beforehand, so that next to nothing of what is measured is the client's. `endpoint` signs
anew, as for programs in any language; `dialled` is passed through, as for botocore. PROGRAM is the
stock client's `roar-proxy` to measure beside ours. CPU is that of the proxy's process alone.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "plugins" / "proxy_s3" / "tests"))

import proxies  # noqa: E402
import s3_servers  # noqa: E402

from roar_proxy_s3.proxy import signatures  # noqa: E402
from roar_proxy_s3.proxy.signatures import Scope, Target  # noqa: E402

MB = 1 << 20
PART = 8 * MB
STREAMS = 64
_TICK = os.sysconf("SC_CLK_TCK")


class Way(NamedTuple):
    """One way to the store. `pid` is the proxy's, None for no proxy."""

    name: str
    port: int
    pid: int | None
    # What requests are signed for, when it is not who is dialled.
    host: str
    also: dict[str, str]

    def request(self, method: str, target: str, length: int | None = None) -> bytes:
        """The head of a request, signed as of now."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = Scope(stamp[:8], s3_servers.REGION, "s3")
        payload = signatures.EMPTY_SHA256 if length is None else signatures.UNSIGNED
        sent = {"host": self.host, "x-amz-content-sha256": payload, "x-amz-date": stamp}
        if length is not None:
            sent["content-length"] = str(length)
        path, _, query = target.partition("?")
        if query and "=" not in query:
            query += "="
        made = signatures.signature(
            s3_servers.SECRET, scope, stamp, method, Target(path, query), sent.items(),
            sorted(sent), payload,
        )  # fmt: skip
        credential = f"{signatures.ALGORITHM} Credential={s3_servers.KEY}/{scope}"
        sent["authorization"] = (
            f"{credential}, SignedHeaders={';'.join(sorted(sent))}, Signature={made}"
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**sent, **self.also}.items())
        return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode()

    def connected(self) -> Connection:
        return Connection(socket.create_connection(("127.0.0.1", self.port)))

    def cpu_s(self) -> float:
        """CPU that the proxy has used."""
        if self.pid is None:
            return 0.0
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def memory(self, name: str) -> float:
        """MB of the proxy's memory: `VmHWM`, the most so far, or `VmRSS`."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"{name}:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1000


class Connection:
    """One connection, on which one answer follows one request."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = memoryview(bytearray(MB))

    def ask(self, head: bytes, body: bytes = b"") -> bytes:
        """The answer's head, once all of its body is here."""
        self._socket.sendall(head)
        if body:
            self._socket.sendall(body)
        came = 0
        while (end := bytes(self._buffer[:came]).find(b"\r\n\r\n")) < 0:
            got = self._socket.recv_into(self._buffer[came:])
            if not got:
                raise SystemExit(f"the connection ended: {head[:300]!r}")
            came += got
        answered = bytes(self._buffer[:end])
        if not answered.startswith(b"HTTP/1.1 20"):
            raise SystemExit(f"{head[:200]!r} was answered by {bytes(self._buffer[:came])!r}")
        self.kept = bytes(self._buffer[end + 4 : came])
        if found := re.search(rb"(?i)\ncontent-length: (\d+)", answered):
            left = int(found[1]) - (came - end - 4)
            while left > 0:
                left -= self._socket.recv_into(self._buffer[: min(left, MB)])
        else:
            while not self.kept.endswith(b"0\r\n\r\n"):
                self.kept += self._socket.recv(MB)
        return answered

    def close(self) -> None:
        self._socket.close()


def small(way: Way, count: int) -> tuple[float, float]:
    """Milliseconds of the median of so many GETs of 1 KB, and the proxy's CPU in us for each."""
    head, took = way.request("GET", "/bench/small"), []
    connection = way.connected()
    connection.ask(head)
    before = way.cpu_s()
    for _ in range(count):
        began = time.perf_counter()
        connection.ask(head)
        took.append(time.perf_counter() - began)
    used = way.cpu_s() - before
    connection.close()
    return statistics.median(took) * 1e3, used / count * 1e6


def get(way: Way, megabytes: int) -> tuple[float, float]:
    """MB/s of one GET, and the proxy's CPU seconds for each GB."""
    head = way.request("GET", "/bench/large")
    connection = way.connected()
    return _rate(way, megabytes, lambda: connection.ask(head), connection)


def put(way: Way, megabytes: int) -> tuple[float, float]:
    """The same of one upload in parts of 8 MiB, four at once."""
    connection = way.connected()
    connection.ask(way.request("POST", "/bench/made?uploads", 0))
    found = re.search(rb"<UploadId>([^<]+)", connection.kept)
    assert found is not None
    upload, content = found[1].decode(), os.urandom(PART)

    def all_of_it() -> None:
        def part(number: int) -> bytes:
            own = way.connected()
            size = min(PART, megabytes * MB - (number - 1) * PART)
            target = f"/bench/made?partNumber={number}&uploadId={upload}"
            etag = re.search(
                rb"(?i)\netag: ([^\r]+)",
                own.ask(way.request("PUT", target, size), content[:size]),
            )
            own.close()
            assert etag is not None
            return b"<Part><PartNumber>%d</PartNumber><ETag>%b</ETag></Part>" % (number, etag[1])

        with ThreadPoolExecutor(4) as pool:
            parts = b"".join(pool.map(part, range(1, -(-megabytes * MB // PART) + 1)))
        body = b"<CompleteMultipartUpload>%b</CompleteMultipartUpload>" % parts
        connection.ask(way.request("POST", f"/bench/made?uploadId={upload}", len(body)), body)

    return _rate(way, megabytes, all_of_it, connection)


def _rate(
    way: Way, megabytes: int, work: Callable[[], object], connection: Connection
) -> tuple[float, float]:
    before, began = way.cpu_s(), time.perf_counter()
    work()
    took = time.perf_counter() - began
    used = way.cpu_s() - before
    connection.close()
    size = megabytes * MB
    return size / 1e6 / took, used / (size / 1e9)


def streams(way: Way) -> float:
    """MB of the proxy's memory at most, after so many large GETs at once."""

    def one(_: int) -> None:
        connection = way.connected()
        connection.ask(way.request("GET", "/bench/middle"))
        connection.close()

    with ThreadPoolExecutor(STREAMS) as pool:
        list(pool.map(one, range(STREAMS)))
    return way.memory("VmHWM")


@contextmanager
def stock(program: str, server: s3_servers.S3Server) -> Iterator[Way]:
    """The stock client's proxy, its output read as it comes: else it would stop after a while."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "--port", str(port), "--upstream", server.url],
        env={**os.environ, **server.variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            assert process.poll() is None, "the stock proxy did not start"
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionError:
                time.sleep(0.01)
        yield Way("stock", port, process.pid, f"127.0.0.1:{port}", {})
    finally:
        process.terminate()
        process.wait(timeout=60)


@contextmanager
def ways(folder: Path, megabytes: int, program: str | None) -> Iterator[list[Way]]:
    """A store with its objects, and every way to it."""
    with ExitStack() as stack:
        server = stack.enter_context(s3_servers.rclone(folder))
        assert server.folder is not None
        bucket = server.folder / "bench"
        bucket.mkdir()
        for name, size in (("small", 1024), ("middle", 8 * MB), ("large", megabytes * MB)):
            with (bucket / name).open("wb") as file:
                file.write(os.urandom(size))
        at = server.url.removeprefix("http://")
        found = [Way("direct", int(at.rpartition(":")[2]), None, at, {})]
        for name in ("endpoint", "dialled"):
            own = folder / name
            own.mkdir()
            proxy = stack.enter_context(proxies.started(own, server))
            through = {"Roar-Run": proxies.SECRET, "Roar-Origin": server.url}
            is_dialled = name == "dialled"
            host = at if is_dialled else f"127.0.0.1:{proxy.port}"
            also = through if is_dialled else {}
            found.append(Way(name, proxy.port, proxy.process.pid, host, also))
        if program:
            found.append(stack.enter_context(stock(program, server)))
        yield found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", type=int, default=2000)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--stock")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="roar-bench-") as folder,
        ways(Path(folder), asked.megabytes, asked.stock) as found,
    ):
        table: dict[str, list[list[float]]] = {way.name: [] for way in found}
        for number in range(asked.rounds):
            # By turns, and not always the same one first.
            for way in found[number % len(found) :] + found[: number % len(found)]:
                row = [*small(way, asked.small), *get(way, asked.megabytes)]
                table[way.name].append([*row, *put(way, asked.megabytes)])
        peaks = {way.name: (way.memory("VmHWM"), streams(way)) for way in found if way.pid}
    _print(table, peaks)


def _print(table: dict[str, list[list[float]]], peaks: dict[str, tuple[float, float]]) -> None:
    """Medians over the rounds; rates against what went straight to the store in the same round."""
    form = "{:9} {:>10} {:>9} {:>11} {:>9} {:>11} {:>9} {:>9} {:>9}\n"
    heads = ("", "1 KB", "CPU", "GET MB/s", "CPU s/GB", "PUT MB/s", "CPU s/GB", "peak MB", "64 at")
    sys.stdout.write(form.format(*heads))
    middle = statistics.median
    for name, rows in table.items():
        pairs = list(zip(rows, table["direct"], strict=True))
        get_share = middle(row[2] / direct[2] for row, direct in pairs)
        put_share = middle(row[4] / direct[4] for row, direct in pairs)
        added = middle(row[0] - direct[0] for row, direct in pairs)
        ms, us, get_rate, get_cpu, put_rate, put_cpu = (
            middle(each) for each in zip(*rows, strict=True)
        )
        told = [f"{ms:.2f}+{added:.2f}" if added else f"{ms:.2f} ms", f"{us:.0f} us"]
        told += [f"{get_rate:.0f} {get_share:.2f}x", f"{get_cpu:.2f}"]
        told += [f"{put_rate:.0f} {put_share:.2f}x", f"{put_cpu:.2f}"]
        told += [f"{each:.0f}" for each in peaks.get(name, ())] or ["", ""]
        sys.stdout.write(form.format(name, *told))


if __name__ == "__main__":
    main()
