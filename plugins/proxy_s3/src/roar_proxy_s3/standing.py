"""The one proxy of a user that was started by hand, and stands until it is stopped."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from roar_core.errors import RoarError
from roar_proxy_s3.runs import listener
from roar_proxy_s3.runs.passed import facts_in

_DRAIN_S = 60.0


def start_standing(environ: Mapping[str, str]) -> str:
    """Start it; returns its URL. Raises RoarError when there is one, or can be none."""
    folder = _folder()
    if (found := standing()) is not None:
        raise RoarError(f"a proxy listens at {found['url']} already; end it with: roar proxy stop")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    try:
        started = listener.start(folder, environ)
        answer = listener.answer(folder)
    except OSError as error:
        shutil.rmtree(folder)
        raise RoarError(f"{error}; see: roar proxy status") from error
    if started is None or not answer.injects:
        listener.end(folder, _DRAIN_S)
        shutil.rmtree(folder)
        why = answer.reason or "no credentials for S3 were found; see aws configure"
        raise RoarError(f"no proxy was started: {why}")
    return started.url


def standing() -> dict[str, Any] | None:
    """Where it listens, and how many operations passed; None when there is none."""
    folder = _folder()
    found = listener.listening(folder)
    if found is None or listener.has_died(folder):
        return None
    passed = sum(1 for _ in facts_in(folder / listener.OBJECTS))
    return {"url": found.url, "pid": found.pid, "facts": passed}


def stop_standing() -> bool:
    """Stop it; whether there was one. Raises RoarError when it has not ended after a minute."""
    folder = _folder()
    was_there = standing() is not None
    if was_there and not listener.end(folder, _DRAIN_S):
        raise RoarError("the proxy is still busy with a transfer; try again when that has ended")
    shutil.rmtree(folder, ignore_errors=True)
    return was_there


def _folder() -> Path:
    """A folder of this user's alone, gone when the machine starts anew."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime) / "roar-proxy-s3"
    # Somebody else may have made a folder by that name before us.
    folder = Path(tempfile.gettempdir()) / f"roar-proxy-s3-{os.getuid()}"
    if folder.exists() and (folder.is_symlink() or folder.stat().st_uid != os.getuid()):
        raise RoarError(f"{folder} belongs to somebody else; set XDG_RUNTIME_DIR")
    return folder
