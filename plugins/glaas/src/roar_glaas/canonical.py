"""Canonical JSON of what the registry put together itself: of many thousand records at once."""

from __future__ import annotations

from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder(order="sorted")


def canonical_bytes(value: Any) -> bytes:
    """What `roar_core.identity.canonical_json` gives, several times as quick, and unchecked.

    For values that intake has checked: keys in ASCII, whose order by bytes is that by UTF-16;
    integers up to 2**53 - 1 and no fractions; texts without half characters.
    """
    return _ENCODER.encode(value)
