"""One use of roar, as it is counted."""

from __future__ import annotations


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
