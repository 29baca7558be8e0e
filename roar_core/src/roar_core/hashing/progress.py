"""How far hashing has come."""

from __future__ import annotations

from roar_core.progress import ProgressLine
from roar_core.spelling import size


class HashProgress(ProgressLine):
    """What to give `hash_files` as `on_progress`."""

    def __call__(self, done_bytes: int, total_bytes: int, files_done: int) -> None:
        """Show how far hashing has come."""
        self.show(lambda seconds: progress_line(done_bytes, total_bytes, files_done, seconds))


def progress_line(done_bytes: int, total_bytes: int, files_done: int, seconds: float) -> str:
    """The line's words."""
    rate = done_bytes / seconds if seconds > 0 else 0
    files = "1 file" if files_done == 1 else f"{files_done} files"
    return f"roar: hashing {size(done_bytes)} of {size(total_bytes)}, {files} done, {size(rate)}/s"
