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

from roar_core.model.job import Edge, Job
from roar_core.store.owner import Owner
from roar_core.store.writer import Store

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
