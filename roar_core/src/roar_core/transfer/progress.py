"""How far a transfer has come."""

from __future__ import annotations

import threading

from roar_core.progress import ProgressLine
from roar_core.spelling import size

_BAR = 20


class TransferProgress(ProgressLine):
    """Counts what `advance` is told from any thread; `tick` shows it, from one thread.

    `doing` is "getting" or "putting".
    """

    def __init__(self, doing: str, total_bytes: int, total_files: int) -> None:
        super().__init__()
        self._doing = doing
        self._total_bytes = total_bytes
        self._total_files = total_files
        self._lock = threading.Lock()
        self.bytes = 0
        self.files = 0

    def advance(self, count: int, files: int) -> None:
        """So many more bytes, and files, are there."""
        with self._lock:
            self.bytes += count
            self.files += files

    def tick(self) -> None:
        """Show how far it has come."""
        self.show(self._line)

    def _line(self, seconds: float) -> str:
        done, total = self.bytes, max(self._total_bytes, self.bytes)
        rate = done / seconds if seconds > 0 else 0
        part = done / total if total else self.files / max(1, self._total_files)
        bar = ("#" * int(part * _BAR)).ljust(_BAR, ".")
        left = ""
        if rate > 0 and total > done:
            left = f", {(total - done) / rate:.0f} s left"
        return (
            f"roar: {self._doing} [{bar}] {part:4.0%}  {size(done)} of {size(total)},"
            f" {self.files:,} of {self._total_files:,} files, {size(rate)}/s{left}"
        )
