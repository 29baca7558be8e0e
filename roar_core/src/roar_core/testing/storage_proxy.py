"""The promises of a storage proxy, as tests: subclass `StorageProxyContract` and give fixtures.

class TestMyProxy(StorageProxyContract):
    @pytest.fixture
    def make_proxy(self): return MyProxy

    @pytest.fixture
    def environ(self, my_store): return {"MY_STORE": my_store.url}

    @pytest.fixture
    def exchange(self): …  # a function: read and write objects by the variables it is given
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from roar_core.hookspecs import RunContext, StorageProxy
from roar_core.model.coverage import CoverageReason
from roar_core.model.fragment import ObservedObject
from roar_core.promises import storage_proxy as promises

Exchange = Callable[[Mapping[str, str]], list[ObservedObject]]


class StorageProxyContract:
    """What roar relies on. The fixtures are yours to give."""

    @pytest.fixture
    def make_proxy(self) -> Callable[[], StorageProxy]:
        """Makes the proxy: more than once, as several roars would have it."""
        raise NotImplementedError("give a fixture `make_proxy`")

    @pytest.fixture
    def environ(self) -> Mapping[str, str]:
        """Variables of a command that uses a real store, which this fixture starts."""
        raise NotImplementedError("give a fixture `environ`")

    @pytest.fixture
    def exchange(self) -> Exchange:
        """Reads and writes objects as a command with the variables that it is given would.

        It checks what it gets, and returns what a proxy must have seen. It can be called again.
        """
        raise NotImplementedError("give a fixture `exchange`")

    @pytest.fixture
    def run(self, tmp_path: Path, make_proxy: Callable[[], StorageProxy]) -> Iterator[RunContext]:
        """A run; whatever a test leaves listening is stopped."""
        project, folder = tmp_path / "run-project", tmp_path / "run-folder"
        project.mkdir()
        folder.mkdir(mode=0o700)
        run = RunContext("ab" * 16, ("python", "train.py"), project, project, folder)
        yield run
        make_proxy().stop(run)

    @pytest.fixture
    def proxy(self, make_proxy: Callable[[], StorageProxy]) -> StorageProxy:
        """The proxy to prove."""
        return make_proxy()

    def test_it_is_a_storage_proxy_with_a_name(self, proxy: StorageProxy) -> None:
        assert isinstance(proxy, StorageProxy)
        assert isinstance(proxy.name, str)
        assert proxy.name.isprintable()
        assert proxy.name

    def test_a_command_that_uses_no_store_gets_no_proxy(self, proxy: StorageProxy) -> None:
        assert not promises.stays_out_of_the_way.complaints(proxy)

    def test_it_listens_on_loopback_only(
        self, proxy: StorageProxy, run: RunContext, environ: Mapping[str, str]
    ) -> None:
        added = proxy.start(run, environ)
        ports = {int(p) for v in added.values() for p in re.findall(r":(\d{2,5})(?!\d)", v)}
        assert any(_listens("127.0.0.1", port) for port in ports), added
        # Who listens everywhere answers on every address of the loopback network, too.
        assert not any(_listens("127.0.0.2", port) for port in ports), added

    def test_the_variables_are_the_command_s_alone(
        self, proxy: StorageProxy, run: RunContext, environ: Mapping[str, str]
    ) -> None:
        given, ours = dict(environ), dict(os.environ)
        added = proxy.start(run, given)
        assert all(isinstance(text, str) for pair in added.items() for text in pair)
        assert (given, dict(os.environ)) == (dict(environ), ours)

    def test_what_passes_is_told_once_with_the_digest_of_its_bytes(
        self,
        proxy: StorageProxy,
        run: RunContext,
        environ: Mapping[str, str],
        exchange: Exchange,
    ) -> None:
        variables = {**environ, **proxy.start(run, environ)}
        expected = exchange(variables)
        assert exchange(variables) == expected
        found = list(proxy.objects(run))
        assert not proxy.stop(run)
        assert list(proxy.objects(run)) == found, "roar may be killed before they are recorded"
        assert len(found) == len(expected)
        for wanted in expected:
            [seen] = [f for f in found if (f.url, f.direction) == (wanted.url, wanted.direction)]
            assert seen.size == wanted.size
            assert wanted.digests.items() <= seen.digests.items()

    def test_a_killed_roar_takes_nothing_from_the_command(
        self,
        make_proxy: Callable[[], StorageProxy],
        run: RunContext,
        environ: Mapping[str, str],
        exchange: Exchange,
    ) -> None:
        added = _started_by_one_that_is_killed(make_proxy, run, environ)
        expected = exchange({**environ, **added})
        other = make_proxy()
        found = list(other.objects(run))
        assert {(f.url, f.direction) for f in found} == {(e.url, e.direction) for e in expected}
        assert all(isinstance(reason, CoverageReason) for reason in other.stop(run))

    def test_stopping_twice_is_stopping_once(
        self, proxy: StorageProxy, run: RunContext, environ: Mapping[str, str]
    ) -> None:
        added = proxy.start(run, environ)
        proxy.stop(run)
        assert not proxy.stop(run)
        ports = {int(p) for v in added.values() for p in re.findall(r":(\d{2,5})(?!\d)", v)}
        assert not any(_listens("127.0.0.1", port) for port in ports)


def _listens(host: str, port: int) -> bool:
    with socket.socket() as attempt:
        attempt.settimeout(10)
        return attempt.connect_ex((host, port)) == 0


def _started_by_one_that_is_killed(
    make_proxy: Callable[[], StorageProxy], run: RunContext, environ: Mapping[str, str]
) -> dict[str, str]:
    """Start a proxy in a process that is then killed, as roar may be."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write_end, json.dumps(dict(make_proxy().start(run, environ))).encode())
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as source:
        os.waitpid(child, 0)
        told = source.read()
    assert told, "it did not start"
    added: dict[str, str] = json.loads(told)
    return added
