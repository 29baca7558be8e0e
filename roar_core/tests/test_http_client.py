"""Bodies that a server packed to do harm, and environments in which no client can be made."""

from __future__ import annotations

import gzip
import subprocess
import sys
import zlib
from collections.abc import Iterator

import httpx
import pytest

from roar_core.errors import ConfigError
from roar_core.http_client import PIECE_BYTES, PackedError, new_client, unpacked


def packed(content: bytes) -> bytes:
    """The same bytes at any time: they are part of tests' names."""
    return gzip.compress(content, mtime=0)


class _Body(httpx.SyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._content), 7):
            yield self._content[start : start + 7]


def body(content: bytes, coding: str) -> list[bytes]:
    answer = httpx.Response(200, headers={"Content-Encoding": coding}, stream=_Body(content))
    return list(unpacked("https://r.test", answer))


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("", b"text" * 9),
        ("identity", b"text" * 9),
        ("GZIP", packed(b"text" * 9)),
        ("gzip", packed(b"text" * 4) + packed(b"text" * 5)),
        ("deflate", zlib.compress(b"text" * 9)),
    ],
)
def test_one_layer_is_unpacked(coding: str, content: bytes) -> None:
    assert b"".join(body(content, coding)) == b"text" * 9


def test_what_is_packed_well_comes_in_pieces() -> None:
    pieces = body(packed(bytes(5 << 20)), "gzip")
    assert sum(map(len, pieces)) == 5 << 20
    assert max(map(len, pieces)) <= PIECE_BYTES


@pytest.mark.parametrize(
    ("coding", "content", "sentence"),
    [
        ("gzip, gzip", packed(packed(b"x")), "nobody asked for"),
        ("br", b"x", "nobody asked for"),
        ("gzip", b"no gzip at all", "cannot be unpacked"),
        ("gzip", packed(b"text" * 99)[:-9], "ended in the midst"),
        ("gzip", packed(b"text") + b"rubbish", "cannot be unpacked"),
    ],
)
def test_what_is_packed_otherwise_is_refused(coding: str, content: bytes, sentence: str) -> None:
    with pytest.raises(PackedError, match=sentence):
        body(content, coding)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "socks5://localhost:1"),
        ("HTTPS_PROXY", "ftp://localhost"),
        ("HTTP_PROXY", "http://[::1"),
        ("SSL_CERT_FILE", "/nowhere/at/all"),
        ("SSL_CERT_FILE", "/dev/null"),
    ],
)
def test_an_environment_that_allows_no_client_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=r"cannot be used: .*SSL_CERT_FILE") as caught:
        new_client()
    assert "\n" not in str(caught.value)


def test_nothing_is_imported_that_no_request_of_ours_needs() -> None:
    """Both are there in many environments: each takes longer than all that a request needs."""
    code = (
        "import sys; from roar_core.http_client import new_client; new_client().close();"
        "print(sorted({'httpx', 'pygments', 'rich', 'trio'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['httpx']\n"


def test_what_was_kept_out_of_sight_can_be_had_afterwards() -> None:
    code = (
        "from importlib.util import find_spec; before = find_spec('trio');"
        "from roar_core.http_client import new_client; new_client().close();"
        "assert (find_spec('trio') is None) == (before is None)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
