"""One command while it runs: start it, follow it, wait for it, and hand over what was seen.

Once it has started, nothing of ours may change how it ends.
"""

from __future__ import annotations

import errno
import gc
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from roar_core.errors import PluginError
from roar_core.hashing.early import EarlyHasher
from roar_core.hookspecs import Launch
from roar_core.journal import GapCode, Journal, Kind
from roar_core.model.coverage import CoverageReason
from roar_core.observe.disk import look
from roar_core.run.begun import BegunJob
from roar_core.run.choose import ChosenTracer
from roar_core.run.follow import (
    Follower,
    Watch,
    input_candidates,
    mark_hashed,
    nobody_watches,
)
from roar_core.run.planned import Planned
from roar_core.run.processes import outlived, seconds_since_boot, words_of
from roar_core.run.relay import Ended, SignalRelay
from roar_core.run.spawn import CannotStartError, start

if TYPE_CHECKING:
    from roar_core.run.beside import Beside
    from roar_core.run.extensions import Extensions
    from roar_core.run.record import Recorded

Tell = Callable[[str], None]
IsServer = Callable[[int, Sequence[str]], bool]
T = TypeVar("T")

# Arguments may take megabytes (execve(2)), roar's own room in the journal has 64 KiB.
_ARGUMENTS_MAX = 16 << 10


def nothing_serves(pid: int, words: Sequence[str]) -> bool:
    """Whatever outlives the command is a hole: no platform takes part."""
    return False


def tell_gaps(journal: Journal, reasons: Iterable[CoverageReason]) -> list[CoverageReason]:
    """Append to `journal` what a tracer's `finished` says of programs; return the other reasons.

    There it explains the EXEC of the program that it names.
    """
    codes = {gap.code: gap for gap in GapCode}
    others = []
    for reason in reasons:
        if reason.code in codes:
            program = os.fsencode(reason.detail)
            journal.append(Kind.GAP, value=codes[reason.code], strings=(program,))
        else:
            others.append(reason)
    return others


class Execution:
    """The part of a run between the job's first and last row."""

    def __init__(
        self,
        begun: BegunJob,
        planned: Planned,
        chosen: ChosenTracer,
        journal: Journal,
        launch: Launch,
        warn: Tell,
        watch: Watch = nobody_watches,
        is_server: IsServer = nothing_serves,
    ) -> None:
        self._is_server = is_server
        self._begun = begun
        self._planned = planned
        self._journal = journal
        self._chosen = chosen
        self._launch = launch
        self._warn = warn
        self._reasons: list[CoverageReason] = []
        self._extensions: Extensions
        self._catches_up = True
        self._hasher = EarlyHasher(
            mark_hashed(journal),
            known=begun.known_digests,
            algorithms=begun.algorithms,
            max_bytes=begun.config.get("hash.preimage_max"),
            writers_are_held=chosen.tracer.abilities.holds_writers,
        )
        wanted = input_candidates(begun.project)
        self._follower = Follower(journal, self._hasher, wanted, watch)

    def carry_out(self, relay: SignalRelay) -> tuple[float, Ended, float]:
        """Start the command; wait for it and, for a moment, for what it left in the background.

        Returns when it started, how it ended, and when (`time.perf_counter`).
        """
        launch, journal = self._launch, self._journal
        program = self._planned.program
        is_the_command = launch.argv[0] == os.fsencode(self._planned.argv[0])
        if not is_the_command:
            program = os.fsdecode(launch.argv[0])
        since_s = seconds_since_boot()
        started = time.perf_counter()
        try:
            pid = self._start(program, relay)
        except CannotStartError as error:
            self._abandon(error.exit_code)
            raise
        journal.append(Kind.FORK, value=pid)
        if is_the_command:
            self._report_program(program, pid)
        self._tell_tracer("following the command", lambda: launch.started(pid))
        # Half of our start-up is what recording needs: the command runs meanwhile.
        import roar_core.run.record  # noqa: F401
        from roar_core.run.extensions import Extensions

        begun = self._begun
        self._extensions = Extensions.prepare(begun.project, begun.config, os.environ)
        # The command may run for days. What start-up made stays: looking through it takes 8 ms.
        gc.freeze()
        gc.enable()
        ended = relay.wait(pid)
        ended_at = time.perf_counter()
        # Read back by recovery when we are killed from here on: the result is then still known.
        journal.append(Kind.EXIT, value=ended.status)
        left = self._wait_for_survivors(since_s)
        if left:
            self._reasons.append(outlived(left))
        return started, ended, ended_at

    def _start(self, program: str, relay: SignalRelay) -> int:
        launch = self._launch

        def start_in(environ: Mapping[bytes, bytes]) -> int:
            return start(program, launch.argv, environ, mask=relay.mask, pass_fds=launch.pass_fds)

        try:
            return start_in(launch.environ)
        except CannotStartError as error:
            cause = error.__cause__
            if not isinstance(cause, OSError) or cause.errno != errno.E2BIG:
                raise
        # Our variables may be what was too much: then it runs unseen, and its EXEC says so.
        return start_in(os.environb)

    def _report_program(self, program: str, pid: int) -> None:
        """Tell what a parent inside would: where no tracer gets in, the hole has a name."""
        path = os.path.join(self._begun.job.cwd, program)  # noqa: PTH118 - any bytes
        now = look(os.path.realpath(path))
        arguments = b"\0".join(self._launch.argv)[:_ARGUMENTS_MAX]
        self._journal.append(
            Kind.EXEC,
            pid=pid,
            fingerprints=() if now is None else (now,),
            strings=(os.fsencode(path), arguments),
        )

    def _tell_tracer(self, doing: str, call: Callable[[], T]) -> T | None:
        """A tracer that fails once the command runs costs coverage, never the command."""
        try:
            return self._chosen.call(doing, call)
        except PluginError as error:
            self._warn(str(error))
            self._reasons.append(CoverageReason("tracer", 1, str(error)))
            return None

    def _finish_tracer(self) -> None:
        self._reasons += tell_gaps(self._journal, self._launch.finished())

    def _abandon(self, exit_code: int) -> None:
        self._tell_tracer("finishing", self._finish_tracer)
        self._follower.finish()
        self._hasher.stop()
        self._begun.complete_unstarted(exit_code)
        self._journal.remove()

    def _wait_for_survivors(self, since_s: float) -> list[int]:
        """Those that are there still when the grace is over, but for servers of a platform.

        Of these nothing is missed. Who starts while others are asked what they are has a second
        chance to be known for one.
        """
        deadline = time.monotonic() + self._begun.config.get("run.grace")
        servers: set[int] = set()
        is_last = False
        while True:
            somebody_is_unnamed = self._catch_up()
            left = [pid for pid in self._follower.survivors(since_s) if pid not in servers]
            servers |= {pid for pid in left if self._is_server(pid, words_of(pid))}
            left = [pid for pid in left if pid not in servers]
            if is_last or not (left or somebody_is_unnamed):
                return left
            remaining = deadline - time.monotonic()
            is_last = remaining <= 0
            time.sleep(max(0.0, min(0.01, remaining)))

    def _catch_up(self) -> bool:
        """Have the tracer tell what it has seen; return whether somebody is left without a name."""
        if not self._catches_up:
            return False
        answer = self._tell_tracer("catching up", self._launch.catch_up)
        self._catches_up = answer is not None
        return bool(answer)

    def let_go(self) -> None:
        """Stop what still reads the journal, if recording has failed before it had all."""
        self._follower.stop()
        self._hasher.stop()

    def record(self, ended: Ended, duration_s: float, beside: Beside) -> Recorded:
        """Judge, hash and store what was seen, and let go of the journal."""
        from roar_core.run.inner import inner_runs
        from roar_core.run.record import Finished, record_job

        journal, hasher = self._journal, self._hasher
        self._tell_tracer("finishing", self._finish_tracer)
        inner = inner_runs(journal.wanted)
        records = inner.merged_into(self._follower.finish())
        hasher.stop()
        # What was hashed while the command ran need not be hashed by the next run.
        self._begun.store.remember(
            (digested.fingerprint, name, digest, digested.read_at_ns)
            for digested in hasher.finished()
            for name, digest in digested.digests.items()
        )
        finished = Finished(
            records=records,
            lost=journal.lost + inner.lost,
            unreadable_bytes=journal.unreadable_bytes + inner.unreadable_bytes,
            clock_ns=journal.header.created_realtime_ns - journal.header.created_monotonic_ns,
            ended=ended,
            duration_s=duration_s,
            reasons=(*self._reasons, *inner.reasons),
            early=hasher.lookup,
            beside=beside,
        )
        recorded = record_job(self._begun, finished, self._extensions)
        journal.remove()
        for failure in self._extensions.failures():
            self._warn(failure)
        return recorded
