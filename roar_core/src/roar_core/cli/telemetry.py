"""`roar telemetry`: see what usage statistics hold, and turn them on and off."""

from __future__ import annotations

import contextlib
import os
import sys
import time

import click

from roar_core.cli import output
from roar_core.errors import RoarError, UsageError
from roar_core.telemetry.paths import Paths, paths


@click.command()
@click.option("--status", is_flag=True, help="Say whether it is on, and why; what is done anyway.")
@click.option("--print", "preview", is_flag=True, help="Print the exact JSON that would be sent.")
@click.option("--disable", is_flag=True, help="Turn it off for good, and delete what is queued.")
@click.option("--enable", is_flag=True, help="Turn it on again.")
@click.option("--endpoint", metavar="URL", help="Send to this address; '' sends nothing anywhere.")
@click.option("--json", "as_json", is_flag=True, help="Print the status as a JSON document.")
def telemetry(
    status: bool, preview: bool, disable: bool, enable: bool, endpoint: str | None, as_json: bool
) -> None:
    """Anonymous usage statistics: what they hold, and turning them off.

    Counters of subcommands, the tracer in use, the version and the platform: sent on a few
    milestones, never with a path, a command or a name. DO_NOT_TRACK=1 and ROAR_NO_TELEMETRY=1 turn
    it off too. docs/telemetry.md tells everything.

    Examples: roar telemetry --print · roar telemetry --disable
    """
    asked = [disable, enable, endpoint is not None, preview]
    if sum([*asked, status]) > 1 or (as_json and any(asked)):
        raise UsageError("give one of --status, --print, --disable, --enable and --endpoint")
    where = paths(os.environ)
    if where is None:
        raise RoarError("there is no home directory, so telemetry is off; set HOME to change that")
    if preview:
        _print_preview(where)
    elif disable:
        _disable(where)
    elif enable:
        _write(where, "telemetry.enabled", True)
        output.note("telemetry is on; see it with: roar telemetry --print")
    elif endpoint is not None:
        _set_endpoint(where, endpoint)
    else:
        _show_status(where, as_json)


def _print_preview(where: Paths) -> None:
    """The payload as its builder makes it now; nothing is queued or counted.

    What plugins say of themselves is kept, as a run keeps it, so that the next event says the same.
    """
    from roar_core import __version__
    from roar_core.discovery import KINDS
    from roar_core.plugins import capabilities, load
    from roar_core.spelling import timestamp
    from roar_core.telemetry import payload
    from roar_core.telemetry.settings import settings
    from roar_core.telemetry.stats import locked, random_uuid, read, write

    loaded = [load(group) for group in KINDS if group != "roar.commands"]
    told = payload.known_capabilities(capabilities(loaded))
    stats = read(where)
    if not stats.is_new and settings(where, os.environ).off_because is None:
        with contextlib.suppress(OSError), locked(where):
            stats = read(where)
            stats.feature_capabilities = told
            write(where, stats)
    stats.feature_capabilities = told
    now = timestamp(time.time_ns())
    stats.first_seen = stats.first_seen or now
    event = payload.build(
        stats, trigger=payload.PREVIEW, event_id=random_uuid(), now=now, version=__version__
    )
    output.raw(payload.encode(event))
    if sys.stdout is not None and sys.stdout.isatty():
        output.line()


def _disable(where: Paths) -> None:
    from roar_core.telemetry import queue
    from roar_core.telemetry.stats import locked

    _write(where, "telemetry.enabled", False)
    try:
        # In its turn: a command that began before must not queue anything after.
        with locked(where):
            count = queue.wipe(where.queue)
    except OSError as error:
        raise RoarError(
            f"telemetry is off, but {where.queue} could not be emptied: {error.strerror}"
        ) from error
    output.note(f"telemetry is off; {count} queued event{'' if count == 1 else 's'} deleted")


def _set_endpoint(where: Paths, endpoint: str) -> None:
    from roar_core.telemetry.endpoint import endpoint_problem

    problem = endpoint_problem(endpoint) if endpoint else None
    if problem is not None:
        raise UsageError(
            f"--endpoint {endpoint!r}: {problem}; http is for 127.0.0.1 and localhost only"
        )
    _write(where, "telemetry.endpoint", endpoint)
    output.note(
        f"events go to {endpoint}" if endpoint else "no event is queued or sent; counters go on"
    )


def _write(where: Paths, name: str, value: object) -> None:
    from roar_core.config.writing import set_value

    set_value(where.config, name, value)
    # Of the old settings, which this command may have been quick enough to change in one tick.
    where.settings.unlink(missing_ok=True)


def _show_status(where: Paths, as_json: bool) -> None:
    from roar_core.cli.documents import document, text
    from roar_core.telemetry import queue
    from roar_core.telemetry.settings import settings
    from roar_core.telemetry.stats import read

    holds = settings(where, os.environ)
    stats = read(where)
    queued = len(queue.events(where.queue))
    install_id = None if stats.is_new else stats.install_id
    if as_json:
        output.data(
            document(
                "telemetry",
                enabled=holds.off_because is None,
                reason=holds.off_because and text(holds.off_because),
                endpoint=text(holds.endpoint) if holds.endpoint else None,
                install_id=install_id,
                queued=queued,
                disclosed=where.disclosed.exists(),
                config=text(str(where.config)),
                folder=text(str(where.folder)),
            )
        )
        return
    output.table(
        [
            ("telemetry", f"off: {holds.off_because}" if holds.off_because else "on"),
            ("endpoint", holds.endpoint or "none: nothing is queued or sent"),
            ("install id", install_id or "none yet"),
            ("queued events", str(queued)),
            ("disclosed", "yes" if where.disclosed.exists() else "not yet: nothing is sent"),
            ("settings", str(where.config)),
            ("state", str(where.folder)),
        ]
    )
