"""What a command does about telemetry as it ends: count, queue milestones, never wait for a net."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from roar_core import __version__
from roar_core.spelling import timestamp
from roar_core.telemetry.backoff import read_backoff
from roar_core.telemetry.milestones import reached
from roar_core.telemetry.paths import Paths, paths
from roar_core.telemetry.settings import Settings, settings
from roar_core.telemetry.stats import Stats, locked, random_uuid, read, write
from roar_core.telemetry.use import Use

DISCLOSURE = (
    "anonymous usage statistics help to make roar better; see them with: roar telemetry --print,"
    " turn them off with: roar telemetry --disable"
)

# All that the uploader gets of the environment: no token of anybody's is in it.
_HANDED_ON = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "PATH", "PYTHONPATH", "PYTHONHOME")

Capabilities = Callable[[], Mapping[str, bool]]


def record(
    use: Use,
    environ: Mapping[str, str],
    tell: Callable[[str], None],
    capabilities: Capabilities | None = None,
) -> None:
    """Count `use` and queue what it reached; the first time at a terminal, say that this is done.

    `capabilities` is asked at a milestone only, by commands that have loaded plugins anyway. Raises
    nothing: where counting fails, nothing is counted and the command's result stands. Not to be
    called where `suppression.silenced_by` names a variable.
    """
    try:
        where = paths(environ)
        if where is None:
            return
        holds = settings(where, environ)
        if holds.off_because is None:
            _count(where, environ, use, capabilities)
            if not _disclose(where, holds, use, tell) and holds.endpoint and _is_due(where):
                _start_uploader(environ)
    except (OSError, KeyboardInterrupt):
        # A home that cannot be written, a full disk, Ctrl-C: statistics are not worth a word.
        return


def _count(
    where: Paths, environ: Mapping[str, str], use: Use, capabilities: Capabilities | None
) -> None:
    now = timestamp(time.time_ns())
    with locked(where):
        # Asked once more in our turn: what `--disable` wiped must not fill up again.
        holds = settings(where, environ)
        if holds.off_because is not None:
            return
        stats = read(where)
        stats.counters_as_of = stats.counters_as_of or now
        stats.count(use.command, now)
        if use.outcome is not None:
            stats.count(use.outcome, now)
        if use.tracer is not None:
            stats.count_tracer(use.tracer, now)
        fired = reached(stats, use, __version__)
        if not fired:
            write(where, stats)
            return
        _queue(where, holds, stats, fired, now, capabilities)


def _queue(
    where: Paths,
    holds: Settings,
    stats: Stats,
    fired: list[str],
    now: str,
    capabilities: Capabilities | None,
) -> None:
    """Write the stats, and an event for each milestone that was reached."""
    from roar_core.telemetry import payload, queue

    stats.note_version(__version__)
    stats.first_seen = stats.first_seen or now
    if capabilities is not None:
        stats.feature_capabilities = payload.known_capabilities(capabilities())
    events = {}
    for trigger in fired:
        stats.sequence += 1
        event_id = random_uuid()
        events[event_id] = payload.encode(
            payload.build(stats, trigger=trigger, event_id=event_id, now=now, version=__version__)
        )
    # The stats first: a crash in between loses an event and never doubles one.
    write(where, stats)
    if holds.endpoint:
        for event_id, event in events.items():
            queue.add(where.queue, event_id, event)


def _disclose(where: Paths, holds: Settings, use: Use, tell: Callable[[str], None]) -> bool:
    """Whether nothing may be sent now: the line was shown by this very command, or never yet."""
    if where.disclosed.exists():
        return False
    if holds.endpoint and not use.is_quiet and sys.stderr is not None and sys.stderr.isatty():
        tell(DISCLOSURE)
        where.disclosed.touch(mode=0o600)
    return True


def _is_due(where: Paths) -> bool:
    """Whether an event waits, and sending did not just fail."""
    try:
        with os.scandir(where.queue) as entries:
            if next(entries, None) is None:
                return False
    except FileNotFoundError:
        return False
    return time.time() >= read_backoff(where.backoff)[1]


def _start_uploader(environ: Mapping[str, str]) -> None:
    """Start `roar_core.telemetry.uploader` in a session of its own, holding nothing of ours."""
    if not sys.executable:
        return
    kept = {name: environ[name] for name in _HANDED_ON if name in environ}
    # A descriptor that the user's shell passed on may be a lock or a pipe that somebody waits for.
    opened = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)
    ]
    actions += [
        (os.POSIX_SPAWN_CLOSE, number) for number in opened if number > 2 and _is_passed_on(number)
    ]
    os.posix_spawn(
        sys.executable,
        # -P: a module of this name in the working directory is not ours.
        [sys.executable, "-P", "-m", "roar_core.telemetry.uploader"],
        kept,
        file_actions=actions,
        setsid=True,
        setsigmask=(),
    )


def _is_passed_on(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)
    except OSError:  # the one that listed the folder
        return False
