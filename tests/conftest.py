"""What several of these tests stand on."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from roar_core.plugins import tracers
from roar_core.testing.needs import require_usable
from roar_core.testing.projects import ProjectUnderTest

ROOT = Path(__file__).resolve().parents[1]
TRACERS = ("preload", "ptrace", "ebpf")


@pytest.fixture(params=TRACERS)
def each_tracer(
    request: pytest.FixtureRequest, project: ProjectUnderTest, collector_socket: str
) -> str:
    """Every run of the project is observed by this tracer alone; the test runs once for each."""
    name: str = request.param
    found = {tracer.name: tracer for tracer in tracers().usable}
    require_usable(found[name])
    if name == "ebpf" and collector_socket:
        project.environ["ROAR_EBPF_SOCKET"] = collector_socket
    project.environ |= {"ROAR_RUN__TRACER": name, "ROAR_RUN__FALLBACK": "false"}
    return name


@pytest.fixture(scope="session")
def collector_socket() -> Iterator[str]:
    """Where an eBPF collector listens, if one can be loaded.

    One for the session, since loading takes a second; and before each test's own fixtures, which
    look for what a test leaves open.
    """
    from roar_tracer_ebpf import EbpfTracer
    from roar_tracer_ebpf.own import OwnCollector

    if not EbpfTracer().preflight().ok or os.geteuid() != 0:
        yield ""
        return
    collector = OwnCollector.start()
    yield collector.socket
    collector.let_go()


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels of every distribution of ours and of all they depend on, made without a network.

    Built once for all the processes of pytest-xdist, in the folder that they share.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "wheelhouse"
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".complete").exists():
            _build_ours(folder)
            _repack_others(folder)
            (folder / ".complete").touch()
    return folder


def _build_ours(target: Path) -> None:
    """From a copy: a build in the checkout would replace libraries that other tests have loaded."""
    copy = target / "checkout"
    members = ["roar_core", *(f"plugins/{p.name}" for p in (ROOT / "plugins").glob("[!_]*"))]
    leave_out = shutil.ignore_patterns("_native", "__pycache__", "tests")
    for member in members:
        shutil.copytree(ROOT / member, copy / member, ignore=leave_out)
    pip = (sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "wheel", "-q")
    where = ("--no-deps", "--no-index", "--no-build-isolation", "-w", str(target))
    command = (*pip, *where, *(str(copy / member) for member in members))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _repack_others(target: Path) -> None:
    """What ours depend on, as wheels again, of the files that are installed for these tests."""
    for found in _dependencies(list(map(_described, target.glob("*.whl")))):
        lines = (found.read_text("WHEEL") or "").splitlines()
        tags = (line[5:] for line in lines if line.startswith("Tag: "))
        tag = next(one for one in tags if not one.startswith("py2-"))
        name = found.metadata["Name"].replace("-", "_")
        with zipfile.ZipFile(target / f"{name}-{found.version}-{tag}.whl", "w") as wheel:
            for file in found.files or ():
                if ".." not in file.parts and file.suffix != ".pyc":
                    wheel.write(file.locate(), str(file))


def _described(wheel: Path) -> Distribution:
    """What a wheel says of itself."""
    name, version, *_ = wheel.name.split("-")
    return PathDistribution(zipfile.Path(wheel, f"{name}-{version}.dist-info/"))


def _dependencies(ours: list[Distribution]) -> list[Distribution]:
    """The installed distributions, of others, that `ours` stand on."""
    found: dict[str, Distribution] = {}
    waiting = [(each, "") for each in ours]
    walked = set()
    while waiting:
        whose, extra = waiting.pop()
        for text in whose.requires or ():
            wanted = Requirement(text)
            name = wanted.name.lower()
            needed = wanted.marker is None or wanted.marker.evaluate({"extra": extra})
            if not needed or name.startswith("roar-"):
                continue
            found.setdefault(name, distribution(name))
            new = {(name, e) for e in ("", *wanted.extras)} - walked
            walked |= new
            waiting.extend((found[name], e) for _, e in new)
    return list(found.values())
