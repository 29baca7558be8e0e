"""The uploader: a detached process that sends what is queued, and ends.

An event is deleted after `204 No Content` and for no other reason. `python -m
roar_core.telemetry.uploader` runs it by hand.
"""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from roar_core.config import files
from roar_core.errors import ConfigError
from roar_core.telemetry import payload, queue
from roar_core.telemetry.backoff import note_attempt, read_backoff
from roar_core.telemetry.endpoint import endpoint_problem
from roar_core.telemetry.paths import Paths, paths
from roar_core.telemetry.settings import settings

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 5.0
# One uploader's whole life; what is left then waits for the next one.
LIFETIME_S = 60
# Refused for what it says: it stays, and the next one may be taken.
_ABOUT_THE_EVENT = frozenset({400, 409, 413, 415, 422})


def main(environ: Mapping[str, str]) -> None:
    """Send what is queued if it may be sent; says nothing, and leaves everything when it may not.

    Raises OSError where the state cannot be read or written.
    """
    where = paths(environ)
    if where is None or _destination(where, environ) is None:
        return
    lock = os.open(where.uploader_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # another one is at it
    if time.time() < read_backoff(where.backoff)[1]:
        return
    _send_all(where, environ)


def _destination(where: Paths, environ: Mapping[str, str]) -> str | None:
    """Where events may be sent now; None when they may not."""
    holds = settings(where, environ)
    if holds.off_because is not None or not where.disclosed.exists():
        return None
    return holds.endpoint if endpoint_problem(holds.endpoint) is None else None


def _send_all(where: Paths, environ: Mapping[str, str]) -> None:
    import httpx

    ends_at = time.monotonic() + LIFETIME_S
    # A redirect is a failure: an event goes where the user said, nowhere else, and through nobody's
    # proxy.
    with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
        for event in queue.events(where.queue):
            # Asked for each event: `--disable` counts from the moment it was typed.
            endpoint = _destination(where, environ)
            if endpoint is None or time.monotonic() > ends_at:
                return
            content = _content(event)
            if content is None:
                continue
            note_attempt(where.backoff)
            status = _post(client, endpoint, content)
            if status == httpx.codes.NO_CONTENT:
                event.unlink(missing_ok=True)
                where.backoff.unlink(missing_ok=True)
            elif status is None or status not in _ABOUT_THE_EVENT:
                return


def _content(event: Path) -> bytes | None:
    """The event's bytes; None when they are not an event of ours, which then never leaves."""
    try:
        content = files.read(event) or b""
    except ConfigError:
        return None
    return content if payload.is_sendable(content) else None


def _post(client: httpx.Client, endpoint: str, content: bytes) -> int | None:
    """The status of the answer, None without one."""
    import httpx

    headers = {"Content-Type": "application/json", "User-Agent": "roar-telemetry/1"}
    try:
        # Streamed and not read: the status is all that counts, and a body may never end.
        with client.stream("POST", endpoint, content=content, headers=headers) as answer:
            return answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL):
        return None


if __name__ == "__main__":
    os.chdir("/")
    # An endpoint that sends a byte now and then would hold us for ever.
    signal.alarm(LIFETIME_S)
    main(os.environ)
