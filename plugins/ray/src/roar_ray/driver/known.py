"""The tasks of which Ray itself knows, as they are written into the run's folder."""

from __future__ import annotations

import json
import os

from roar_ray.driver import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def write(folder: str, found: Iterable[tuple[str, str, int]]) -> None:
    """Add attempts to those known of the run, a JSON array (task, node, pid) a line."""
    with open(os.path.join(folder, places.KNOWN), "a", encoding="ascii") as target:
        target.writelines(f"{json.dumps(each)}\n" for each in found)
