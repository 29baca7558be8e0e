"""Which files are Ray's or the agent's own, and nobody's data."""

from __future__ import annotations

import re
from pathlib import PurePath

from roar_ray.driver.places import PACKAGE

# Ray's folder of one cluster, wherever its temporary directory is.
_SESSION = re.compile(r"session_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_\d+_\d+")
# Within it, copies of what the user sends to the nodes: data, and code.
_CODE = "py_modules_files"
# In every path of theirs is one of these, and in hardly another.
_HINT = re.compile(r"/(?:session_|tmp/ray/|dev/shm/|\.ray/|roar-ray-)").search
_THEIRS = {"working_dir_files", _CODE}


def is_ray_s(path: PurePath) -> bool:
    """What Ray, and what the agent, keep for themselves, within a cluster's folder and outside."""
    if _HINT(f"/{path}/") is None:
        return False
    parts = path.parts
    for at, part in enumerate(parts):
        if part.startswith("session_") and _SESSION.fullmatch(part):
            return _THEIRS.isdisjoint(parts[at:]) or _is_carried(parts[at:])
    return (
        parts[1:3] in {("tmp", "ray"), ("dev", "shm")}
        or ".ray" in parts[1:-1]
        or any(part.startswith("roar-ray-") for part in parts[1:-1])
    )


def _is_carried(parts: tuple[str, ...]) -> bool:
    """Whether it is of what was carried along: …/py_modules_files/<its hash>/<package>."""
    return _CODE in parts[:-2] and parts[parts.index(_CODE) + 2] == PACKAGE
