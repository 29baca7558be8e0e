"""Every built-in format keeps the promises of exporters, like a stranger's."""

from __future__ import annotations

import pytest

from roar_core.export.formats import roar_exporters
from roar_core.hookspecs import Exporter
from roar_core.testing.exporter import ExporterContract


@pytest.fixture(params=roar_exporters(), ids=lambda exporter: exporter.format)
def built_in(request: pytest.FixtureRequest) -> Exporter:
    exporter: Exporter = request.param
    return exporter


class TestBuiltIn(ExporterContract):
    @pytest.fixture
    def exporter(self, built_in: Exporter) -> Exporter:
        return built_in
