"""A real collector for the session, and commands observed by it whose journals can be asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs
import pytest

from roar_core.hookspecs import LaunchPlan
from roar_core.journal import GapCode, Intent, Journal, Kind, Record
from roar_core.model.coverage import CoverageReason
from roar_core.testing.needs import require_usable
from roar_core.testing.projects import ProjectUnderTest
from roar_tracer_ebpf import EbpfTracer
from roar_tracer_ebpf.own import PYTHON, ROARD


@attrs.define
class Daemon:
    """A roard that this session has started, and ends by its process id."""

    folder: Path
    process: subprocess.Popen[str] | None = None

    @property
    def socket(self) -> str:
        return str(self.folder / "roard.sock")

    def start(self, *options: str) -> str:
        """Start it and return its first line: `ready`, or why not."""
        self.process = subprocess.Popen(
            [PYTHON, "-I", str(ROARD), "--socket", self.socket, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def stop(self, *, kill: bool = False) -> None:
        if self.process is None:
            return
        (self.process.kill if kill else self.process.terminate)()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None


@attrs.frozen
class Traced:
    """What one command did, by its exit code and the journal; `reasons` are the launch's."""

    folder: Path
    code: int
    records: list[Record]
    lost: int
    reasons: Sequence[CoverageReason]

    def of(self, kind: Kind) -> list[Record]:
        return [record for record in self.records if record.kind == kind]

    def paths(self, kind: Kind) -> list[tuple[bytes, ...]]:
        """The names in the records of one kind, those inside the folder relative to it."""
        inside = os.fsencode(self.folder) + b"/"
        return [tuple(s.removeprefix(inside) for s in r.strings) for r in self.of(kind)]

    def opens(self, name: bytes) -> list[Intent]:
        raw = os.fsencode(self.folder) + b"/" + name
        return [Intent(r.value) for r in self.of(Kind.OPEN) if r.strings[0] == raw]

    def gaps(self) -> set[str]:
        return {GapCode(record.value).code for record in self.of(Kind.GAP)}

    def events_lost(self) -> int:
        return self.lost + sum(record.value for record in self.of(Kind.LOST))


Trace = Callable[..., Traced]


def require_root() -> None:
    """Skip where no collector can be loaded, with the remedy that the tracer itself gives."""
    require_usable(EbpfTracer(socket="/nonexistent/roard.sock"))


@pytest.fixture(scope="session")
def collector_folder() -> Iterator[Path]:
    """A folder of root's alone, which everybody may enter."""
    folder = Path(tempfile.mkdtemp(prefix="roar-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def session_daemon(collector_folder: Path) -> Iterator[Daemon]:
    require_root()
    daemon = Daemon(collector_folder)
    assert daemon.start() == "ready"
    yield daemon
    daemon.stop()


@pytest.fixture
def daemon(
    session_daemon: Daemon, project: ProjectUnderTest, monkeypatch: pytest.MonkeyPatch
) -> Daemon:
    """The session's daemon, as the one that roar and the tracer find."""
    monkeypatch.setenv("ROAR_EBPF_SOCKET", session_daemon.socket)
    project.environ["ROAR_EBPF_SOCKET"] = session_daemon.socket
    return session_daemon


@pytest.fixture
def own_daemon(project: ProjectUnderTest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """One to be started by the test, with its own options, and to be maltreated."""
    require_root()
    folder = Path(tempfile.mkdtemp(prefix="roar-test-"))
    folder.chmod(0o755)
    daemon = Daemon(folder)
    monkeypatch.setenv("ROAR_EBPF_SOCKET", daemon.socket)
    project.environ["ROAR_EBPF_SOCKET"] = daemon.socket
    yield daemon
    daemon.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where commands run: with `in` ("content") in it."""
    folder = (tmp_path / "work").resolve()
    folder.mkdir()
    (folder / "in").write_text("content\n")
    return folder


@pytest.fixture
def trace(folder: Path, tmp_path: Path) -> Iterator[Trace]:
    """Run a command under ebpf in `folder`; `around` gets the journal and the process."""
    journals: list[Journal] = []

    def trace(
        *argv: str | bytes,
        around: Callable[[Journal, subprocess.Popen[bytes]], object] | None = None,
        room_bytes: int | None = None,
    ) -> Traced:
        uid = os.urandom(16).hex()
        room = {} if room_bytes is None else {"room_bytes": room_bytes, "table_slots": 0}
        journal = Journal.create(tmp_path / f"{uid}.jnl", uid, preimage_wait_ms=0, **room)
        journals.append(journal)
        found = shutil.which(os.fsdecode(argv[0]))
        assert found is not None, argv
        plan = LaunchPlan(
            program=os.fsencode(found),
            argv=tuple(os.fsencode(word) for word in argv),
            environ=dict(os.environb),
            cwd=folder,
            journal=Path(journal.path),
            run_uid=uid,
        )
        launch = EbpfTracer().launch(plan)
        child = subprocess.Popen(
            launch.argv,
            env=launch.environ,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        launch.started(child.pid)
        if around:
            around(journal, child)
        child.communicate(timeout=120)
        reasons = launch.finished()
        return Traced(folder, child.returncode, journal.finish(), journal.lost, reasons)

    yield trace
    for journal in journals:
        journal.remove()
