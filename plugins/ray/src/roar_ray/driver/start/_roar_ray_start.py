"""In every Python of a command: wait for Ray, and do nothing where there is none."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

_WORKER = "ray/_private/workers/default_worker.py"
_WAITING = "4:wait"
_LIBRARY = "libroar_preload"
# What code is called that was carried to where it runs.
_CARRIED = "/sitecustomize"
# What Ray gives to each process of a job that was submitted.
_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"


def start(folder: str) -> None:
    """`folder` holds this module, and the package `roar_ray` beside it."""
    # Since Python 3.10, and what it was started with: sys.argv is not there yet.
    words: list[str] = getattr(sys, "orig_argv", [])
    if any(word.endswith(_WORKER) for word in words):
        _enter_library(folder, words)
        return
    if folder.endswith(_CARRIED) and _JOB in os.environ:
        _observe(folder, words)
    from _roar_imports import watch  # type: ignore[import-not-found]

    def join(ray_worker: ModuleType) -> None:
        _entering(folder).join(ray_worker, folder)

    def submit(sdk: ModuleType) -> None:
        _entering(folder).submit(sdk, folder)

    def reach(client_worker: ModuleType) -> None:
        _entering(folder).reach(client_worker, folder)

    watch(
        {
            "ray._private.worker": join,
            "ray.dashboard.modules.job.sdk": submit,
            "ray.util.client.worker": reach,
        }
    )


def _entering(folder: str) -> Any:
    """Our own package, from that folder, which is not on the user's path."""
    sys.path.insert(0, folder)
    try:
        from roar_ray.driver import entering
    finally:
        sys.path.remove(folder)
    return entering


def _observe(folder: str, words: list[str]) -> None:
    """Have a process of a submitted job observed, to which roar's own tracer does not reach."""
    before = os.environ.get("ROAR_TRACE")
    if before is None:
        os.environ["ROAR_TRACE"] = _WAITING
        _enter_library(folder, words)
    elif before != _WAITING:
        return  # whoever has started it reports for it
    _entering(folder).observe(folder)


def _enter_library(folder: str, words: list[str]) -> None:
    """Have the loader bring in the library for this process, if there is one that it can use.

    Only a new start does that: of the same process, before Ray has begun anything in it.
    """
    before = os.environ.get("LD_PRELOAD")
    if os.environ.get("ROAR_TRACE") != _WAITING or _LIBRARY in (before or ""):
        return
    path = _library(folder)
    if not os.path.exists(path) or set(path) & set(": ") or not _may_be_loaded(path):
        return
    os.environ["LD_PRELOAD"] = f"{before}:{path}" if before else path
    try:
        os.execv(sys.executable, words)  # noqa: S606 - no shell is wanted
    except OSError:
        if before is None:
            del os.environ["LD_PRELOAD"]
        else:
            os.environ["LD_PRELOAD"] = before


def _library(folder: str) -> str:
    """The one that was carried here, or roar's own on its machine; empty where none is wanted."""
    if folder.endswith(_CARRIED):
        return f"{folder}/{_LIBRARY}-{os.uname().machine}.so"
    import json

    try:
        with open(f"{folder}/ray.json", encoding="utf-8") as source:
            told = json.load(source)
    except (OSError, ValueError):  # the run has ended, and its folder is gone
        return ""
    return "" if told["capture"] == "python" else str(told["library"])


def _may_be_loaded(path: str) -> bool:
    try:
        is_glibc = "glibc" in (os.confstr("CS_GNU_LIBC_VERSION") or "")
        return is_glibc and not os.statvfs(path).f_flag & os.ST_NOEXEC
    except (ValueError, OSError):
        return False
