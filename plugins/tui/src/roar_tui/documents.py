"""The JSON documents that the screen shows, read from `roar … --json`.

The documents are the public face of the store (docs/json.md); its modules are not. So each question
is a process of its own, asked from a worker thread, and ended when the screen is left.
"""

from __future__ import annotations

import json
import subprocess
import sys
from threading import Lock
from typing import Any

Document = dict[str, Any]


class ReadError(Exception):
    """roar could not answer; the message is its sentence, without `roar:` and without a full stop.

    The sentence may hold names as they are: show it through `views.printable`.
    """


class Reader:
    """Asks roar about the project around the working directory. May be used by several threads."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = Lock()
        self._is_closed = False

    def steps(self, session: int | None) -> Document:
        """The document `dag` of a session, None for the current one."""
        chosen = () if session is None else ("--session", str(session))
        return self._document("dag", "dag", *chosen)

    def job(self, uid: str) -> Document:
        """The document `job` of an execution."""
        return self._document("job", "show", uid)

    def walk(self, uid: str, kind: str) -> Document:
        """The document `lineage` or `impact`, whichever `kind` names, of an execution."""
        return self._document(kind, kind, uid)

    def current_session(self) -> int:
        """The number of the session that new jobs join; 0 when nothing was recorded yet."""
        session = self._document("log", "log", "--limit", "1")["session"]
        return 0 if session is None else int(session["number"])

    def close(self) -> None:
        """End the questions that are still open; whoever waits for one gets a `ReadError`."""
        with self._lock:
            self._is_closed = True
            for process in self._running:
                process.kill()

    def _document(self, kind: str, *arguments: str) -> Document:
        # -P: a project may have a json.py of its own, or a folder called roar_core.
        command = [sys.executable, "-P", "-m", "roar_core", *arguments, "--json"]
        stdout, stderr, status = self._finished(command)
        if status != 0:
            raise ReadError(_sentence(stderr, arguments, status))
        try:
            document = json.loads(stdout)
        except ValueError as error:
            raise ReadError(f"roar {arguments[0]} printed no JSON document: {error}") from error
        found = (document.get("schema"), document.get("type"))
        if found != (1, kind):
            raise ReadError(
                f"roar {arguments[0]} printed a document {found[1]!r} of version {found[0]!r}, and"
                " this roar-tui knows version 1; install the same version of both"
            )
        return dict(document)

    def _finished(self, command: list[str]) -> tuple[bytes, bytes, int]:
        with self._lock:
            if self._is_closed:
                raise ReadError("the screen was left")
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            except OSError as error:
                raise ReadError(f"cannot start roar: {error.strerror}; try again") from error
            self._running.add(process)
        try:
            stdout, stderr = process.communicate()
        finally:
            with self._lock:
                self._running.discard(process)
        return stdout, stderr, process.returncode


def _sentence(stderr: bytes, arguments: tuple[str, ...], status: int) -> str:
    """The last line that roar said, which is why it failed."""
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines:
        return f"roar {' '.join(arguments)} ended with status {status} and said nothing"
    return lines[-1].removeprefix("roar: ")
