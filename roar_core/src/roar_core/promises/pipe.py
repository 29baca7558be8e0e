"""What exporters and transfers write to when it leads into another program."""

from __future__ import annotations

import io


class Pipe(io.BytesIO):
    """What `roar export | less` writes to: bytes go in, in order, and none comes back."""

    def __init__(self) -> None:
        super().__init__()
        self.misdeeds: list[str] = []

    @property
    def content(self) -> bytes:
        """All that was written."""
        return self.getvalue()

    def seekable(self) -> bool:
        return False

    def readable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self.misdeeds.append("seek()")
        return self.tell()

    def read(self, size: int | None = -1, /) -> bytes:
        self.misdeeds.append("read()")
        return b""

    def truncate(self, size: int | None = None, /) -> int:
        self.misdeeds.append("truncate()")
        return self.tell()

    def close(self) -> None:
        # Left open, so that what was written can still be looked at.
        self.misdeeds.append("close()")
