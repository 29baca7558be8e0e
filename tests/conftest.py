"""What several of these tests stand on."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from roar_core.plugins import tracers
from roar_core.testing.needs import require_usable
from roar_core.testing.projects import ProjectUnderTest

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
