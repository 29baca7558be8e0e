"""A real Ray cluster for tests of the agent, and programs that run on it as drivers."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from ray_servers import free_port, started, without_ours

from roar_core.model.fragment import TaskFragment
from roar_core.task_journal import read_tasks

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
SOURCES = HERE.parent / "src"
AGENT = SOURCES / "roar_ray" / "agent"
LIBRARY = HERE.parents[1] / "tracer_preload/src/roar_tracer_preload/_native/libroar_preload.so"
RUN = "0123456789abcdef0123456789abcdef"


@attrs.frozen
class Told:
    """What a driver printed, as JSON, and what its workers' journals tell."""

    printed: Any
    fragments: tuple[TaskFragment, ...]
    processes: tuple[dict[str, Any], ...]
    submitted: dict[str, set[str]]
    stderr: str

    def named(self, name: str) -> list[TaskFragment]:
        """The attempts at one function, in their order."""
        found = [each for each in self.fragments if each.name == name]
        return sorted(found, key=lambda each: (each.started_at_ns, each.attempt))


@attrs.frozen
class Cluster:
    """One node on this machine, with token authentication."""

    python: str
    address: str
    environ: dict[str, str]

    def drive(
        self,
        folder: Path,
        program: str,
        *arguments: str | Path,
        capture: str | None = "native",
        environ: dict[str, str] | None = None,
    ) -> Told:
        """Run a program of ours as a driver; `capture` None: without the agent."""
        journals = folder / "journals"
        journals.mkdir()
        added = {"RAY_ADDRESS": self.address, **(environ or {})}
        if capture is not None:
            added |= _with_agent(folder, journals, capture)
        done = subprocess.run(
            [self.python, PROGRAMS / program, *arguments],
            env=self.environ | added,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        printed = json.loads(done.stdout.splitlines()[-1])
        return told_by(journals, printed, done.stderr)


def _with_agent(folder: Path, journals: Path, capture: str) -> dict[str, str]:
    # A driver's Python need have nothing of roar's: the same two packages, without roar_ray itself.
    for package in ("agent", "hook"):
        shutil.copytree(SOURCES / "roar_ray" / package, folder / "lead" / "roar_ray" / package)
    (journals / "nonce").write_text("here")
    settings = {
        "run": RUN,
        "folder": str(journals),
        "nonce": "here",
        "agent": str(AGENT),
        "capture": capture,
        "library": str(LIBRARY),
        "ship_every_s": 0.5,
        "store_bytes": 1 << 20,
    }
    return {
        "RAY_RUNTIME_ENV_HOOK": "agent_hook.add_agent",
        "AGENT_SETTINGS": json.dumps(settings),
        "PYTHONPATH": f"{PROGRAMS}{os.pathsep}{folder / 'lead'}",
    }


def told_by(journals: Path, printed: Any = None, stderr: str = "") -> Told:
    """What the journals in a folder tell."""
    fragments: list[TaskFragment] = []
    processes = []
    submitted: dict[str, set[str]] = {}
    for path in sorted(journals.glob("*.jnl")):
        told = read_tasks(path.read_bytes(), path.name, project="/nowhere", is_final=True)
        fragments += map(_of_tasks, told.attempts)
        assert told.worker is not None
        fragments.append(told.worker)
        processes.append(dict(told.process))
        for task, needs in told.submitted.items():
            submitted.setdefault(task, set()).update(map(_task, needs))
    return Told(printed, tuple(fragments), tuple(processes), submitted, stderr)


def _of_tasks(fragment: TaskFragment) -> TaskFragment:
    return attrs.evolve(fragment, needs=tuple(map(_task, fragment.needs)))


def _task(need: str) -> str:
    """The task of a ref, which is told whole where it may be what a thread has put."""
    return need[:48]


@contextmanager
def cluster(python: str) -> Iterator[Cluster]:
    """A cluster that is this caller's alone; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as folder:
        environ = without_ours() | {
            "HOME": folder,  # where Ray keeps its token
            "RAY_AUTH_MODE": "token",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_raylet_start_wait_time_s": "180",
            "ROAR_NO_TELEMETRY": "1",
        }
        token = Path(folder) / ".ray" / "auth_token"
        token.parent.mkdir(mode=0o700)
        token.write_text(secrets.token_hex(32))
        port = free_port()
        ray = Path(python).parent / "ray"
        options = ("--include-dashboard=false", "--num-cpus=4", f"--temp-dir={folder}/t")
        head = (ray, "start", "--head", "--block", f"--port={port}", *options)
        with started(head, environ, Path(folder) / "start"):
            yield Cluster(python, f"127.0.0.1:{port}", environ)
