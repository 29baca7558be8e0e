"""preload keeps the promises of every tracer."""

from __future__ import annotations

import pytest

from roar_core.hookspecs import Tracer
from roar_core.testing.tracer import TracerContract
from roar_tracer_preload import PreloadTracer


class TestPreload(TracerContract):
    added_variables = frozenset({"LD_PRELOAD", "ROAR_TRACE"})

    @pytest.fixture
    def tracer(self) -> Tracer:
        return PreloadTracer()
