"""When a digest computed earlier may stand for a file that has not been read again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from roar_core.model.fingerprint import Fingerprint

# A write stamps mtime and ctime with a clock that advances once per jiffy, 10 ms at CONFIG_HZ=100.
# Two writes in one jiffy leave equal fingerprints, so a file is trusted only when reading began two
# jiffies after its last change: whatever is written from then on must carry a later stamp.
SETTLE_NS = 20_000_000
# FAT and ext3 keep whole seconds, FAT even ones only; a ctime of a whole second gives them away.
COARSE_SETTLE_NS = 2_000_000_000 + SETTLE_NS

FingerprintKey = tuple[int, int, int, int, int]


class StatCache(Protocol):
    """Remembers digests by fingerprint between runs; the session database implements it."""

    def digests_for(
        self, fingerprints: Iterable[Fingerprint], algorithm: str
    ) -> dict[FingerprintKey, str]:
        """Hex digests known for these versions, by `key_of`.

        Device, inode, size, mtime_ns and ctime_ns must all be those remembered, and `is_settled`.
        """

    def remember(self, rows: Iterable[tuple[Fingerprint, str, str, int]]) -> None:
        """Keep (fingerprint, algorithm, hex, time reading began in ns) of each row."""


def key_of(fingerprint: Fingerprint) -> FingerprintKey:
    """Device, inode, size, mtime_ns, ctime_ns: what must agree for a digest to be reused."""
    return fingerprint[:5]


def is_settled(fingerprint: Fingerprint, read_at_ns: int) -> bool:
    """Whether bytes read from `read_at_ns` on are the only ones this fingerprint can mean.

    `read_at_ns` is when reading *began*: a change after that moment but before the end of a long
    read must show in the times.
    """
    grain = SETTLE_NS if fingerprint.ctime_ns % 1_000_000_000 else COARSE_SETTLE_NS
    return read_at_ns - max(fingerprint.mtime_ns, fingerprint.ctime_ns) > grain
