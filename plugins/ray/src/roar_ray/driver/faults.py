"""Nothing that goes wrong on our side reaches the user's program: it is written down for roar."""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager, suppress

from roar_ray.driver import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Faults:
    """Writes to a file in the run's folder; where that is out of reach, nobody is told."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, places.FAULTS)
        self._lock = threading.Lock()
        self._told: set[str] = set()

    @contextmanager
    def kept(self, doing: str) -> Iterator[None]:
        """Whatever ordinary exception comes out of this is noted, once, and goes no further."""
        try:
            yield
        except Exception as error:
            self.note(f"{doing}: {type(error).__name__}: {error}")

    def note(self, what: str) -> None:
        """Say what cannot be known of the run."""
        line = json.dumps(what[:500]) + "\n"
        with self._lock, suppress(OSError):
            if what in self._told:
                return
            self._told.add(what)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, 0o600)
            try:
                os.write(descriptor, line.encode("ascii"))
            finally:
                os.close(descriptor)
