"""What usage statistics add to a command: with a milestone and without, beside the same command
with ROAR_NO_TELEMETRY=1, taking turns.

    python benchmarks/telemetry.py [ROUNDS]

Budget: at most 1 ms for a command without a milestone, 3 ms with one (`roar init` has one each
time). The uploader is started and finds nobody listening.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROAR = Path(sys.executable).parent / "roar"
SILENT = {"ROAR_NO_TELEMETRY": "1"}


def seconds(words: list[str], project: Path, environ: dict[str, str]) -> float:
    """How long one command takes, from outside."""
    started = time.perf_counter()
    subprocess.run([ROAR, *words], cwd=project, env=environ, check=True, capture_output=True)
    return time.perf_counter() - started


def added_ms(words: list[str], project: Path, environ: dict[str, str], rounds: int) -> float:
    """The fastest of each, one less the other, in milliseconds: what is slower was disturbed."""
    counted, silent = [], []
    for _ in range(rounds):
        counted.append(seconds(words, project, environ))
        silent.append(seconds(words, project, environ | SILENT))
        shutil.rmtree(Path(environ["HOME"], ".cache/roar/telemetry/queue"), ignore_errors=True)
        Path(environ["HOME"], ".cache/roar/telemetry/backoff.json").unlink(missing_ok=True)
    return (min(counted) - min(silent)) * 1e3


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
        seconds(["init"], project, environ)
        Path(home, ".cache/roar/telemetry/disclosed").touch()
        for name, words in (("without a milestone", ["status"]), ("with one", ["init"])):
            print(f"{name:20} {added_ms(words, project, environ, rounds):+.2f} ms")


if __name__ == "__main__":
    main()
