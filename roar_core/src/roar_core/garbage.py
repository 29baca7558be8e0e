"""Spares the cycle collector the work of looking through 10^5 tuples that cannot form a cycle."""

from __future__ import annotations

import gc


class collection_paused:
    """Let nothing be collected inside the block; measured, it halves decoding and judging."""

    def __enter__(self) -> None:
        self._was_collecting = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._was_collecting:
            gc.enable()
