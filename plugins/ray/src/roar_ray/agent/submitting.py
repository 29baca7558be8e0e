"""In a driver: which tasks it gives the results of which, and whose results it fetches itself.

A line of JSON for each submission that is given refs, `{"task": …, "needs": […]}`, and for each
fetch of something new, `{"needs": […]}`. Installed by what starts in the driver; workers tell the
same in their journals.
"""

from __future__ import annotations

import json
import os

from . import records
from .needs import Edges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def install(ray: Any, path: str) -> list[str]:
    """Write what this driver does to a file that nobody else writes; return what cannot be seen.

    Raises OSError when the file cannot be made.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    file = os.open(path, flags, 0o600)
    fetched: set[str] = set()

    def tell(_: int, event: int, text: bytes) -> None:
        if event == records.SUBMITTED:
            os.write(file, text + b"\n")

    def fetch(tasks: set[str]) -> None:
        new = tasks - fetched
        if new:
            fetched.update(new)
            os.write(file, json.dumps({"needs": sorted(new)}).encode() + b"\n")

    return Edges(tell, fetch).install(ray)
