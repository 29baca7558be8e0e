"""The code of ours that a cluster's nodes run first, as one folder among the user's modules.

Python runs a package called `sitecustomize` before anything else. In a worker it sees to the
preload library, which only the loader can bring in; in a driver that was submitted it does what it
does in a local one. Nothing of roar need be on the nodes.
"""

from __future__ import annotations

import logging
import os
import platform
import shutil
import uuid

from roar_ray.driver import told as telling
from roar_ray.driver.places import PACKAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# Who tells at level INFO what is uploaded.
_LOGGERS = (
    "ray._private.runtime_env.packaging",
    "ray.dashboard.modules.dashboard_sdk",
    "ray.util.client.worker",
)
_LIBRARY = "libroar_preload.so"


class Unsaid(logging.Filter):
    """Keeps Ray from telling the user, line by line, of a package that they did not give it."""

    def __init__(self, package: str) -> None:
        super().__init__()
        self._names = [package, _uri_of(package)]
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return not any(name and name in message for name in self._names)


def _uri_of(package: str) -> str:
    """What Ray will call it; empty where this Ray does not tell before it has."""
    try:
        from ray._private.runtime_env.packaging import (
            get_uri_for_directory,
        )

        return str(get_uri_for_directory(package, include_gitignore=True))
    except (ImportError, TypeError):
        return ""


def is_carried(folder: str) -> bool:
    """Whether the code in `folder` was carried to where it runs."""
    return os.path.basename(folder) == PACKAGE


def packed(told: telling.Told, folder: str) -> str:
    """Make the package of the code in `folder`, with the library for machines like this one.

    Returns its path, within the run's folder: what lies there is nobody's data. Code that was
    carried to where it runs is such a package already.
    """
    if is_carried(folder):
        return folder
    package = os.path.join(told.folder, "carried", uuid.uuid4().hex, PACKAGE)
    shutil.copytree(folder, package, ignore=shutil.ignore_patterns("__pycache__"))
    first = os.path.join(package, "sitecustomize.py")
    os.rename(first, os.path.join(package, "__init__.py"))
    library = library_here(told)
    if library:
        name = f"libroar_preload-{platform.machine()}.so"
        shutil.copyfile(library, os.path.join(package, name))
    Unsaid(package)
    return package


def library_here(told: telling.Told) -> str:
    """The preload library for machines like this one; empty when there is none to be used.

    That by which this process is observed, or which roar has while another tracer observes it.
    """
    if told.capture == "python":
        return ""
    preloaded = os.environ.get("LD_PRELOAD", "").replace(" ", ":").split(":")
    found = next((path for path in preloaded if path.endswith(f"/{_LIBRARY}")), "")
    return found or (told.library if _is_usable(told.library) else "")


def _is_usable(path: str) -> bool:
    """Whether the loader of this process would take it: it would say aloud that it does not."""
    is_whole = bool(path) and not set(path) & set(": ")
    return is_whole and platform.libc_ver()[0] == "glibc" and os.access(path, os.R_OK)


def with_package(runtime_env: Mapping[str, Any] | None, package: str) -> dict[str, Any]:
    """The user's runtime environment with the package before their own modules."""
    found = dict(runtime_env or {})
    found["py_modules"] = [package, *(found.get("py_modules") or ())]
    return found
