"""Runs a task's command under roar's observation, and sends what it did.

python observe.py [OPTION VALUE ...] -- COMMAND [ARGUMENT ...]: a file of its own in the task's
container, with nothing but roar-core. Exit status and signal are the command's. Whatever goes
wrong here is silent: the task's output is not ours to write to. Without any word it only says
whether it finds all that it needs here: an image may have a roar-core of another version.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import attrs

from roar_core.errors import RoarError
from roar_core.fragments import Attempt, to_json
from roar_core.in_place import run
from roar_core.model.coverage import CoverageReason
from roar_core.model.fragment import TaskFragment
from roar_core.standing_in import occupy_standard_descriptors

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
    occupy_standard_descriptors()
    # The task's own folder stands for the project: there is no other one here.
    attempt = Attempt(values["--task"], command, own_folder(), name=values["--task"])
    folder = new_folder()

    def deliver(fragment: TaskFragment) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        # What nobody observed is better told by the workflow's specification.
        if fragment.tracer is not None:
            send(fragment, values, inputs)

    return run(attempt, Path(folder, "journal"), deliver, warn=lambda sentence: None)


def own_folder() -> str:
    """The working directory, the root where it is gone."""
    try:
        return os.getcwd()  # noqa: PTH109 - any bytes
    except OSError:
        return os.sep


def new_folder() -> str:
    """A folder to observe in; what is none where there can be none, so that nothing is observed."""
    try:
        return tempfile.mkdtemp(prefix="roar-osmo-")
    except OSError:
        return os.devnull


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


if __name__ == "__main__" and len(sys.argv) > 1:
    sys.exit(main(sys.argv[1:]))
