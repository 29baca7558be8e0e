"""The code of ours that a cluster's nodes run first, as one folder among the user's modules.

Python runs a package called `sitecustomize` before anything else. In a worker it sees to the
preload library, which only the loader can bring in; in a driver that was submitted it does what it
does in a local one. Nothing of roar need be on the nodes.
"""

from __future__ import annotations

import os
import platform
import shutil
import uuid

from roar_ray.driver import told as telling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PACKAGE = "sitecustomize"


def is_carried(folder: str) -> bool:
    """Whether the code in `folder` was carried to where it runs."""
    return os.path.basename(folder) == PACKAGE


def packed(told: telling.Told, folder: str) -> str:
    """Make the package of the code in `folder`, with the library for machines like this one.

    Returns its path, within the run's folder: what lies there is nobody's data.
    """
    package = os.path.join(told.folder, "carried", uuid.uuid4().hex, PACKAGE)
    shutil.copytree(folder, package, ignore=shutil.ignore_patterns("__pycache__"))
    first = os.path.join(package, "sitecustomize.py")
    os.rename(first, os.path.join(package, "__init__.py"))
    if told.library and told.capture != "python":
        shutil.copyfile(told.library, os.path.join(package, library_for(platform.machine())))
    return package


def library_for(machine: str) -> str:
    """The name of the preload library in the package, for machines of that kind."""
    return f"libroar_preload-{machine}.so"


def with_package(runtime_env: Mapping[str, Any] | None, package: str) -> dict[str, Any]:
    """The user's runtime environment with the package before their own modules."""
    found = dict(runtime_env or {})
    found["py_modules"] = [package, *(found.get("py_modules") or ())]
    return found
