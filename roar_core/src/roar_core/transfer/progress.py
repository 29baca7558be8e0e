"""How far a transfer has come: one line on the terminal, and no trace of it afterwards."""

from __future__ import annotations

import threading

from roar_core.hashing.progress import HashProgress, readable

_BAR = 20


class TransferProgress(HashProgress):
    """Counts what `advance` is told from any thread; `tick` shows it, from one thread.

    `doing` is "getting" or "putting".
    """

    def __init__(self, doing: str, total_bytes: int, total_files: int) -> None:
        super().__init__(words=self._line)
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
        self(self.bytes, max(self._total_bytes, self.bytes), self.files)

    def _line(self, done: int, total: int, files: int, seconds: float) -> str:
        rate = done / seconds if seconds > 0 else 0
        part = done / total if total else files / max(1, self._total_files)
        bar = ("#" * int(part * _BAR)).ljust(_BAR, ".")
        left = ""
        if rate > 0 and total > done:
            left = f", {(total - done) / rate:.0f} s left"
        return (
            f"roar: {self._doing} [{bar}] {part:4.0%}  {readable(done)} of {readable(total)},"
            f" {files:,} of {self._total_files:,} files, {readable(rate)}/s{left}"
        )
