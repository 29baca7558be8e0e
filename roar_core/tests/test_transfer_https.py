"""What web servers give: the promises of every transfer that reads, and every way to end early."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from roar_core.errors import NotFoundError, RoarError, TemporaryError, UsageError
from roar_core.hookspecs import RemoteObject, Transfer
from roar_core.testing.transfer import ReadingContract
from roar_core.testing.web_server import WebServer, web_server
from roar_core.transfer.https import HttpsTransfer, _redirected


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as serving:
        yield serving


@pytest.fixture
def transfer() -> Iterator[HttpsTransfer]:
    found = HttpsTransfer()
    yield found
    found.close()


class TestHttps(ReadingContract):
    @pytest.fixture
    def transfer(self, transfer: HttpsTransfer) -> Transfer:
        return transfer

    @pytest.fixture
    def place(self, server: WebServer) -> str:
        return server.url

    @pytest.fixture(autouse=True)
    def _server(self, server: WebServer) -> None:
        self.server = server

    def url(self, transfer: Transfer, place: str, name: str) -> str:
        from urllib.parse import quote

        return f"{place}/{quote(name)}"

    def keep(
        self, transfer: Transfer, place: str, name: str, content: bytes, folder: Path
    ) -> RemoteObject:
        from urllib.parse import quote

        url = self.server.give(f"/{quote(name)}", content)
        [found] = transfer.list(url)
        return found


def test_one_request_tells_size_version_and_ranges(
    server: WebServer, transfer: HttpsTransfer
) -> None:
    url = server.give("/a.bin", b"12345")
    [found] = transfer.list(f"{url}?key=1")
    assert (found.size, found.ranges, found.name) == (5, True, "a.bin")
    assert found.etag == server.objects["/a.bin"].told_etag
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("more", "ranges", "version"),
    [
        ({"etag": ""}, False, None),
        ({"etag": 'W/"weak"'}, False, None),
        ({"etag": "", "headers": {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}}, True, "Mon"),
        ({"ranges": False}, False, None),
    ],
)
def test_without_a_sure_version_nothing_is_read_in_parts(
    server: WebServer,
    transfer: HttpsTransfer,
    more: dict[str, object],
    ranges: bool,
    version: str | None,
) -> None:
    [found] = transfer.list(server.give("/a.bin", b"12345", **more))
    assert (found.ranges, (found.version or "")[:3] or None) == (ranges, version)
    assert b"".join(transfer.read(found, 0, None)) == b"12345"


def test_the_server_s_own_digest_is_known(server: WebServer, transfer: HttpsTransfer) -> None:
    import base64
    import hashlib

    sha256 = hashlib.sha256(b"12345")
    told = f"sha-256=:{base64.b64encode(sha256.digest()).decode()}:, unixsum=:MTIz:"
    [found] = transfer.list(server.give("/a", b"12345", headers={"Repr-Digest": told}))
    assert found.digests == {"sha256": sha256.hexdigest()}


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (404, NotFoundError, "nothing at"),
        (410, NotFoundError, "nothing at"),
        (401, RoarError, "netrc"),
        (403, RoarError, "netrc"),
        (418, RoarError, "418"),
        (429, TemporaryError, "try again"),
        (500, TemporaryError, "try again"),
        (503, TemporaryError, "try again"),
    ],
)
def test_a_refusal_is_a_sentence(
    server: WebServer, transfer: HttpsTransfer, status: int, error: type[RoarError], words: str
) -> None:
    server.fail("/a", status=status, headers={"Retry-After": "7"}, body=b"<html>no</html>")
    with pytest.raises(error, match=words) as raised:
        list(transfer.list(f"{server.url}/a"))
    assert "\n" not in str(raised.value)
    assert type(raised.value) is error
    if isinstance(raised.value, TemporaryError):
        assert raised.value.after_s == 7


def test_a_server_that_is_not_there_may_be_tried_again(transfer: HttpsTransfer) -> None:
    with pytest.raises(TemporaryError, match=r"http://127\.0\.0\.1:9 does not answer"):
        list(transfer.list("http://127.0.0.1:9/x"))


def test_a_body_that_is_cut_may_be_tried_again(server: WebServer, transfer: HttpsTransfer) -> None:
    [found] = transfer.list(server.give("/a", bytes(1 << 20)))
    server.fail("/a", cut_after=1000)
    with pytest.raises(TemporaryError):
        list(transfer.read(found, 0, None))


def test_redirects_are_followed(server: WebServer, transfer: HttpsTransfer) -> None:
    server.give("/real", b"12345")
    server.fail("/a", status=302, headers={"Location": "/real"})
    server.fail("/a", status=307, headers={"Location": f"{server.url}/real"})
    [found] = transfer.list(f"{server.url}/a")
    assert (found.url, found.name) == (f"{server.url}/a", "a")
    assert b"".join(transfer.read(found, 1, 2)) == b"23"


def test_redirects_end(server: WebServer, transfer: HttpsTransfer) -> None:
    for _ in range(20):
        server.fail("/a", status=302, headers={"Location": "/a"})
    with pytest.raises(RoarError, match="redirects"):
        list(transfer.list(f"{server.url}/a"))


@pytest.mark.parametrize("to", ["http://x/y", "file:///etc/passwd", "ftp://x/y", "data:,x"])
def test_no_redirect_leads_where_it_is_less_safe(to: str) -> None:
    with pytest.raises(RoarError):
        _redirected("https://a/b", "https://a/b", to)


def test_a_login_goes_to_its_own_host_alone(
    server: WebServer, transfer: HttpsTransfer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password CANARY-not-a-secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    list(transfer.list(server.give("/a", b"1")))
    # Over http a password would be for everybody on the way.
    assert all("authorization" not in {n.lower() for n in h} for h in server.headers_asked)


def test_nothing_is_put_to_the_web(transfer: HttpsTransfer) -> None:
    with pytest.raises(UsageError, match="nothing can be put to https"):
        transfer.below("https://example.org/x", "y")
