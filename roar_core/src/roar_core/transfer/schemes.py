"""Which transfer has a URL; a plain path is the URL of a file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from roar_core.config.layers import Config, load
from roar_core.contracts import Offer
from roar_core.errors import PluginError, RoarError, UsageError
from roar_core.hookspecs import RemoteObject, Transfer, Upload
from roar_core.plugins import call_object, config_sections, offered
from roar_core.plugins import load as plugins_of
from roar_core.transfer.file import url_of_path

GROUP = "roar.transfers"
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# Where a scheme that nobody has comes from.
_REMEDIES = {
    "s3": "pip install ./plugins/proxy_s3",
    "gs": "pip install './plugins/transfers[gs]'",
    "hf": "pip install './plugins/transfers[hf]'",
}
_OWN = "roar-core"

T = TypeVar("T")


class Transfers:
    """The transfers of this machine, by scheme; `failures` are of plugins that cannot be used."""

    def __init__(self, offers: Mapping[str, Offer], failures: tuple[PluginError, ...] = ()) -> None:
        self._offers = offers
        self.failures = failures

    @classmethod
    def find(cls, project: Path, config: Config) -> Transfers:
        """Load what is installed."""
        found = offered(GROUP, project, config.section, variables=os.environ)
        by_scheme = {scheme: offer for offer in found.offers for scheme in offer.value.schemes}
        return cls(by_scheme, found.failures)

    def of(self, url: str) -> Transfer:
        """The transfer for a URL. Raises UsageError for a scheme that none of them has."""
        scheme = scheme_of(url)
        offer = self._offers.get(scheme)
        if offer is None:
            known = ", ".join(sorted(f"{name}://" for name in self._offers))
            remedy = _REMEDIES.get(scheme)
            how = f"install one: {remedy}" if remedy else f"roar knows {known}"
            broken = "".join(f"; {failure}" for failure in self.failures)
            raise UsageError(f"there is no transfer for {scheme}:// URLs; {how}{broken}")
        transfer: Transfer = offer.value
        return transfer if offer.ref.distribution == _OWN else _Guarded(offer)


def configured(root: Path, roar_dir: Path, environ: Mapping[str, str]) -> Config:
    """The configuration, with the sections that transfers own."""
    sections, _ = config_sections([plugins_of(GROUP)])
    return load(root, roar_dir, environ, {}, sections)


def is_url(word: str) -> bool:
    """Whether a word is a URL rather than a path."""
    return _URL.match(word) is not None


def scheme_of(url: str) -> str:
    """What stands before ://, in lower case; `file` for a path."""
    match = _URL.match(url)
    return match[1].lower() if match else "file"


def as_url(word: str, cwd: str) -> str:
    """A URL as it is, or the URL of a path; a trailing slash stays. Raises UsageError.

    URLs may hold no login: they are recorded, and published.
    """
    if not is_url(word):
        path = os.path.join(cwd, word)
        slash = "/" * (word.endswith("/") and word.strip("/") != "")
        return url_of_path(os.path.normpath(path)) + slash
    try:
        parts = urlsplit(word)
    except ValueError as error:
        raise UsageError(f"{word!r} is no URL: {error}") from error
    if parts.password is not None or (parts.username is not None and parts.scheme != "sftp"):
        place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        raise UsageError(
            f"the URL for {place} holds a login, which would be recorded; give credentials the way"
            " the store's own tools take them (for https: ~/.netrc)"
        )
    return word


class _Guarded:
    """A plugin's transfer: an exception that is none of ours names the plugin to blame."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self._transfer: Transfer = offer.value
        self.schemes = self._transfer.schemes

    def list(self, url: str) -> Iterator[RemoteObject]:
        return self._each(f"listing {url}", lambda: self._transfer.list(url))

    def read(self, source: RemoteObject, start: int, length: int | None) -> Iterator[bytes]:
        return self._each(
            f"reading {source.url}", lambda: self._transfer.read(source, start, length)
        )

    def below(self, url: str, name: str) -> str:
        return self._call(f"naming {name}", lambda: self._transfer.below(url, name))

    def put(self, upload: Upload) -> RemoteObject:
        return self._call(f"putting {upload.url}", lambda: self._transfer.put(upload))

    def _call(self, doing: str, function: Callable[[], T]) -> T:
        def kept() -> tuple[T, None] | tuple[None, RoarError]:
            try:
                return function(), None
            except RoarError as error:
                return None, error

        value, error = call_object(self._offer.ref, doing, kept)
        if error is not None:
            raise error
        return value  # type: ignore[return-value]

    def _each(self, doing: str, function: Callable[[], Iterator[T]]) -> Iterator[T]:
        iterator = self._call(doing, function)
        try:
            while True:
                found = self._call(doing, lambda: next(iterator, None))
                if found is None:
                    return
                yield found
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
