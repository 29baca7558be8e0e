"""How digests are written, and which algorithms are those of datasets."""

from __future__ import annotations

ETAG = "etag"
"""An object store's own, which need not be hexadecimal."""

COMPOSITE = "composite-"
"""How the algorithms of datasets begin."""

_HEXADECIMAL = frozenset("0123456789abcdef")


def is_hexadecimal(text: str) -> bool:
    """Whether a text is of hexadecimal digits alone, in lower case; of none, too."""
    return _HEXADECIMAL.issuperset(text)


def is_composite(algorithm: str) -> bool:
    """Whether what has a digest of this algorithm is a dataset."""
    return algorithm.startswith(COMPOSITE)


def digest_text(algorithm: str, value: bytes) -> str:
    """A digest as it is written."""
    return value.decode("ascii") if algorithm == ETAG else value.hex()


def digest_bytes(algorithm: str, text: str) -> bytes:
    """The bytes of a digest that `digest_text` wrote."""
    return text.encode("ascii") if algorithm == ETAG else bytes.fromhex(text)
