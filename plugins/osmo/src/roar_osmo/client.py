"""Ask `osmo` something, without ever waiting for it without end."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from roar_core.errors import RoarError
from roar_core.redaction import mask

# What osmo prints is kept in a file; of its complaints, this much is read.
_SAID_MAX = 64 << 10
_ANSWER_MAX = 64 << 20


class OsmoError(RoarError):
    """`osmo` could not be asked, or gave no answer; the sentence has no secret in it."""

    def __init__(self, sentence: str) -> None:
        super().__init__(mask(sentence).text)


class Osmo:
    """The `osmo` that the user called, `program`, in the folder where it was called."""

    def __init__(
        self, program: str, cwd: Path, timeout_s: float, environ: Mapping[str, str] | None = None
    ) -> None:
        self._program = program
        # That folder may be gone when a later roar asks.
        self._cwd = cwd if cwd.is_dir() else Path(cwd.root)
        self._timeout_s = timeout_s
        self._environ = {**(os.environ if environ is None else environ)}

    def text(self, *words: str) -> str:
        """What `osmo WORDS` prints; OsmoError when it fails, hangs or is not there."""
        with self.lines(*words) as stream:
            text = stream.read(_ANSWER_MAX + 1)
        if len(text) > _ANSWER_MAX:
            raise OsmoError(f"{_called(words)} printed more than {_ANSWER_MAX >> 20} MiB")
        return text

    def document(self, having: str, *words: str) -> dict[str, Any]:
        """The JSON object with the key `having` that `osmo WORDS` prints among whatever it says."""
        text = self.text(*words)
        at = 0
        while (at := text.find("{", at)) >= 0:
            # Only where a line begins: a warning may have a brace in it.
            if at == 0 or text[at - 1] == "\n":
                with contextlib.suppress(ValueError, RecursionError):
                    found, _ = json.JSONDecoder().raw_decode(text, at)
                    if isinstance(found, dict) and having in found:
                        return found
            at += 1
        said = text.strip().splitlines()
        words_of = f"but {said[0][:200]!r}" if said else "but nothing"
        raise OsmoError(f"{_called(words)} printed no JSON object with {having!r}, {words_of}")

    @contextmanager
    def lines(self, *words: str) -> Iterator[IO[str]]:
        """All that `osmo WORDS` printed, to be read line by line: logs may be large."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            self._run(words, out, err)
            out.seek(0)
            yield io.TextIOWrapper(out, encoding="utf-8", errors="replace", newline="\n")

    def _run(self, words: tuple[str, ...], out: IO[bytes], err: IO[bytes]) -> None:
        try:
            # A session of its own: what it started is ended with it, and a Ctrl-C is not its.
            process = subprocess.Popen(
                [self._program, *words],
                cwd=self._cwd,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        except OSError as error:
            raise OsmoError(
                f"cannot run {self._program!r}: {error.strerror}; is osmo installed?"
            ) from error
        try:
            status = process.wait(self._timeout_s)
        except subprocess.TimeoutExpired as error:
            raise OsmoError(
                f"{_called(words)} did not answer within {self._timeout_s:g} seconds;"
                " see osmo.timeout"
            ) from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if status != 0:
            err.seek(0)
            said = err.read(_SAID_MAX).decode("utf-8", "replace").strip().splitlines()
            last = f": {said[-1][:300]}" if said else ""
            raise OsmoError(f"{_called(words)} failed with exit status {status}{last}")


def _called(words: tuple[str, ...]) -> str:
    """The command, for people: without what makes it long."""
    return "osmo " + " ".join(words[:3])
