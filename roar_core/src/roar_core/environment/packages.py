"""The packages whose code a program really used: Python distributions and system packages.

Told from the files that the program was seen to open, in the program's own environment. roar's
environment plays no part, so nothing that roar itself imports can leak in.
"""

from __future__ import annotations

from collections.abc import Iterable

from roar_core.environment.python_packages import python_packages
from roar_core.environment.system_packages import system_packages
from roar_core.model.environment import Packages

__all__ = ["packages_used", "python_packages", "system_packages"]


def packages_used(
    paths: Iterable[str], system_paths: Iterable[str], cache_dir: str | None = None
) -> Packages:
    """The Python distributions that own code among `paths`, and the owners of `system_paths`.

    `cache_dir` is where what package databases say is kept between runs, by default the user's.
    """
    return Packages(python_packages(paths, cache_dir), system_packages(system_paths, cache_dir))
