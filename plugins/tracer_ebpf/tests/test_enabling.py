"""Installing the daemon and taking it away, below a root of its own."""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roar_core.errors import TracerError
from roar_core.hookspecs import Enableable
from roar_core.testing.projects import ProjectUnderTest
from roar_tracer_ebpf import EbpfTracer
from roar_tracer_ebpf.client import Collector
from roar_tracer_ebpf.enabling import Places, disable, enable
from roar_tracer_ebpf.roard import VERSION


@pytest.fixture
def places(own_daemon: Any) -> Iterator[Places]:
    prefix = Path(tempfile.mkdtemp(prefix="roar-root-"))
    prefix.chmod(0o755)
    places = Places(
        socket=str(prefix / "run/roar/roard.sock"), prefix=prefix, systemd=prefix / "none"
    )
    yield places
    disable(places)
    shutil.rmtree(prefix)


def test_it_can_be_enabled() -> None:
    assert isinstance(EbpfTracer(), Enableable)


def test_a_tracer_without_a_service_cannot_be_enabled(project: ProjectUnderTest) -> None:
    result = project.roar("tracer", "enable", "preload")
    assert result.exit_code == 2
    assert "has no service" in result.stderr


def test_enabling_and_disabling_leave_nothing_behind(places: Places) -> None:
    before = sorted(places.prefix.rglob("*"))
    assert "is running, at" in enable(places)
    tracer = EbpfTracer(socket=places.socket)
    assert tracer.priority < 20
    assert tracer.preflight().ok
    for path in places.installed.rglob("*"):
        status = path.stat()
        assert status.st_uid == 0
        assert not stat.S_IMODE(status.st_mode) & 0o022
    assert "already" in enable(places)
    assert "is stopped" in disable(places)
    left = [path for path in places.prefix.rglob("*") if path not in before and not path.is_dir()]
    assert not left
    assert not places.installed.exists()
    assert disable(places) == "roard was not enabled"


def test_another_version_is_not_overwritten(places: Places) -> None:
    (places.library / "roard-0.0.1").mkdir(parents=True)
    with pytest.raises(TracerError, match=r"roard-0\.0\.1 is installed"):
        enable(places)
    assert not places.installed.exists()


def test_a_folder_that_others_may_change_is_refused(places: Places) -> None:
    places.library.mkdir(parents=True)
    places.library.chmod(0o777)
    with pytest.raises(TracerError, match="can be changed by others"):
        enable(places)
    places.library.chmod(0o755)


def test_a_link_in_the_way_is_refused(places: Places, tmp_path: Path) -> None:
    places.library.mkdir(parents=True)
    places.installed.symlink_to(tmp_path)
    with pytest.raises(TracerError, match="can be changed by others"):
        enable(places)
    places.installed.unlink()


def test_a_group_that_does_not_exist_is_named(places: Places) -> None:
    with pytest.raises(TracerError, match="no group 'nosuchgroup'"):
        enable(places, group="nosuchgroup")


def test_a_group_closes_the_socket_to_others(places: Places) -> None:
    enable(places, group="daemon")
    status = Path(places.socket).stat()
    assert stat.S_IMODE(status.st_mode) == 0o660
    assert Collector(places.socket).ask("ping", patience_s=5) == ""
    assert VERSION in places.installed.name
