"""ptrace keeps the promises of every tracer."""

from __future__ import annotations

import pytest

from roar_core.hookspecs import Tracer
from roar_core.testing.tracer import TracerContract
from roar_tracer_ptrace import PtraceTracer


class TestPtrace(TracerContract):
    @pytest.fixture
    def tracer(self) -> Tracer:
        return PtraceTracer()
