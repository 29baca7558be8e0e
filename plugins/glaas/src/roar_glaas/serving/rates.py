"""How often one address or account may ask: token buckets that all processes of a machine share.

Each bucket is one number, the moment at which it would be full again (the generic cell rate
algorithm), in a table in a file that every process maps. Two processes that take a token at the
very same moment may take one for two; nothing is locked, and no memory grows with the addresses.
Two that fall onto one place of the table share a bucket: one in a hundred, with 2,600 of them.
Servers on several machines each count for themselves.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import re
import secrets
import struct
import tempfile
import time
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from roar_glaas.errors import TooMany
from roar_glaas.settings import Settings

_KEY_BYTES = 32
_PLACES = 1 << 18
_MOMENT = struct.Struct("=d")
_SIZE = _KEY_BYTES + _PLACES * _MOMENT.size

# Where somebody proves who they are. Asking whether a device was approved is none of these: its
# code cannot be guessed, and a client asks every few seconds.
_PROVING = ("/api/v1/auth/", "/sign-in", "/device", "/account/password")
_PATIENT = ("/api/v1/auth/device/token", "/api/v1/auth/logout")
# Costs a row of the database before anybody has proven anything.
_COSTLY = "/api/v1/auth/device/start"


def is_attempt(method: str, path: str) -> bool:
    """Whether a request tries to sign in, or to get credentials."""
    route = _spelled(path)
    return method == "POST" and route.startswith(_PROVING) and not route.startswith(_PATIENT)


def counts_always(path: str) -> bool:
    """Whether an attempt counts though it succeeded."""
    return _spelled(path) == _COSTLY


def _spelled(path: str) -> str:
    """A path as its route is written: the application takes more slashes for one, or none."""
    return re.sub("/+", "/", path).rstrip("/")


class Buckets:
    """The table of one data directory."""

    def __init__(self, data: Path) -> None:
        file = data / "rates"
        if not file.is_file() or file.stat().st_size != _SIZE:
            _make(file)
        with file.open("r+b") as opened:
            self._table = mmap.mmap(opened.fileno(), _SIZE)
        self._key = self._table[:_KEY_BYTES]

    def take(self, who: str, per_minute: int) -> float:
        """Take a token of the bucket named `who`; returns 0, or the seconds until there is one.

        A bucket holds `per_minute` tokens and gets as many back in a minute; 0: no limit.
        """
        if not per_minute:
            return 0.0
        place, now = self._place(who), time.monotonic()
        interval_s = 60 / per_minute
        full_at = self._read(place, now)
        wait_s = full_at + interval_s - now - 60
        if wait_s > 1e-9:
            return wait_s
        _MOMENT.pack_into(self._table, place, full_at + interval_s)
        return 0.0

    def give_back(self, who: str, per_minute: int) -> None:
        """Return a token that was taken for what turned out to deserve none."""
        if per_minute:
            place, now = self._place(who), time.monotonic()
            _MOMENT.pack_into(self._table, place, self._read(place, now) - 60 / per_minute)

    def _read(self, place: int, now: float) -> float:
        (full_at,) = _MOMENT.unpack_from(self._table, place)
        # A bucket is full again within a minute. More is from before the machine was restarted,
        # when its clock began anew; so is what is no number.
        return float(full_at) if now < full_at <= now + 61 else now

    def _place(self, who: str) -> int:
        # Keyed, so that nobody can look for an address that empties another's bucket.
        found = hashlib.blake2b(who.encode(), digest_size=8, key=self._key).digest()
        return _KEY_BYTES + int.from_bytes(found) % _PLACES * _MOMENT.size


class Rates:
    """The limits of one server."""

    def __init__(self, settings: Settings) -> None:
        self._buckets = Buckets(settings.data)
        self._settings = settings

    def request(self, address: str) -> None:
        """Count a request of an address; raises TooMany."""
        limit = self._settings.requests_per_minute
        self._take(f"request {group_of(address)}", limit, "this address has asked too often")

    def account(self, name: str) -> None:
        """Count a request of an account; raises TooMany."""
        limit = self._settings.account_requests_per_minute
        self._take(f"account {name}", limit, "this account has asked too often")

    def attempt(self, address: str) -> None:
        """Count an attempt to sign in as failed, until `succeeded`; raises TooMany."""
        self._take(
            f"attempt {group_of(address)}",
            self._settings.attempts_per_minute,
            "too many attempts to sign in from this address",
        )

    def succeeded(self, address: str) -> None:
        """The attempt was none to be counted."""
        self._buckets.give_back(f"attempt {group_of(address)}", self._settings.attempts_per_minute)

    def _take(self, who: str, per_minute: int, sentence: str) -> None:
        wait_s = self._buckets.take(who, per_minute)
        if wait_s:
            after_s = int(wait_s) + 1
            raise TooMany(f"{sentence}; try again in {after_s} s", retry_after_s=after_s)


def group_of(address: str) -> str:
    """What an address counts as. Who has one of IPv6 has 2^64 of them: they count as one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return parsed.packed[:8].hex()
    return address


def _make(file: Path) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".rates-")
    made = Path(name)
    with os.fdopen(handle, "wb") as opened:
        opened.write(secrets.token_bytes(_KEY_BYTES))
        opened.truncate(_SIZE)
    if file.is_file() and file.stat().st_size != _SIZE:
        file.unlink()  # of a version that kept it otherwise
    # Of several processes that start at once the first makes the table, the others use it.
    with contextlib.suppress(FileExistsError):
        file.hardlink_to(made)
    made.unlink()
