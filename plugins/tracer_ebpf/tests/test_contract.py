"""ebpf keeps the promises of every tracer, through a daemon that serves the whole session."""

from __future__ import annotations

import pytest

from roar_core.hookspecs import Tracer
from roar_core.testing.tracer import TracerContract
from roar_tracer_ebpf import EbpfTracer


@pytest.mark.usefixtures("daemon")
class TestEbpf(TracerContract):
    @pytest.fixture
    def tracer(self) -> Tracer:
        return EbpfTracer()
