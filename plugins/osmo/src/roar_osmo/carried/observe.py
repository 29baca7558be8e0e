"""Runs a task's command under roar's observation, and sends what it did.

python observe.py [OPTION VALUE ...] -- COMMAND [ARGUMENT ...]: a file of its own in the task's
container, with nothing but roar-core. Exit status and signal are the command's. Whatever goes
wrong here is silent: the task's output is not ours to write to.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import platform
import resource
import shutil
import signal
import sys
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import attrs

from roar_core.errors import RoarError
from roar_core.fragments import Attempt, observe, to_json
from roar_core.model.coverage import CoverageReason
from roar_core.model.fragment import TaskFragment
from roar_core.standing_in import forget_own_locale, occupy_standard_descriptors

FOLDER = "roar-fragments"
MARK = "ROAR1"
# OSMO reads a task's output line by line and gives up on one of 64 KiB; it keeps so many lines.
LINE = 2000
LOG_MAX = 256 << 10


def main(words: Sequence[str]) -> int:
    """Run the command; returns its exit status, or dies of the signal that it died of."""
    split = words.index("--")
    options, command = words[:split], tuple(words[split + 1 :])
    told = [(options[at], options[at + 1]) for at in range(0, len(options), 2)]
    values = dict(told)
    inputs = [value for name, value in told if name == "--input"]
    # The task's own folder stands for the project: there is no other one here.
    attempt = Attempt(values["--task"], command, str(Path.cwd()), name=values["--task"])
    occupy_standard_descriptors()
    forget_own_locale()
    fragment = observed(attempt)
    if fragment is None:
        become(command)
    if sys.stderr is not None or values["--return"] != "logs":
        with contextlib.suppress(OSError):
            send(fragment, values, inputs)
    if fragment.signal is not None:
        number = signal.Signals[fragment.signal]
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return fragment.exit_code or 0


def observed(attempt: Attempt) -> TaskFragment | None:
    """What the command did, after it ended; None when it was not started."""
    folder = ""
    try:
        with Unstarted():
            folder = tempfile.mkdtemp(prefix="roar-osmo-")
            return observe(attempt, Path(folder) / "journal", lambda fragment: None)
    except RoarError:
        return None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return None


class Unstarted:
    """Passes over a defect of ours, unless the command may have started: it may not run twice."""

    def __enter__(self) -> None:
        self.before = resource.getrusage(resource.RUSAGE_CHILDREN)

    def __exit__(self, kind: type | None, error: object, trace: object) -> bool:
        is_defect = kind is not None and issubclass(kind, Exception)
        return is_defect and not issubclass(kind or object, RoarError) and not self.has_had_a_child

    @property
    def has_had_a_child(self) -> bool:
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return resource.getrusage(resource.RUSAGE_CHILDREN) != self.before
        return True


def become(command: tuple[str, ...]) -> NoReturn:
    """Execute the command in the place of this process, which has done nothing yet."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the task, as it would have run without us
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.exit(127 if isinstance(error, FileNotFoundError) else 126)


def send(fragment: TaskFragment, values: dict[str, str], inputs: list[str]) -> None:
    """Send what the command did the way that was asked for."""
    content = enveloped(fragment, values, inputs)
    if values["--return"] == "output":
        folder = Path(values["--output"]) / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{hashlib.sha256(content).hexdigest()}.json").write_bytes(content)
        return
    packed = zlib.compress(content, 9)
    if values["--return"] == "registry" and sent_through_registry(content, packed):
        return
    if len(packed) > LOG_MAX:
        count = len(fragment.read) + len(fragment.written)
        lost = CoverageReason("lost", count, "files of a task: more than its log may carry")
        less = attrs.evolve(fragment, read=(), written=(), coverage=(*fragment.coverage, lost))
        packed = zlib.compress(enveloped(less, values, inputs), 9)
    if sys.stderr is not None:
        sys.stderr.write("".join(lines_of(packed)))
        sys.stderr.flush()


def sent_through_registry(content: bytes, packed: bytes) -> bool:
    """Send what the command did encrypted, as it is called in a log; False: it must go there."""
    try:
        from roar_core.fragment_sessions import sending
        from roar_core.fragment_sessions.session import Session

        session = Session.from_text(Path(__file__).with_name("session").read_text())
        name = hashlib.sha256(packed).hexdigest()
        redactor = sending.redactor_in(Path.cwd(), os.environ)
        sending.send(session, {**json.loads(content), "delivery": name}, redactor)
    except (ImportError, OSError, ValueError, RoarError):
        return False
    return True


def enveloped(fragment: TaskFragment, values: dict[str, str], inputs: list[str]) -> bytes:
    """A fragment with what is needed to place it."""
    return json.dumps(
        {
            "roar_osmo": 1,
            "workflow": values["--workflow"],
            "task": values["--task"],
            "host": platform.node(),
            "output": values.get("--output", ""),
            "inputs": inputs,
            "fragment": json.loads(to_json(fragment)),
        }
    ).encode("ascii")


def lines_of(packed: bytes) -> list[str]:
    """`ROAR1 <sha256 of all> <number>/<count> <base64>`: a whole that survives any log."""
    text = base64.b64encode(packed).decode("ascii")
    parts = [text[at : at + LINE] for at in range(0, len(text), LINE)]
    name = hashlib.sha256(packed).hexdigest()
    return [f"{MARK} {name} {at}/{len(parts)} {part}\n" for at, part in enumerate(parts, 1)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
