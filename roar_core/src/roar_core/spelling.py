"""How names, times and sizes are spelt: JSON has text only, and file names hold any bytes."""

from __future__ import annotations

import os
import time


def text(name: str) -> str:
    """`name` as text that every JSON reader accepts: undecodable bytes become U+FFFD."""
    if is_text(name):
        return name
    return os.fsencode(name).decode("utf-8", "replace")


def is_text(name: str) -> bool:
    """Whether `name` is UTF-8, so that `text` says all of it."""
    if name.isascii():
        return True
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def base64_of(name: str) -> str:
    """The exact bytes of a name, in base64."""
    from base64 import b64encode

    return b64encode(os.fsencode(name)).decode("ascii")


def timestamp(ns: int) -> str:
    """Nanoseconds since the epoch as RFC 3339 UTC, to the microsecond."""
    return f"{exact_timestamp(ns)[:-4]}Z"


def exact_timestamp(ns: int) -> str:
    """Nanoseconds since the epoch as RFC 3339 UTC, every digit of them."""
    seconds, fraction = divmod(ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{fraction:09d}Z"


def size(size_bytes: float) -> str:
    """Bytes in decimal units, three significant digits: `12.3 kB`."""
    value = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} PB"
