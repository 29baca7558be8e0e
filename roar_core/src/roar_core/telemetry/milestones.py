"""Which milestones a command has reached: the only occasions on which an event is queued."""

from __future__ import annotations

from roar_core.telemetry.stats import Stats

_NTH_RUN = {
    1: "first_successful_roar_run",
    2: "second_successful_roar_run",
    3: "third_successful_roar_run",
}
# Commands whose success is a milestone each time.
_OWN = ("init", "reset", "register")


class Use:
    """One use of roar that has ended. `outcome` and `tracer` are those of a run.

    A plain class, as all here: every command that is counted would pay 0.2 ms for a tuple with
    names, of the millisecond that counting may take.
    """

    def __init__(
        self,
        command: str,
        *,
        succeeded: bool,
        outcome: str | None = None,
        tracer: str | None = None,
        is_quiet: bool = False,
        is_dry_run: bool = False,
    ) -> None:
        self.command = command
        self.succeeded = succeeded
        self.outcome = outcome
        self.tracer = tracer
        self.is_quiet = is_quiet
        self.is_dry_run = is_dry_run


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
