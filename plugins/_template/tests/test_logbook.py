"""The promises of every analyzer, and what is special about Logbook."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from roar_analyzer_logbook import LogbookAnalyzer
from roar_core.hookspecs import Analyzer, ObservedRun
from roar_core.testing.analyzer import AnalyzerContract


class TestLogbook(AnalyzerContract):
    @pytest.fixture
    def analyzer(self) -> Analyzer:
        return LogbookAnalyzer()

    @pytest.fixture
    def relevant_run(self) -> ObservedRun:
        return ObservedRun(
            project=Path("/home/ada/project"),
            cwd=Path("/home/ada/project"),
            written=frozenset({PurePath("/home/ada/project/logbook/run-7f3a/metrics.jsonl")}),
        )

    def test_the_runs_id_is_the_folders(
        self, analyzer: Analyzer, relevant_run: ObservedRun
    ) -> None:
        assert [found.run_id for found in analyzer.references(relevant_run)] == ["7f3a"]
