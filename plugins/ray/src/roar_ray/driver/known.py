"""The tasks of which Ray itself knows, as they are written into the run's folder."""

from __future__ import annotations

import json
import os

from roar_ray.driver import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def write(folder: str, found: Mapping[str, str]) -> None:
    """Add tasks to those known of the run, a JSON array (task, node) a line."""
    with open(os.path.join(folder, places.KNOWN), "a", encoding="ascii") as target:
        target.writelines(f"{json.dumps(pair)}\n" for pair in found.items())
