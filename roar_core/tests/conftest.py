"""Jobs to put into a real session database."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from blake3 import blake3
from hypothesis import settings
from told import Roar, Told

from roar_core.cli.main import run_command_line
from roar_core.model.coverage import Coverage, CoverageReason
from roar_core.model.environment import Environment, GitState, Packages
from roar_core.model.job import Edge, Job
from roar_core.store.owner import Owner
from roar_core.store.writer import Store
from roar_core.testing.traces import ModelTree

# No test of ours asserts how long something takes, and neither may its examples.
settings.register_profile("roar", deadline=None)
settings.load_profile("roar")


class JobMaker:
    """Makes jobs of the project `root`; every one starts a second after the one before."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self._clock = itertools.count(1_700_000_000_000_000_000, 1_000_000_000)

    def __call__(self, *command: str, **fields: Any) -> Job:
        defaults: dict[str, Any] = {
            "uid": os.urandom(16).hex(),
            "kind": "run",
            "command": command or ("true",),
            "cwd": self.root,
            "project": self.root,
            "state": "running",
            "started_at_ns": next(self._clock),
        }
        return Job(**defaults | fields)

    def edge(self, path: str, content: bytes = b"", **fields: Any) -> Edge:
        """An edge at `path` (relative: inside the project) with the real digest of `content`."""
        absolute = path if path.startswith("/") or "://" in path else f"{self.root}/{path}"
        digests = {"blake3": blake3(content).hexdigest()}
        return Edge(absolute, len(content), **{"digests": digests} | fields)

    def edges(self, files: Mapping[str, bytes]) -> tuple[Edge, ...]:
        return tuple(self.edge(path, content) for path, content in files.items())

    def record(
        self,
        store: Store,
        *command: str,
        reads: Mapping[str, bytes] | None = None,
        writes: Mapping[str, bytes] | None = None,
        **fields: Any,
    ) -> Job:
        """Begin and complete a job that read and wrote these files; `fields` are its outcome's."""
        begun = store.begin(self(*command), owner=Owner.current())
        outcome: dict[str, Any] = {
            "state": "succeeded",
            "exit_code": 0,
            "duration_s": 0.5,
            "inputs": self.edges(reads or {}),
            "outputs": self.edges(writes or {}),
        }
        return store.complete(attrs.evolve(begun, **outcome | fields))


@pytest.fixture(scope="session")
def job_maker() -> type[JobMaker]:
    """The class, for fixtures of a wider scope."""
    return JobMaker


@pytest.fixture
def jobs(tmp_path: Path) -> JobMaker:
    """Makes jobs of the project in `tmp_path`."""
    return JobMaker(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A new session database in `tmp_path`/.roar."""
    with Store.open(tmp_path / ".roar", create=True) as opened:
        yield opened


@pytest.fixture
def driver(store: Store, jobs: JobMaker) -> Job:
    """A job that runs, and has tasks."""
    return store.begin(jobs("submit"), owner=Owner.current())


@pytest.fixture
def tree() -> ModelTree:
    """A process tree and its files, which report what the judge is to be told."""
    return ModelTree()


@pytest.fixture
def roar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Roar:
    """Runs one command line in the project; it must say why when it fails."""

    def run(*arguments: str) -> Told:
        capsys.readouterr()
        status = run_command_line(list(arguments))
        told = Told(status, *capsys.readouterr())
        assert status == 0 or told.err or told.out
        return told

    monkeypatch.chdir(tmp_path)
    return run


@pytest.fixture
def pipeline(store: Store, jobs: Any, tmp_path: Path) -> Store:
    """prepare -> train (twice) -> a report that failed."""
    (tmp_path / "raw.csv").write_bytes(b"raw")
    (tmp_path / "model.pkl").write_bytes(b"model 2")
    (tmp_path / "data.npz").write_bytes(b"data")
    jobs.record(
        store, "python", "prepare.py", reads={"raw.csv": b"raw"}, writes={"data.npz": b"data"}
    )
    for attempt in ("1", "2"):
        jobs.record(
            store,
            "python",
            "-u",
            "train.py",
            reads={"data.npz": b"data"},
            writes={"model.pkl": f"model {attempt}".encode()},
            git=GitState("c" * 40, "main", None, True, "blake3:" + "d" * 64),
            environment=Environment("Debian 12", "x86_64", "cpython 3.11.7"),
            packages=Packages({"numpy": "2.0", "scipy": "1.14"}),
        )
    jobs.record(
        store,
        "sh",
        "-c",
        "report > out",
        reads={"model.pkl": b"model 1"},
        state="failed",
        exit_code=3,
        coverage=Coverage((CoverageReason("static", 2, "busybox"),)),
    )
    return store
