"""Clients for HTTP as the user's environment wants them, and bodies that are unpacked with care.

httpx unpacks whatever a server packed, as often as it says so: a few bytes become all of the
memory. Here one layer is unpacked, a piece at a time.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from roar_core.errors import ConfigError, RoarError

if TYPE_CHECKING:
    import httpx

# httpx imports its own command line as well where that can be had: half of its import, for nothing.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

PIECE_BYTES = 1 << 20
_PACKED = ("gzip", "x-gzip", "deflate")
# For zlib: a header of gzip or its own, whichever there is.
_EITHER_HEADER = zlib.MAX_WBITS | 32


class PackedError(RoarError):
    """A body that was packed in a way that cannot, or must not, be unpacked."""


def new_client(**options: Any) -> httpx.Client:
    """A client of httpx. Raises ConfigError for a proxy or certificates that cannot be used."""
    import httpx

    with _out_of_sight("trio"):
        import httpcore  # noqa: F401 - httpx imports it when it makes the first client
    try:
        return httpx.Client(**options)
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
        reason = str(error).split(". ")[0].rstrip(".")
        raise ConfigError(
            f"the proxy or the certificates that the environment names cannot be used: {reason};"
            " look at HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR"
        ) from error


@contextmanager
def _out_of_sight(module: str) -> Iterator[None]:
    """Let a module that nobody imported so far be none that can be had.

    httpcore imports trio, where it is installed, for clients that wait otherwise than ours: more
    than all else that a request needs.
    """
    is_there = module in sys.modules
    if not is_there:
        sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if not is_there:
            del sys.modules[module]


def unpacked(url: str, answer: httpx.Response) -> Iterator[bytes]:
    """The body in pieces of at most PIECE_BYTES.

    Raises PackedError for one that is packed otherwise than once by gzip, or that ends too early.
    """
    coding = answer.headers.get("content-encoding", "").strip().lower()
    if coding in ("", "identity"):
        for raw in answer.iter_raw():
            for start in range(0, len(raw), PIECE_BYTES):
                yield raw[start : start + PIECE_BYTES]
    elif coding in _PACKED:
        yield from _unzipped(url, answer.iter_raw())
    else:
        raise PackedError(f"{url} answers in a form that nobody asked for: {coding[:40]}")


def _unzipped(url: str, packed: Iterator[bytes]) -> Iterator[bytes]:
    unzip = zlib.decompressobj(_EITHER_HEADER)
    has_begun = False
    try:
        for part in packed:
            rest = part
            while rest or not unzip.eof:
                if unzip.eof:  # another member, as gzip files may have
                    unzip = zlib.decompressobj(_EITHER_HEADER)
                has_begun = True
                piece = unzip.decompress(rest, PIECE_BYTES)
                rest = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
                if piece:
                    yield piece
                elif not rest:
                    break
    except zlib.error as error:
        raise PackedError(f"{url} gave something that cannot be unpacked; try again") from error
    if has_begun and not unzip.eof:
        raise PackedError(f"{url} ended in the midst of what it packed; try again")
