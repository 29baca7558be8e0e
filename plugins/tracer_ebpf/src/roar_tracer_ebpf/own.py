"""A collector for one run of root's, where no daemon is running."""

from __future__ import annotations

import os
from pathlib import Path

from roar_core.errors import TracerError

PYTHON = "/usr/bin/python3"
ROARD = Path(__file__).parent / "roard"


class OwnCollector:
    """A collector that ends with the run; it goes on for what the run left in the background."""

    def __init__(self, folder: str, owner: int) -> None:
        self._folder = folder
        self._owner = owner
        self.socket = f"{folder}/roard.sock"

    @classmethod
    def start(cls) -> OwnCollector:
        """Load a collector and wait until it listens. Raises TracerError with its reason."""
        import tempfile

        folder = tempfile.mkdtemp(prefix="roar-ebpf-")
        theirs, ours = os.pipe()
        told, tell = os.pipe()
        collector = cls(folder, ours)
        null = os.open(os.devnull, os.O_RDWR)
        options = ("--socket", collector.socket, "--owner", "3")
        try:
            os.posix_spawn(
                PYTHON,
                (PYTHON, "-I", str(ROARD), *options),
                {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                file_actions=[
                    # First above 3, where the others may lie.
                    (os.POSIX_SPAWN_DUP2, theirs, 100),
                    (os.POSIX_SPAWN_DUP2, tell, 101),
                    (os.POSIX_SPAWN_DUP2, null, 0),
                    (os.POSIX_SPAWN_DUP2, null, 2),
                    (os.POSIX_SPAWN_DUP2, 101, 1),
                    (os.POSIX_SPAWN_DUP2, 100, 3),
                    (os.POSIX_SPAWN_CLOSE, 100),
                    (os.POSIX_SPAWN_CLOSE, 101),
                ],
                setsid=True,  # Ctrl-C is for the command
                setsigmask=(),
            )
        except OSError as error:
            collector.let_go()
            raise TracerError(f"cannot start {PYTHON}: {error.strerror}") from error
        finally:
            for descriptor in (theirs, tell, null):
                os.close(descriptor)
        with os.fdopen(told, "rb") as answers:
            answer = answers.readline().decode("utf-8", "replace").strip()
        if answer != "ready":
            collector.let_go()
            raise TracerError(answer.removeprefix("roard: ") or "the collector did not start")
        return collector

    def let_go(self) -> None:
        """Tell it that the run is over; it ends by itself. May be called twice."""
        if self._owner >= 0:
            os.close(self._owner)
            self._owner = -1
            import shutil

            shutil.rmtree(self._folder, ignore_errors=True)
