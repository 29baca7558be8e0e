"""The promises of an analyzer, as tests: subclass `AnalyzerContract` and give two fixtures.

class TestLogbook(AnalyzerContract):
    @pytest.fixture
    def analyzer(self): return LogbookAnalyzer()

    @pytest.fixture
    def relevant_run(self): return ObservedRun(…)
"""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from roar_core.hookspecs import Analyzer, ObservedRun
from roar_core.model.tracker import TrackerReference
from roar_core.observe.patterns import Matcher
from roar_core.promises import analyzer as promises


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
        assert not promises.has_a_title.complaints(analyzer)

    def test_its_patterns_take_what_its_tool_writes_and_nothing_ordinary(
        self, analyzer: Analyzer, relevant_run: ObservedRun
    ) -> None:
        assert not promises.has_patterns.complaints(analyzer)
        claims = promises.claimed_by(analyzer, str(relevant_run.project), str(Path.home()))
        for path in relevant_run.written:
            assert claims(str(path)), f"{path} is in the run but matches no pattern"
        assert not promises.claims_nothing_ordinary.complaints(analyzer)

    def test_its_patterns_match_whole_names(self, analyzer: Analyzer) -> None:
        assert not promises.matches_whole_names.complaints(analyzer)

    def test_references_name_the_tracker_and_each_run_once(
        self, analyzer: Analyzer, relevant_run: ObservedRun
    ) -> None:
        found = list(analyzer.references(relevant_run))
        assert found
        assert all(isinstance(reference, TrackerReference) for reference in found)
        assert all(reference.run_id or reference.host for reference in found)
        assert len({(r.tracker, r.run_id, r.host) for r in found}) == len(found)
        assert list(analyzer.references(relevant_run)) == found

    def test_an_address_is_given_only_when_it_is_whole(
        self, analyzer: Analyzer, relevant_run: ObservedRun
    ) -> None:
        for reference in analyzer.references(relevant_run):
            assert reference.url is None or reference.url.startswith(("http://", "https://"))

    def test_a_job_that_wrote_nothing_has_no_references(
        self, analyzer: Analyzer, relevant_run: ObservedRun
    ) -> None:
        read = relevant_run.read | relevant_run.written
        read_only = attrs.evolve(relevant_run, read=read, written=frozenset())
        assert not list(analyzer.references(read_only))
        assert not promises.names_nothing_of_nothing.complaints(analyzer)


def claims_of(analyzer: Analyzer, project: Path) -> Matcher:
    """What roar makes of the patterns: says of a path whether they take it, for this user."""
    return promises.claimed_by(analyzer, str(project), str(Path.home()))
