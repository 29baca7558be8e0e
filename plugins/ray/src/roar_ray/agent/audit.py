"""Capture without the library: what this interpreter itself does to files, by an audit hook.

It sees neither what compiled code opens (Arrow, HDF5, SQLite) nor what child processes do, except
forks of this interpreter, which report into journals of their own. Child programs are told as gaps.
"""

from __future__ import annotations

import os
import sys
import threading

from . import accesses, records, tags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .accesses import Question, Report
    from .journal import Journal

    Handler = Callable[..., "Report | Question | None"]

_ENDS = (records.SUCCEEDED, records.FAILED)
_HERE = -1  # a dir_fd that is none


class _Thread(threading.local):
    is_inside = False
    tid = 0
    questions: tuple[tuple[int, Question], ...] = ()


class PythonCapture:
    """Reports by itself: the one writer of its journal."""

    name = "python"

    def __init__(self, journal: Journal, failed: Callable[[str, BaseException], None]) -> None:
        self._journal: Journal | None = journal
        self._make: Callable[[], Journal | None] | None = None
        self._failed = failed
        self._thread = _Thread()
        self._open: dict[Question, tuple[int, int]] = {}
        self._handlers: dict[str, Callable[..., Any]] = {
            "open": _open,
            "os.rename": _rename,
            "os.link": _link,
            "os.remove": _remove,
            "os.truncate": accesses.cutting,
            "subprocess.Popen": _program,
            "os.posix_spawn": _program,
            "os.exec": _program,
            "os.system": _shell,
        }
        self._start()
        sys.addaudithook(self._audited)
        self._see_to_exit()

    def tell(self, tag: int, event: int, text: bytes) -> None:
        """Write a TASK record; what was done before it comes first."""
        self._settle_thread()
        if event in _ENDS:
            for question, (asked_for, tid) in list(self._open.items()):
                if asked_for == tag:
                    self._answer(question, tag, tid, is_last=False)
        self._report((records.TASK, tag << 8 | event, (), (text,)), 0)

    def settle(self) -> None:
        """Record, of what other threads have under way, that which can be seen by now."""
        for question, (tag, tid) in list(self._open.items()):
            self._answer(question, tag, tid, is_last=False)

    def follow(self, make: Callable[[], Journal | None]) -> None:
        """In a forked child: report into another journal, made when there is something to tell."""
        self._make = make
        self._journal = None
        self._open.clear()
        self._thread = _Thread()

    def _see_to_exit(self) -> None:
        """The one end of a process that is told nobody: forked children take it."""
        leave = os._exit

        def _exit(status: int) -> None:
            try:
                self._settle_thread()
            except Exception as error:
                self._failed("exit", error)
            leave(status)

        os._exit = _exit  # type: ignore[assignment]

    def _audited(self, event: str, arguments: tuple[Any, ...]) -> None:
        # What this raised would be raised in whatever the user's program does there.
        try:
            thread = self._thread
            if thread.is_inside:
                return
            if thread.questions:
                self._settle_thread()
            handler = self._handlers.get(event)
            if handler is None:
                return
            thread.is_inside = True
            try:
                self._take(handler(*arguments))
            finally:
                thread.is_inside = False
        except Exception as error:
            self._failed(f"audit of {event}", error)

    def _take(self, found: Report | Question | None) -> None:
        if callable(found):
            self._ask(found, tags.current())
        elif found is not None:
            self._report(found, tags.current())

    def _ask(self, question: Question, tag: int) -> None:
        self._thread.questions += ((tag, question),)
        self._open[question] = (tag, self._tid())

    def _settle_thread(self) -> None:
        thread = self._thread
        questions, thread.questions = thread.questions, ()
        for tag, question in questions:
            self._answer(question, tag, self._tid(), is_last=True)

    def _answer(self, question: Question, tag: int, tid: int, *, is_last: bool) -> None:
        thread = self._thread
        was_inside, thread.is_inside = thread.is_inside, True
        try:
            report = question(is_last)
            if report is None and not is_last:
                return
            # Whoever takes it from the table, this thread or the agent's, is the one to report it.
            if self._open.pop(question, None) is not None and report is not None:
                self._report(report, tag, tid)
        finally:
            thread.is_inside = was_inside

    def _report(self, report: Report, tag: int, tid: int = 0) -> None:
        if self._make is not None:
            make, self._make = self._make, None
            self._journal = make()
            self._start()
        journal = self._journal
        if journal is None or journal.pid != os.getpid():
            return
        kind, value, prints, strings = report
        journal.write(kind, value, prints, strings, tid=tid or self._tid(), tag=tag)

    def _tid(self) -> int:
        thread = self._thread
        if not thread.tid:
            thread.tid = threading.get_native_id()
        return thread.tid

    def _start(self) -> None:
        """The first record of a program that is entered."""
        program = os.readlink(b"/proc/self/exe")
        strings = (program, os.getcwdb())
        self._report((records.START, os.getppid(), (os.stat(program),), strings), 0)


def _open(path: Any, mode: str | None, flags: int) -> Report | Question | None:
    return None if isinstance(path, int) else accesses.opening(path, flags)


def _rename(old: Any, new: Any, old_dir: int, new_dir: int) -> Question | None:
    return accesses.renaming(old, new) if old_dir == new_dir == _HERE else None


def _link(existing: Any, new: Any, old_dir: int, new_dir: int) -> Question | None:
    return accesses.linking(existing, new) if old_dir == new_dir == _HERE else None


def _remove(path: Any, folder: int) -> Question | None:
    return accesses.removing(path) if folder == _HERE else None


def _program(program: Any, *_: Any) -> Report:
    return records.GAP, records.GAP_UNENTERED, (), (os.fsencode(program)[:4096],)


def _shell(_: Any) -> Report:
    return _program("/bin/sh")
