"""A project to run real `roar` commands in, and plugins installed for these commands only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from roar_core.testing.forking import Forking, same_start
from roar_core.testing.processes import kill_group

TIMEOUT_S = 120


@attrs.frozen
class Result:
    """How a command ended, and what roar recorded of it.

    `job` is the document of `roar show --json` (docs/json.md), None when nothing was recorded.
    """

    exit_code: int
    stdout: str
    stderr: str
    job: Mapping[str, Any] | None = None

    @property
    def reads(self) -> set[str]:
        """The inputs: relative to the project, absolute where they lie outside."""
        return self._paths("inputs")

    @property
    def writes(self) -> set[str]:
        """The outputs, in the same form."""
        return self._paths("outputs")

    def _paths(self, side: str) -> set[str]:
        assert self.job is not None, f"nothing was recorded; roar said: {self.stderr}"
        return {edge["relative"] or edge["path"] for edge in self.job[side]}


@attrs.define
class InstalledPlugins:
    """Plugins below `folder`, which `ProjectUnderTest` puts on the path of its commands."""

    folder: Path

    def __call__(
        self, name: str, code: str, *, group: str, version: str = "1.0", entry: str | None = None
    ) -> str:
        """Install a distribution whose one module holds `code`; return the distribution's name.

        It advertises the entry point `name` (or `entry`) in `group`, as the files an installer
        leaves behind: a module and a `.dist-info` (packaging.python.org, "Recording installed
        projects"), so that no index, no build and no second are needed.
        """
        module = name.replace("-", "_")
        info = self.folder / f"{module}-{version}.dist-info"
        info.mkdir(parents=True)
        (self.folder / f"{module}.py").write_text(code, encoding="utf-8")
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8"
        )
        (info / "entry_points.txt").write_text(
            f"[{group}]\n{entry or name} = {module}\n", encoding="utf-8"
        )
        (info / "INSTALLER").write_text("roar_core.testing\n", encoding="utf-8")
        return name


@attrs.define
class ProjectUnderTest:
    """A temporary project; every command is a real process with a home directory of its own.

    `forking` saves each `roar` the start of an interpreter; without it they are started.
    """

    root: Path
    home: Path
    plugins: InstalledPlugins
    environ: dict[str, str] = attrs.field(factory=dict)
    forking: Forking | None = None
    _newest_uid: str | None = None
    _started: list[subprocess.Popen[bytes]] = attrs.field(factory=list, init=False)

    def write(self, relative: str, content: str | bytes) -> Path:
        """Make a file of the project, folders included."""
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def read(self, relative: str) -> str:
        """A file's text."""
        return (self.root / relative).read_text(encoding="utf-8")

    @property
    def roar_argv(self) -> tuple[str, ...]:
        """How `roar` is called: the one of the interpreter that runs the tests."""
        return (sys.executable, "-m", "roar_core")

    def roar(self, *arguments: str, environ: Mapping[str, str] | None = None) -> Result:
        """Run `roar` with `arguments` in the project and return how it ended."""
        own = self.environment(environ)
        if self.forking is None or not same_start(own):
            return self._call([*self.roar_argv, *arguments], environ or {})
        done = self.forking.run(arguments, cwd=self.root, environ=own, timeout_s=TIMEOUT_S)
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a command in the project, without streams, as the leader of a process group.

        The fixture `project` kills that group when the test is over.
        """
        null = subprocess.DEVNULL
        process = subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environment(),
            stdin=null,
            stdout=null,
            stderr=null,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def kill_started(self) -> None:
        """Kill all that `start` has started."""
        while self._started:
            kill_group(self._started.pop())

    def shell(self, line: str) -> Result:
        """Run a line as a terminal's user would; stdout and stderr come together, in `stdout`."""
        return self._call(["sh", "-c", f"exec 2>&1\n{line}"], {})

    def _call(self, argv: Sequence[str], environ: Mapping[str, str]) -> Result:
        done = subprocess.run(
            argv,
            cwd=self.root,
            env=self.environment(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=TIMEOUT_S,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def run(self, *command: str, environ: Mapping[str, str] | None = None) -> Result:
        """`roar run` the command and return how it ended with what was recorded."""
        result = self.roar("run", "--", *command, environ=environ)
        shown = self.roar("show", "--json")
        job = json.loads(shown.stdout) if shown.exit_code == 0 else None
        if job is None or job["uid"] == self._newest_uid:
            return result
        self._newest_uid = job["uid"]
        return attrs.evolve(result, job=job)

    def json(self, *arguments: str) -> Any:
        """The document that `roar <arguments> --json` prints; the command must succeed."""
        result = self.roar(*arguments, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The variables of its commands: the caller's, with `extra`, but none of his settings."""
        # Nothing of the developer's own settings may decide a test; `python` is the one running it.
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ROAR_", "XDG_", "GIT_"))}
        scripts = os.path.dirname(sys.executable)  # noqa: PTH120 - text for PATH
        return kept | {
            "HOME": str(self.home),
            "PATH": scripts + os.pathsep + kept.get("PATH", os.defpath),
            "PYTHONPATH": str(self.plugins.folder),
            "ROAR_NO_TELEMETRY": "1",
            **self.environ,
            **(extra or {}),
        }
