"""What several of these tests stand on."""

from __future__ import annotations

import os

import pytest

from roar_core.plugins import tracers
from roar_core.testing.projects import ProjectUnderTest

TRACERS = ("preload", "ptrace", "ebpf")


@pytest.fixture(params=TRACERS)
def each_tracer(request: pytest.FixtureRequest, project: ProjectUnderTest) -> str:
    """Every run of the project is observed by this tracer alone; the test runs once for each."""
    name: str = request.param
    found = {tracer.name: tracer for tracer in tracers().usable}
    verdict = found[name].preflight()
    if not verdict.ok:
        reason = f"tracer {name}: {verdict.reason}; {verdict.remedy}"
        if os.environ.get("ROAR_TEST_EVERYTHING"):
            pytest.fail(reason)
        pytest.skip(reason)
    project.environ |= {"ROAR_RUN__TRACER": name, "ROAR_RUN__FALLBACK": "false"}
    return name
