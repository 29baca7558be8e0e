"""A folder in which attempts at tasks report what they did, whoever is killed meanwhile.

For execution backends whose workers share a folder with roar, such as a cluster's file system. A
worker calls `run`; `fragments` and `coverage` are a backend's `collect` and `coverage`.

    expected/<task>                a task that was submitted, whatever becomes of it
    attempts/<number>.<task>/      an attempt that was begun
        attempt.json                 what was to be done; locked while who observes it lives
        journal                      what the tracer reports, until the fragment is written
        fragment.json                what came of it

Tasks are spelt as in URLs. Other files in the folder are the backend's.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote

from roar_core.errors import RoarError
from roar_core.standing_in import forget_own_locale

if TYPE_CHECKING:
    # A platform's client imports this module to say what it has submitted, inside of a run.
    from roar_core.fragments import Attempt
    from roar_core.model.fragment import TaskCoverage, TaskFragment
    from roar_core.run.relay import Ended

Tell = Callable[[str], None]
IsOver = Callable[[str], bool]


def _on_stderr(sentence: str) -> None:
    """Where `roar run` itself says what it has to say."""
    sys.stderr.write(f"roar: {sentence}\n")


class Reports:
    """The attempts that report into `folder`, which is made when it is missing.

    `is_over(task)` says whether the platform knows that nothing of a task waits or runs any more.
    It decides about attempts that have not told how they ended, and about what was expected; on
    this machine, locks and /proc tell of attempts too. What it raises, all of these raise.
    """

    def __init__(self, folder: Path, is_over: IsOver | None = None) -> None:
        self._expected = folder / "expected"
        self._attempts = folder / "attempts"
        self._is_over = is_over

    def expect(self, task: str) -> None:
        """Let roar know that there is such a task, whatever becomes of it.

        A platform may know no more of it than how its name begins: `7` is met by `7.batch.0` and by
        all elements of an array, `7_1.batch.0` …; `is_over` then says when these are all.
        """
        self._expected.mkdir(parents=True, exist_ok=True)
        (self._expected / quote(task, safe="")).touch()

    def run(self, attempt: Attempt, *, tracer: str = "auto", warn: Tell | None = None) -> int:
        """Run an attempt's command in this process's place, and leave its fragment here.

        Call it in the main thread of a process of its own, as `fragments.observe`. Returns the
        command's exit code, or dies of the signal that it died of: whatever goes wrong in observing
        it. A command that cannot be observed runs all the same, and its fragment says why. `warn`
        gets sentences, which go to stderr without it.
        """
        import attrs

        from roar_core.run.relay import die_like

        forget_own_locale()
        warn = warn or _on_stderr
        attempt = attrs.evolve(attempt, where=attempt.where or platform.node())
        try:
            begun = self._begin(attempt)
        except OSError as error:
            warn(f"task {attempt.task} goes unseen, it cannot report: {error}")
            return die_like(_unobserved(attempt, warn))
        return die_like(_observed(attempt, begun, tracer, warn))

    def fragments(self) -> Iterator[TaskFragment]:
        """What came of every attempt; those whose observer was killed are recovered first."""
        from roar_core.fragments import from_json

        for begun in self._begun():
            if not begun.fragment.exists():
                self._recover(begun)
            if begun.fragment.exists():
                yield from_json(begun.fragment.read_bytes())

    def coverage(self) -> TaskCoverage:
        """How many tasks there are; final when nothing more can come of any."""
        from roar_core.model.coverage import CoverageReason
        from roar_core.model.fragment import TaskCoverage

        begun = list(self._begun())
        left = [each for each in begun if not each.fragment.exists()]
        tasks = {each.task for each in begun}
        expected = {unquote(name) for name in _names(self._expected)}
        unmet = {each for each in expected if not any(_is_met(each, task) for task in tasks)}
        ask = self._is_over
        waiting = unmet if ask is None else {each for each in expected if not ask(each)}
        words = "attempts still running, or out of reach"
        reasons = (CoverageReason("tasks", len(left), words),) if left else ()
        return TaskCoverage(
            len(tasks) + len(unmet), is_final=not left and not waiting, reasons=reasons
        )

    def _begin(self, attempt: Attempt) -> _Begun:
        """Make an attempt's folder, which is seen once this process holds it."""
        import attrs

        name = f"{attempt.number}.{quote(attempt.task, safe='')}"
        hidden, begun = _Begun(self._attempts / f".{name}"), _Begun(self._attempts / name)
        hidden.folder.mkdir(parents=True)
        told = {**attrs.asdict(attempt), "cwd": os.getcwd()}  # noqa: PTH109 - any bytes
        _write_whole(hidden.attempt, json.dumps(told).encode("ascii"))
        _lock(hidden.attempt)  # until this process ends
        hidden.folder.rename(begun.folder)
        return begun

    def _begun(self) -> Iterator[_Begun]:
        for name in sorted(_names(self._attempts)):
            yield _Begun(self._attempts / name)

    def _recover(self, begun: _Begun) -> None:
        """Write the fragment of an attempt whose observer was killed and whose command is gone."""
        from roar_core.fragments import Attempt, is_running, recover

        told = json.loads(begun.attempt.read_bytes())
        cwd = Path(told.pop("cwd"))
        attempt = Attempt(**told | {"command": tuple(told["command"])})
        if self._is_over is None or not self._is_over(attempt.task):
            if attempt.where != platform.node() or is_running(begun.journal):
                return
            descriptor = _lock(begun.attempt)
            if descriptor is None:
                return
            os.close(descriptor)
        if not begun.fragment.exists():  # it may have been written meanwhile
            recover(attempt, begun.journal, begun.deliver, cwd=cwd)


class _Begun(NamedTuple):
    """The folder of an attempt."""

    folder: Path

    @property
    def task(self) -> str:
        return unquote(self.folder.name.partition(".")[2])

    @property
    def attempt(self) -> Path:
        return self.folder / "attempt.json"

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def fragment(self) -> Path:
        return self.folder / "fragment.json"

    def deliver(self, fragment: TaskFragment) -> None:
        """Put a fragment where no crash can take it."""
        from roar_core.fragments import to_json

        _write_whole(self.fragment, to_json(fragment))


def _observed(attempt: Attempt, begun: _Begun, tracer: str, warn: Tell) -> Ended:
    from roar_core.fragments import observing

    try:
        with observing(attempt, begun.journal, begun.deliver, tracer=tracer, warn=warn) as observed:
            _tell(observed.record, warn)
            return observed.ended
    except RoarError as error:
        # Nothing was started: what was raised after that is told above.
        started_at_ns = time.time_ns()
        ended = _unobserved(attempt, warn)
        fragment = _unseen(attempt, started_at_ns, ended, str(error))
        _tell(lambda: begun.deliver(fragment), warn)
        return ended


def _tell(tell: Callable[[], object], warn: Tell) -> None:
    """Leave what is known of a command that has ended; its journal stays when that fails."""
    try:
        tell()
    except Exception as error:
        logging.getLogger(__name__).debug("reporting failed", exc_info=True)
        warn(f"the command ended, but could not be reported: {error}")


def _unobserved(attempt: Attempt, warn: Tell) -> Ended:
    """Run a command and do no more."""
    from roar_core.run.relay import Ended, SignalRelay
    from roar_core.run.spawn import CannotStartError, find_program, start

    argv = [os.fsencode(word) for word in attempt.command]
    try:
        program = find_program(attempt.command[0], os.environ.get("PATH"))
        with SignalRelay() as relay:
            return relay.wait(start(program, argv, os.environb, mask=relay.mask))
    except CannotStartError as error:
        warn(str(error))
        return Ended(error.exit_code << 8)


def _unseen(attempt: Attempt, started_at_ns: int, ended: Ended, reason: str) -> TaskFragment:
    from roar_core.model.coverage import CoverageReason
    from roar_core.model.fragment import TaskFragment

    return TaskFragment(
        task=attempt.task,
        name=attempt.name or Path(attempt.command[0]).name,
        state="succeeded" if ended.exit_code == 0 else "failed",
        started_at_ns=started_at_ns,
        attempt=attempt.number,
        command=attempt.command,
        cwd=os.getcwd(),  # noqa: PTH109 - any bytes
        where=attempt.where,
        duration_s=(time.time_ns() - started_at_ns) / 1e9,
        exit_code=ended.exit_code,
        signal=ended.signal,
        coverage=(CoverageReason("untraced", 1, reason),),
    )


def _is_met(expected: str, task: str) -> bool:
    """Whether `task` is what was expected, or a part of it."""
    rest = task.removeprefix(expected)
    return not rest or (rest != task and not rest[0].isalnum())


def _lock(path: Path) -> int | None:
    """A descriptor that holds a file's lock; None when another one does, or none can be had."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)  # NFS locks only what may be written
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, also after a crash."""
    partial = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}")
    with partial.open("wb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())
    partial.rename(path)


def _names(folder: Path) -> list[str]:
    """What is in a folder that may not be there yet, but for what is not ready to be seen."""
    try:
        return [name for name in os.listdir(folder) if not name.startswith(".")]  # noqa: PTH208
    except FileNotFoundError:
        return []
