"""In a driver: which tasks it gives the results of which, and whose results it fetches itself.

A line of JSON for each submission that is given refs, `{"task": …, "needs": […]}`, one for each ref
of what a thread put, as of a task that needs nothing, and for each fetch of something new,
`{"needs": […]}`. Installed by what starts in the driver; workers tell the same in their journals.
"""

from __future__ import annotations

import json
import os

from . import records
from .needs import Edges, is_of_a_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# Of more, Ray's answer to which there were would take more memory than a driver should be taken:
# some five kilobytes each, 0.5 GB of the hundred thousand that Ray remembers.
ASKED_MOST = 20_000
_edges: Edges | None = None
_lines: _Lines | None = None


def are_few() -> bool:
    """Whether this driver has submitted so few tasks that Ray may be asked for them."""
    return _edges is None or _edges.submissions <= ASKED_MOST


def install(ray: Any, path: str) -> list[str]:
    """Write what this driver does to a file that nobody else writes; return what cannot be seen.

    Raises OSError when the file cannot be made.
    """
    global _edges, _lines
    lines = _lines = _Lines(path)

    def tell(_: int, event: int, text: bytes) -> None:
        if event == records.SUBMITTED:
            lines.write(text)

    def put(ref: str) -> None:
        # Of the program's first thread the ref says itself that it is a driver's.
        if is_of_a_thread(ref):
            lines.write(json.dumps({"task": ref, "needs": []}).encode())

    _edges = Edges(tell, lines.fetch, put)
    return _edges.install(ray)


def go_on_in(path: str) -> None:
    """Write what follows to another file: the driver is in another cluster. As `install`."""
    if _lines is not None:
        _lines.go_on_in(path)


class _Lines:
    """The file in which this driver writes, of one cluster."""

    def __init__(self, path: str) -> None:
        self._file = _opened(path)
        self._fetched: set[str] = set()

    def go_on_in(self, path: str) -> None:
        # By the same number: other threads may be writing.
        fresh = _opened(path)
        os.dup2(fresh, self._file, inheritable=False)
        os.close(fresh)
        self._fetched = set()

    def write(self, line: bytes) -> None:
        os.write(self._file, line + b"\n")

    def fetch(self, tasks: set[str]) -> None:
        new = tasks - self._fetched
        if new:
            self._fetched.update(new)
            self.write(json.dumps({"needs": sorted(new)}).encode())


def _opened(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.open(path, flags, 0o600)
