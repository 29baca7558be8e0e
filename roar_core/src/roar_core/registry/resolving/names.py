"""What of a REF a registry can be asked: digits of a hash or uid, alone or in a page's address."""

from __future__ import annotations

import re

from roar_core.errors import NotFoundError

SHORTEST = 8
# sha512 is the longest digest that a registry knows.
_DIGITS = re.compile(
    rf"(?:(?P<algorithm>[a-z0-9][a-z0-9-]*):)?(?P<digits>[0-9a-fA-F]{{{SHORTEST},128}})"
)
_PAGE = re.compile(r"/(?:dag|artifacts|jobs)/(?P<digits>[0-9a-fA-F]{8,128})(?:/[a-z]+)?/?")


def digits_in(ref: str) -> str | None:
    """The digits of a hash, of a uid, or of the beginning of one; None of anything else."""
    match = _DIGITS.fullmatch(ref)
    return match and match["digits"].lower()


def is_url(ref: str) -> bool:
    """Whether a REF is written as the address of a page."""
    return ref.startswith(("https://", "http://"))


def digits_of_page(ref: str, registry: str) -> str:
    """What a page of the registry at the address `registry` is about.

    Raises NotFoundError for a page of anybody else, or of nothing that was recorded.
    """
    from urllib.parse import urlsplit

    from roar_core.registry.address import normalised

    parts = urlsplit(ref)
    if normalised(f"{parts.scheme}://{parts.netloc}") != registry:
        raise NotFoundError(
            f"{ref!r} is no page of {registry}, the registry that is asked here;"
            " another is chosen with registry.url"
        )
    match = _PAGE.fullmatch(parts.path)
    if match is None:
        raise NotFoundError(
            f"{ref!r} is the page of no session, job or artifact; give one like {registry}/dag/HASH"
        )
    return match["digits"].lower()
