"""The promises of an analyzer, as tests: subclass `AnalyzerContract` and give two fixtures.

class TestLogbook(AnalyzerContract):
    @pytest.fixture
    def analyzer(self): return LogbookAnalyzer()

    @pytest.fixture
    def relevant_run(self): return ObservedRun(…)
"""

from __future__ import annotations

from pathlib import PurePath

import attrs
import pytest

from roar_core.hookspecs import Analyzer, ObservedRun
from roar_core.model.tracker import TrackerReference

# What every project has, and no tracker's analyzer may take out of lineage.
ORDINARY = ("data.csv", "train.py", "model.pkl", "params.yaml", "report/index.html")


class AnalyzerContract:
    """What roar relies on. The fixtures are yours to give."""

    @pytest.fixture
    def analyzer(self) -> Analyzer:
        """The analyzer to prove."""
        raise NotImplementedError("give a fixture `analyzer`")

    @pytest.fixture
    def relevant_run(self) -> ObservedRun:
        """A job that wrote what your tool writes."""
        raise NotImplementedError("give a fixture `relevant_run`")

    def test_it_is_an_analyzer_with_a_name(self, analyzer: Analyzer) -> None:
        assert isinstance(analyzer, Analyzer)
        assert isinstance(analyzer.name, str)
        assert analyzer.name

    def test_it_claims_what_its_tool_writes_and_nothing_ordinary(
        self, analyzer: Analyzer, relevant_run: ObservedRun
    ) -> None:
        assert any(analyzer.claims(path) for path in relevant_run.written)
        for name in ORDINARY:
            assert analyzer.claims(relevant_run.cwd / name) is False, name

    def test_claims_are_pure(self, analyzer: Analyzer, relevant_run: ObservedRun) -> None:
        paths = [*relevant_run.read, *relevant_run.written, PurePath("/"), PurePath("/a\udcff\n")]
        first = [analyzer.claims(path) for path in paths]
        assert all(isinstance(answer, bool) for answer in first)
        assert [analyzer.claims(path) for path in paths] == first

    def test_references_name_the_tracker_and_each_run_once(
        self, analyzer: Analyzer, relevant_run: ObservedRun
    ) -> None:
        found = list(analyzer.references(relevant_run))
        assert found
        assert all(isinstance(reference, TrackerReference) for reference in found)
        assert all(reference.run_id for reference in found)
        assert len({(r.tracker, r.run_id) for r in found}) == len(found)
        assert list(analyzer.references(relevant_run)) == found

    def test_an_address_is_given_only_when_it_is_whole(
        self, analyzer: Analyzer, relevant_run: ObservedRun
    ) -> None:
        for reference in analyzer.references(relevant_run):
            assert reference.url is None or reference.url.startswith(("http://", "https://"))

    def test_a_job_that_wrote_nothing_has_no_references(
        self, analyzer: Analyzer, relevant_run: ObservedRun
    ) -> None:
        nothing: frozenset[PurePath] = frozenset()
        read_only = attrs.evolve(
            relevant_run, read=relevant_run.read | relevant_run.written, written=nothing
        )
        assert not list(analyzer.references(read_only))
