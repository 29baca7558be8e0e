"""Which milestones a command has reached: the only occasions on which an event is queued."""

from __future__ import annotations

from roar_core.telemetry.stats import Stats
from roar_core.telemetry.use import Use

_NTH_RUN = {
    1: "first_successful_roar_run",
    2: "second_successful_roar_run",
    3: "third_successful_roar_run",
}
# Commands whose success is a milestone each time.
_OWN = ("init", "reset", "register")


def reached(stats: Stats, use: Use, version: str) -> list[str]:
    """The triggers that `use`, counted already, fires; in the order of their events."""
    fired = []
    if stats.is_new:
        fired.append("first_seen_for_install_id")
    elif version not in stats.versions:
        fired.append("first_seen_for_version")
    if use.outcome == "run_success":
        nth = _NTH_RUN.get(stats.subcommand_counts.get("run_success", 0))
        fired += [nth] if nth else []
    if use.command in _OWN and use.succeeded and not use.is_dry_run:
        fired.append(use.command)
    return fired
