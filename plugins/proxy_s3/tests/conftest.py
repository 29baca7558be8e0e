"""The servers, and somebody's environment, in which S3 is reached."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import proxies
import pytest
import s3_servers
from proxies import Proxy
from real_clients import CLIENTS, HERE_ALREADY, OTHERS
from s3_servers import S3Server, new_bucket

from roar_proxy_s3.transfer.s3 import S3Transfer


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    OTHERS.deselect(config, items, lambda item: _client(item) not in (None, *HERE_ALREADY))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    names = ", ".join(name for name in CLIENTS if name not in HERE_ALREADY)
    OTHERS.tell(terminalreporter, f"real {names}")


def _client(item: pytest.Item) -> str | None:
    """The client that a test runs for real."""
    found = getattr(item, "callspec", None)
    name = found.params.get("client") if found is not None else None
    return name if name in CLIENTS else None


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server that checks signatures."""
    with s3_servers.rclone(tmp_path_factory.mktemp("rclone")) as server:
        yield server


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server with users, versions, conditions and multipart ETags."""
    with s3_servers.moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session", params=["rclone", "moto"])
def server(request: pytest.FixtureRequest) -> S3Server:
    """Each of the two."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, S3Server)
    return found


@pytest.fixture(scope="session")
def transfer_to(server: S3Server) -> S3Transfer:
    """The transfer to prove. It reads the environment of the test that is the first to need it."""
    return S3Transfer()


@pytest.fixture
def transfer(transfer_to: S3Transfer, bucket: str) -> Iterator[S3Transfer]:
    """The transfer to prove, which holds no connection afterwards."""
    with closing(transfer_to):
        yield transfer_to


@pytest.fixture
def bucket(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket on the server, which the environment leads to."""
    return new_bucket(server, monkeypatch)


@pytest.fixture
def bucket_on_moto(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket on the server that knows conditions and versions."""
    return new_bucket(moto, monkeypatch)


@pytest.fixture(scope="session")
def connected_to_moto(moto: S3Server) -> S3Transfer:
    """A transfer that the first test to need it connects: to make a client takes a while."""
    return S3Transfer()


@pytest.fixture
def transfer_to_moto(connected_to_moto: S3Transfer, bucket_on_moto: str) -> Iterator[S3Transfer]:
    """The same, which holds no connection afterwards."""
    with closing(connected_to_moto):
        yield connected_to_moto


@pytest.fixture(scope="session")
def proxy(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy before each of the two."""
    with proxies.started(tmp_path_factory.mktemp("run"), server) as found:
        yield found


@pytest.fixture(scope="session")
def client_of_proxy(proxy: Proxy) -> Any:
    """boto's client of the proxy: it takes longer to make than to use."""
    return proxy.client()


@pytest.fixture
def proxied(client_of_proxy: Any) -> Iterator[Any]:
    """The same, which holds no connection afterwards."""
    yield client_of_proxy
    client_of_proxy.close()


@pytest.fixture(scope="session")
def proxy_of_moto(moto: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy before the server with users."""
    with proxies.started(tmp_path_factory.mktemp("run"), moto) as found:
        yield found


@pytest.fixture
def bucket_on_rclone(rclone: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket on the server that checks signatures."""
    return new_bucket(rclone, monkeypatch)
