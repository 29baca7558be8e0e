"""What usage statistics add to a command: with a milestone and without, beside the same command
with ROAR_NO_TELEMETRY=1, taking turns.

    python benchmarks/telemetry.py [ROUNDS]

Budget: at most 1 ms for a command without a milestone, 3 ms with one (`roar init` has one each
time). The uploader is started and finds nobody listening; it is not waited for, nor is its work
the command's. On a busy machine only the processor's time means something.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROAR = Path(sys.executable).parent / "roar"
SILENT = {"ROAR_NO_TELEMETRY": "1"}


class Spent(NamedTuple):
    """Seconds of one command, from outside: of the clock, and of the processor for itself."""

    clock: float
    processor: float


def spent(words: list[str], project: Path, environ: dict[str, str]) -> Spent:
    """Run one command, which must succeed."""
    started = time.perf_counter()
    null = subprocess.DEVNULL
    process = subprocess.Popen([ROAR, *words], cwd=project, env=environ, stdout=null, stderr=null)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    clock = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"roar {' '.join(words)} failed with {process.returncode}")
    return Spent(clock, used.ru_utime + used.ru_stime)


def added_ms(words: list[str], project: Path, environ: dict[str, str], rounds: int) -> Spent:
    """The least of each, one less the other, in milliseconds: what is more was disturbed."""
    counted, silent = [], []
    for _ in range(rounds):
        counted.append(spent(words, project, environ))
        silent.append(spent(words, project, environ | SILENT))
        shutil.rmtree(Path(environ["HOME"], ".cache/roar/telemetry/queue"), ignore_errors=True)
        Path(environ["HOME"], ".cache/roar/telemetry/backoff.json").unlink(missing_ok=True)
    with_it, without = (map(min, zip(*each, strict=True)) for each in (counted, silent))
    return Spent(*((more - less) * 1e3 for more, less in zip(with_it, without, strict=True)))


def main() -> None:
    """Print the two figures."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        project = Path(folder, "project")
        home.mkdir()
        project.mkdir()
        environ = {"HOME": str(home), "PATH": os.environ["PATH"]}
        subprocess.run(
            [ROAR, "telemetry", "--endpoint", "http://127.0.0.1:9/"], env=environ, check=True
        )
        spent(["init"], project, environ)
        Path(home, ".cache/roar/telemetry/disclosed").touch()
        for name, words in (("without a milestone", ["status"]), ("with one", ["init"])):
            added = added_ms(words, project, environ, rounds)
            print(f"{name:20} {added.clock:+.2f} ms, {added.processor:+.2f} of the processor")


if __name__ == "__main__":
    main()
