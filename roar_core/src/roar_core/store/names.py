"""Names and paths as columns hold them, for who reads them without the model's values.

Apart from `rows`, whose imports take longer than a look at a whole session.
"""

from __future__ import annotations

import os

INPUT, OUTPUT = 0, 1


def from_sql(value: str | bytes) -> str:
    """Return the name as `os.fsdecode` gives it in this process."""
    if isinstance(value, str) and value.isascii():
        return value
    return os.fsdecode(value.encode() if isinstance(value, str) else value)


def path_from_sql(value: str | bytes, project: str, kind: str) -> str:
    """Return the absolute path, or the URL of an object."""
    path = from_sql(value)
    if kind == "object" or path.startswith("/"):
        return path
    return project if path == "." else f"{project}/{path}"
