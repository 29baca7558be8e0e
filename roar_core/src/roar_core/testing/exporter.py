"""The promises of an exporter, as tests: subclass `ExporterContract` and give one fixture.

class TestDot(ExporterContract):
    @pytest.fixture
    def exporter(self): return DotExporter()
"""

from __future__ import annotations

import pytest

from roar_core.hookspecs import Exporter
from roar_core.promises import exporter as promises


class ExporterContract:
    """What roar relies on. The fixture `exporter` is yours to give."""

    @pytest.fixture
    def exporter(self) -> Exporter:
        """The exporter to prove."""
        raise NotImplementedError("give a fixture `exporter`")

    def test_it_is_an_exporter_with_a_format(self, exporter: Exporter) -> None:
        assert isinstance(exporter, Exporter)
        assert not promises.format_is_a_word.complaints(exporter)

    def test_it_writes_every_graph_also_an_empty_one(self, exporter: Exporter) -> None:
        assert not promises.writes_every_graph.complaints(exporter)

    def test_the_same_graph_gives_the_same_bytes(self, exporter: Exporter) -> None:
        assert not promises.writes_the_same_twice.complaints(exporter)

    def test_the_graph_stays_as_it_is(self, exporter: Exporter) -> None:
        assert not promises.leaves_the_graph_alone.complaints(exporter)

    def test_the_target_is_written_in_order_and_stays_open(self, exporter: Exporter) -> None:
        assert not promises.only_writes.complaints(exporter)
