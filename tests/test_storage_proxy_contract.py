"""A storage proxy keeps its promises, and what passes through it is in the record of a run."""

from __future__ import annotations

import importlib.util
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from blake3 import blake3

from roar_core.hookspecs import StorageProxy
from roar_core.model.fragment import ObservedObject
from roar_core.testing.processes import wait_for
from roar_core.testing.projects import ProjectUnderTest
from roar_core.testing.storage_proxy import Exchange, StorageProxyContract

PROXY = Path(__file__).parent / "loopback" / "proxy.py"


class Store(ThreadingHTTPServer):
    """An object store in memory."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), StoreHandler)
        self.objects = {"/in": b"input"}
        self.url = f"http://127.0.0.1:{self.server_port}"


class StoreHandler(BaseHTTPRequestHandler):
    server: Store

    def do_GET(self) -> None:
        content = self.server.objects.get(self.path)
        self.send_response(404 if content is None else 200)
        self.end_headers()
        self.wfile.write(content or b"")

    def do_PUT(self) -> None:
        self.server.objects[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class TestLoopbackProxy(StorageProxyContract):
    @pytest.fixture
    def make_proxy(self) -> Callable[[], StorageProxy]:
        spec = importlib.util.spec_from_file_location("loopback_proxy", PROXY)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        made: Callable[[], StorageProxy] = module.LoopbackProxy
        return made

    @pytest.fixture
    def environ(self, store: Store) -> Mapping[str, str]:
        return {"OBJECT_STORE": store.url}

    @pytest.fixture
    def exchange(self, store: Store) -> Exchange:
        def work(environ: Mapping[str, str]) -> list[ObservedObject]:
            url = environ["OBJECT_STORE"]
            with urlopen(f"{url}/in") as got:
                assert got.read() == b"input"
            with urlopen(Request(f"{url}/out", b"output", method="PUT")):
                assert store.objects["/out"] == b"output"
            return [seen(f"{store.url}/in", b"input"), seen(f"{store.url}/out", b"output")]

        return work


def seen(url: str, content: bytes) -> ObservedObject:
    digests = {"blake3": blake3(content).hexdigest()}
    return ObservedObject(url, "input" if url.endswith("in") else "output", len(content), digests)


CLIENT = """
import os, sys, urllib.request
url = os.environ["OBJECT_STORE"]
content = urllib.request.urlopen(url + "/" + sys.argv[1]).read()
request = urllib.request.Request(url + "/" + sys.argv[2], content, method="PUT")
urllib.request.urlopen(request)
exec(sys.argv[3])
"""


@pytest.fixture
def client(project: ProjectUnderTest, store: Store) -> ProjectUnderTest:
    """A project whose commands use the store, in an environment that has the proxy."""
    project.plugins("loopback", PROXY.read_text(), group="roar.storage_proxies")
    project.environ["OBJECT_STORE"] = store.url
    project.write("client.py", CLIENT)
    return project


def test_objects_are_edges_and_have_producers(client: ProjectUnderTest, store: Store) -> None:
    first = client.run("python", "client.py", "in", "middle", "pass")
    assert first.exit_code == 0, first.stderr
    second = client.run("python", "client.py", "middle", "out", "pass")
    assert first.job is not None
    assert second.job is not None
    [made] = [edge for edge in first.job["outputs"] if edge["kind"] == "object"]
    [used] = [edge for edge in second.job["inputs"] if edge["kind"] == "object"]
    assert made["path"] == used["path"] == f"{store.url}/middle"
    assert made["hash"] == used["hash"] == f"blake3:{blake3(b'input').hexdigest()}"
    assert used["producer"] == first.job["uid"]
    assert not list((client.root / ".roar" / "runs").glob("*"))


def test_a_killed_command_leaves_what_passed(client: ProjectUnderTest, store: Store) -> None:
    result = client.run("python", "client.py", "in", "out", "os.kill(os.getpid(), 9)")
    assert result.exit_code == -9
    assert result.job is not None
    assert f"{store.url}/out" in result.writes
    assert not list((client.root / ".roar" / "runs").glob("*"))


def test_a_killed_roar_loses_no_object(client: ProjectUnderTest, store: Store) -> None:
    wait = "open('begun', 'w'); [None for _ in iter(lambda: os.path.exists('go'), True)]"
    code = f"{wait}; urllib.request.urlopen(url + '/in').read()"
    driver = subprocess.Popen(
        [*client.roar_argv, "run", "python", "client.py", "in", "out", code],
        cwd=client.root,
        env=client.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for((client.root / "begun").exists)
    driver.kill()
    driver.wait()
    assert client.json("show")["state"] == "running"
    client.write("go", "")
    wait_for(lambda: client.json("show")["state"] != "running")
    job = client.json("show", "@1")
    objects = {edge["path"] for edge in (*job["inputs"], *job["outputs"])}
    assert {f"{store.url}/in", f"{store.url}/out"} <= objects
    assert not list((client.root / ".roar" / "runs").glob("*"))


def test_proxies_can_be_turned_off(client: ProjectUnderTest, store: Store) -> None:
    environ = {"ROAR_RUN__PROXIES": "false"}
    result = client.run("python", "client.py", "in", "out", "pass", environ=environ)
    assert store.objects["/out"] == b"input"
    assert result.job is not None
    assert not [edge for edge in result.job["outputs"] if edge["kind"] == "object"]


def test_a_command_that_cannot_start_leaves_no_proxy(client: ProjectUnderTest) -> None:
    client.write("bad", "#!/no/such/interpreter\n").chmod(0o755)
    assert client.run("./bad").exit_code == 127
    assert not list((client.root / ".roar" / "runs").glob("*"))


@pytest.mark.parametrize("hook", ["start", "objects", "stop"])
def test_a_proxy_that_raises_costs_coverage(
    client: ProjectUnderTest, store: Store, hook: str
) -> None:
    code = f"\ndef fail(*arguments):\n    raise OSError('no luck')\nLoopbackProxy.{hook} = fail\n"
    path = client.plugins.folder / "loopback.py"
    path.write_text(
        PROXY.read_text().replace(
            'if __name__ == "__main__":', f'{code}\nif __name__ == "__main__":'
        )
    )
    result = client.run("python", "client.py", "in", "out", "raise SystemExit(3)")
    assert result.exit_code == 3
    assert store.objects["/out"] == b"input"
    assert result.job is not None
    assert [reason["code"] for reason in result.job["coverage"]["reasons"]] == ["proxy"]
    assert sum("plugin loopback failed" in line for line in result.stderr.splitlines()) == 1
