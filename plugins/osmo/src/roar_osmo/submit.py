"""Carry out `osmo workflow submit` in the command's place.

The server renders the file, the result is rewritten and submitted, and the workflow's id is kept.
What cannot be done for any reason leaves the command as it was typed; it ends as `osmo` ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple, TextIO

from roar_core.errors import RoarError
from roar_osmo.client import Osmo
from roar_osmo.command_line import understood
from roar_osmo.notes import Notes
from roar_osmo.settings import Settings
from roar_osmo.submitted import is_about_labels, is_refusal, workflow_in

# Of what osmo prints, so much is looked at.
_HEARD_MAX = 1 << 20
# A daemon that osmo left behind may hold its output open (--rsync).
_DRAIN_S = 2.0
_RELAYED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class _Stopped(BaseException):
    """A signal came before anything was submitted; what osmo was asked is ended on the way out."""

    def __init__(self, number: int) -> None:
        self.number = number


class _Ended(NamedTuple):
    """How osmo ended, as `subprocess` tells it, and what it printed."""

    status: int
    heard: str

    @property
    def workflow(self) -> str | None:
        return workflow_in(self.heard)


def submit(folder: Path, command: tuple[str, ...]) -> int:
    """Submit; returns osmo's exit status, or dies of the signal that it died of."""
    notes = Notes(folder)
    _on_signals(_stop)
    try:
        ended = _carry_out(notes, command, notes.settings or Settings())
    except _Stopped as stopped:
        return _die_of(stopped.number)
    # An id is printed when the workflow is there, whatever goes wrong afterwards.
    _note(lambda: notes.submitted(ended.workflow))
    return ended.status if ended.status >= 0 else _die_of(-ended.status)


def _on_signals(handler: Callable[[int, object], None]) -> None:
    for number in _RELAYED:
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup: osmo ignores it, too
            signal.signal(number, handler)


def _stop(number: int, _: object) -> None:
    raise _Stopped(number)


def _die_of(number: int) -> int:
    with suppress(OSError, ValueError):  # SIGKILL has no handler
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number


def _note(keep: Callable[[], None]) -> None:
    """Keep something for a later roar; a full disk costs that, and not the workflow."""
    with suppress(OSError):
        keep()


def _carry_out(notes: Notes, command: tuple[str, ...], settings: Settings) -> _Ended:
    """Submit what was rewritten; without what the server refuses, in the end as it was typed.

    Only after a refusal is there another try: whatever else went wrong, the workflow may be there.
    """
    rewritten = _rewritten(notes, command, settings)
    _note(notes.begin)
    if settings.label and rewritten != command:
        ended = _submit((*rewritten, "--label", notes.label))
        if ended.workflow is not None or not is_about_labels(ended.heard) or ended.status <= 0:
            return _without_ours(notes, command, rewritten, ended)
        _say("submitting again, without the label")
    return _without_ours(notes, command, rewritten, _submit(rewritten))


def _without_ours(
    notes: Notes, command: tuple[str, ...], rewritten: tuple[str, ...], ended: _Ended
) -> _Ended:
    """How submitting ended, the command as it was typed when what was rewritten is refused."""
    is_refused = ended.workflow is None and ended.status > 0 and is_refusal(ended.heard)
    if not is_refused or rewritten == command:
        return ended
    _note(lambda: notes.tell_why("the server refused the workflow with roar's launcher in it"))
    _note(notes.forget_specification)
    _say("submitting the workflow as it is")
    return _submit(command)


def _rewritten(notes: Notes, command: tuple[str, ...], settings: Settings) -> tuple[str, ...]:
    """The command that submits the rewritten file, and the command itself where there is none."""
    submission = understood(command)
    if submission is None:
        _note(lambda: notes.tell_why("an option of its osmo command is not known to roar"))
        return command
    from roar_core.fragment_sessions.run_session import RunSession
    from roar_osmo.preparing import prepared

    cwd, osmo = Path.cwd(), Osmo(command[0], Path.cwd(), settings.timeout_s)
    try:
        session = RunSession(notes.folder).session
        found = prepared(submission, osmo, cwd, settings, "" if session is None else session.text)
        if found.problem:
            notes.tell_problem(found.problem)
        notes.keep_specification(found.rewritten.text)
    except (RoarError, OSError) as error:
        reason = str(error)
        _note(lambda: notes.tell_why(reason))
        return command
    return submission.of_rendered(str(notes.folder / "spec.yaml"))


def _say(sentence: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"roar: {sentence}\n")


def _submit(command: Sequence[str]) -> _Ended:
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError as error:
        if sys.stderr is not None:
            sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return _Ended(127 if isinstance(error, FileNotFoundError) else 126, "")
    _on_signals(lambda received, _: process.send_signal(received))
    assert process.stdout is not None
    assert process.stderr is not None
    heard: list[bytes] = []
    passing = [
        _pass_on(process.stdout, sys.stdout, heard),
        _pass_on(process.stderr, sys.stderr, heard),
    ]
    status = process.wait()
    for thread in passing:
        thread.join(_DRAIN_S)
    return _Ended(status, b"".join(heard).decode("utf-8", "replace"))


def _pass_on(source: IO[bytes], target: TextIO | None, heard: list[bytes]) -> threading.Thread:
    """Pass what osmo prints on as it comes, and keep the beginning of it.

    `target` is None where the caller has closed it.
    """

    def work() -> None:
        for chunk in iter(lambda: os.read(source.fileno(), 1 << 16), b""):
            if sum(map(len, heard)) < _HEARD_MAX:
                heard.append(chunk)
            if target is None:
                continue
            with suppress(OSError):  # nobody reads any more: osmo ends as it would
                target.buffer.write(chunk)
                target.flush()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
