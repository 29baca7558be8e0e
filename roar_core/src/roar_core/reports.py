"""A folder in which attempts at tasks report what they did, whoever is killed meanwhile.

For execution backends whose workers share a folder with roar, such as a cluster's file system. A
worker calls `run`; `fragments` and `coverage` are a backend's `collect` and `coverage`.

    expected/<task>                a task that was submitted, whatever becomes of it
    attempts/<number>.<task>/      an attempt that was begun
        attempt.json                 what was to be done; locked while who observes it lives
        journal                      what the tracer reports, until the fragment is written
        fragment.json                what came of it
    registry-wanted                the user wants fragments to go through a registry …
    fragment-session.json          … by this session of it

Tasks are spelt as in URLs, of a long one the beginning and a digest. Other files in the folder are
the backend's.

Where they share no folder, fragments may go through a registry, encrypted: `ask_for_carrier` in
roar's process and `variables` where work is submitted. A task that is given those reports into a
folder of its node's own, from which its fragment is sent when its command has ended.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from roar_core.errors import RoarError
from roar_core.fragment_sessions.session import VARIABLE
from roar_core.in_place import carry_out, on_stderr, report, run_unobserved
from roar_core.report_folder import (
    BegunAttempt,
    expect,
    expected_in,
    lock,
    name_of,
    names_in,
    write_whole,
)
from roar_core.standing_in import forget_own_locale

if TYPE_CHECKING:
    # A platform's client imports this module to say what it has submitted, inside of a run.
    from roar_core.fragment_sessions.run_session import RunSession
    from roar_core.fragment_sessions.session import Session
    from roar_core.fragments import Attempt, Tell
    from roar_core.model.fragment import TaskCoverage, TaskFragment

IsOver = Callable[[str], bool]
# Beside `expected` and `attempts`: the user wants fragments to go through a registry.
_WANTED = "registry-wanted"


class Reports:
    """The attempts that report into `folder`, which is made when it is missing.

    `is_over(task)` says whether the platform knows that nothing of a task waits or runs any more.
    It decides about attempts that have not told how they ended, and about what was expected; on
    this machine, locks and /proc tell of attempts too. What it raises, all of these raise.
    """

    def __init__(self, folder: Path, is_over: IsOver | None = None) -> None:
        self._folder = folder
        self._expected = folder / "expected"
        self._attempts = folder / "attempts"
        self._is_over = is_over

    def expect(self, task: str) -> None:
        """Let roar know that there is such a task, whatever becomes of it.

        A platform may know no more of it than how its name begins: `7` is met by `7.batch.0` and by
        all elements of an array, `7_1.batch.0` …; `is_over` then says when these are all. It is a
        platform's client that calls this, so what goes wrong is a sentence on stderr.
        """
        try:
            self._expected.mkdir(parents=True, exist_ok=True)
            expect(self._expected, task)
        except OSError as error:
            on_stderr(f"that there is a task {task} cannot be noted: {error}")

    def ask_for_carrier(self, project: Path, environ: Mapping[str, str]) -> None:
        """Note whether the user wants fragments to go through a registry; nothing is sent yet.

        `folder` is the one that the run has for its backend. Raises ConfigError.
        """
        from roar_core.fragment_sessions.run_session import is_asked_for

        if is_asked_for(project, environ):
            (self._folder / _WANTED).touch()

    def variables(self, project: Path) -> Mapping[str, str]:
        """What the tasks of work that is about to be submitted need in their environment.

        Opens a session at the registry when the user wants one and there is none yet, which takes a
        few seconds at most. Without one they report as ever, and `coverage` says why. They are
        secrets: no command line, and no file that others can read, may hold them.
        """
        if not (self._folder / _WANTED).exists():
            return {}
        try:
            return {VARIABLE: self._session().open(project, os.environ).text}
        except (RoarError, OSError) as error:
            logging.getLogger(__name__).debug("no session: %s", error)
            return {}

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
        warn = warn or on_stderr
        attempt = attrs.evolve(attempt, where=attempt.where or platform.node())
        session = _handed(warn)
        reports = self
        try:
            if session is not None:
                from roar_core.fragment_sessions.spool import spool_of

                reports = Reports(spool_of(session))
            begun = reports._begin(attempt)
        except OSError as error:
            warn(f"task {attempt.task} goes unseen, it cannot report: {error}")
            return die_like(run_unobserved(attempt, warn))
        ended = carry_out(attempt, begun.journal, begun.deliver, tracer, warn)
        if session is not None:
            from roar_core.fragment_sessions.waiting import signals_held

            with signals_held():
                report(lambda: reports._send(session, begun, warn), warn)
        return die_like(ended)

    def fragments(self) -> Iterator[TaskFragment]:
        """What came of every attempt; those whose observer was killed are recovered first.

        What went through a registry comes last. Raises RegistryError when that does not answer, and
        at the end ValueError, which names the file, when one holds no fragment.
        """
        from roar_core.fragments import from_json

        unreadable = ""
        for begun in chain(self._recovered(), self._received()):
            try:
                fragment = from_json(begun.fragment.read_bytes())
            except ValueError as error:
                unreadable = unreadable or f"{begun.fragment}: {error}; delete it to go on without"
            else:
                yield fragment
        if unreadable:
            raise ValueError(unreadable)

    def coverage(self) -> TaskCoverage:
        """How many tasks there are; final when nothing more can come of any."""
        from roar_core.model.coverage import CoverageReason
        from roar_core.model.fragment import TaskCoverage

        begun = list(self._begun())
        left = [each for each in begun if not each.fragment.exists()]
        tasks = {each.task for each in begun}
        expected = expected_in(self._expected)
        unmet = {each for each in expected if not any(_is_met(each, task) for task in tasks)}
        ask = self._is_over
        waiting = unmet if ask is None else {each for each in expected if not ask(each)}
        words = "attempts still running, or out of reach"
        reasons = [CoverageReason("tasks", len(left), words)] if left else []
        is_final = not left and not waiting
        if (self._folder / _WANTED).exists():
            session = self._session()
            reasons += [CoverageReason("backend", 1, problem) for problem in session.problems]
            if is_final and session.is_silent:
                words = "through the registry came nothing: tasks had no roar, or cannot reach it"
                reasons.append(CoverageReason("tasks", 1, words))
        return TaskCoverage(len(tasks) + len(unmet), is_final=is_final, reasons=tuple(reasons))

    def _begin(self, attempt: Attempt) -> BegunAttempt:
        """Make an attempt's folder, which is seen once this process holds it."""
        import attrs

        name = name_of(attempt.task, attempt.number)
        hidden = BegunAttempt(self._attempts / f".{name}")
        begun = BegunAttempt(self._attempts / name)
        hidden.folder.mkdir(parents=True)
        told = {**attrs.asdict(attempt), "cwd": os.getcwd()}  # noqa: PTH109 - any bytes
        write_whole(hidden.attempt, json.dumps(told).encode("ascii"))
        lock(hidden.attempt)  # until this process ends
        hidden.folder.rename(begun.folder)
        return begun

    def _session(self) -> RunSession:
        from roar_core.fragment_sessions.run_session import RunSession

        return RunSession(self._folder)

    def _received(self) -> Iterator[BegunAttempt]:
        """Attempts that a registry has, and that are new here: from now on, they lie here."""
        from roar_core.fragments import from_json

        if not (self._folder / _WANTED).exists():
            return
        session = self._session()
        for _, document in session.receive().documents:
            content = json.dumps(document).encode("ascii")
            try:
                fragment = from_json(content)
                begun = BegunAttempt(self._attempts / name_of(fragment.task, fragment.attempt))
                if begun.fragment.exists():
                    continue
                begun.take(content)
            except (ValueError, OSError) as error:
                session.note(f"a report that came through the registry cannot be read: {error}")
                continue
            yield begun

    def _send(self, session: Session, own: BegunAttempt, warn: Tell) -> None:
        """Send what came of an attempt, and in the time that is left what others could not send."""
        from roar_core.fragment_sessions.sending import SEND_S
        from roar_core.fragment_sessions.waiting import Asking, hurried_by_signals

        deadline = time.monotonic() + SEND_S
        if own.fragment.exists() and (failure := _sent(session, own, SEND_S)):
            warn(f"task {own.task} could not report: {failure}; its report is kept in {own.folder}")
            return
        with suppress(RoarError, OSError):
            asking = Asking(session.url, self._recover_all)
            with hurried_by_signals(asking):
                asking.answer(max(0.0, deadline - time.monotonic()))
            for begun in self._begun():
                self._send_left(session, begun, deadline - time.monotonic())

    def _recover_all(self) -> None:
        for begun in self._begun():
            self._recover(begun)

    def _recovered(self) -> Iterator[BegunAttempt]:
        """Attempts that have told what they did; those whose observer was killed tell it now."""
        for begun in self._begun():
            self._recover(begun)
            if begun.fragment.exists():
                yield begun

    def _send_left(self, session: Session, begun: BegunAttempt, limit_s: float) -> None:
        """Send what an attempt came to that nobody observes any more, in the time that is left."""
        descriptor = lock(begun.attempt) if begun.fragment.exists() and limit_s > 0 else None
        if descriptor is not None:
            try:
                _sent(session, begun, limit_s)
            finally:
                os.close(descriptor)

    def _begun(self) -> Iterator[BegunAttempt]:
        for name in sorted(names_in(self._attempts)):
            yield BegunAttempt(self._attempts / name)

    def _recover(self, begun: BegunAttempt) -> None:
        """Write the fragment of an attempt whose observer was killed and whose command is gone."""
        from roar_core.fragments import is_running, recover

        if begun.fragment.exists():
            return
        attempt, cwd = begun.told()
        if self._is_over is None or not self._is_over(attempt.task):
            if attempt.where != platform.node() or is_running(begun.journal):
                return
            descriptor = lock(begun.attempt)
            if descriptor is None:
                return
            os.close(descriptor)
        if not begun.fragment.exists():  # it may have been written meanwhile
            recover(attempt, begun.journal, begun.deliver, cwd=cwd)


def _handed(warn: Tell) -> Session | None:
    """The fragment session that this task was handed; its command does not get it."""
    if VARIABLE not in os.environ:
        return None
    from roar_core.fragment_sessions.session import taken_from

    try:
        return taken_from(os.environ)
    except ValueError as error:
        warn(f"{VARIABLE} holds {error}; reporting without")
        return None


def _sent(session: Session, begun: BegunAttempt, limit_s: float) -> str:
    """Send a fragment and delete what is here of the attempt; returns why that was not possible."""
    import shutil

    from roar_core.fragment_sessions.sending import redactor_in, send

    attempt, _ = begun.told()
    try:
        redactor = redactor_in(Path(attempt.project), os.environ)
        send(session, json.loads(begun.fragment.read_bytes()), redactor, limit_s)
    except (RoarError, ValueError) as error:
        return str(error)
    shutil.rmtree(begun.folder, ignore_errors=True)
    return ""


def _is_met(expected: str, task: str) -> bool:
    """Whether `task` is what was expected, or a part of it."""
    rest = task.removeprefix(expected)
    return not rest or (rest != task and not rest[0].isalnum())
