"""What goes wrong in the agent: told in the journal, once for each place, and nowhere else."""

from __future__ import annotations

import json

from . import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Tell = Callable[[int, int, bytes], None]

_tell: Tell | None = None
_told: set[str] = set()


def tell_by(tell: Tell) -> None:
    """Where it is told from now on."""
    global _tell
    _tell = tell


def told(place: str, error: BaseException) -> None:
    """Record that the agent failed in this place. Raises nothing, whatever has become of us."""
    try:
        if place in _told or _tell is None:
            return
        _told.add(place)
        what = f"{type(error).__name__}: {error}"[:1000]
        _tell(0, records.TROUBLE, json.dumps({"place": place, "error": what}).encode())
    except Exception:
        return
