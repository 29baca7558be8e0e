"""What the analyzers make of one run: the files they claim, and the tracker runs that it logged.

They are loaded while the command runs, so that they cost it nothing. One that fails is told and
noted in the record; the files it would have claimed are then recorded like any others.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

import attrs

from roar_core.config.layers import Config, load
from roar_core.config.switches import analyzer_switches, wanted_analyzers
from roar_core.contracts import Offer
from roar_core.errors import ConfigError, PluginError
from roar_core.hookspecs import Analyzer, ObservedRun
from roar_core.model.job import Job
from roar_core.model.observation import Observation
from roar_core.model.tracker import TrackerReference
from roar_core.observe.patterns import Matcher, compile_patterns
from roar_core.plugins import analyzers, call_object, config_sections
from roar_core.plugins import load as load_plugins
from roar_core.project import Project


class Analysis:
    """The analyzers that take part in one run; `failures` are sentences about those that cannot."""

    def __init__(
        self,
        project: Path,
        home: str,
        environ: Mapping[str, str],
        offers: Iterable[Offer] = (),
        failures: Iterable[str] = (),
    ) -> None:
        self.failures = list(failures)
        self._project = project
        self._environ = environ
        self._home = home
        self._offers = tuple(offers)
        self.claims = self._matcher(self._offers)

    @classmethod
    def prepare(cls, project: Project, config: Config, environ: Mapping[str, str]) -> Analysis:
        """Load the analyzers that the settings let take part; never raises.

        `environ` holds the command's variables, or nothing where they are not known any more.
        """
        home = os.path.expanduser("~")  # noqa: PTH111 - no exception when there is no home
        wanted = wanted_analyzers(config)
        if wanted is False:
            return cls(project.root, home, environ)
        loaded = load_plugins("roar.analyzers")
        sections, failures = config_sections([loaded])
        sections += analyzer_switches((p.ref.name for p in loaded.plugins), sections)
        told = [str(failure) for failure in failures]
        try:
            config = load(project.root, project.roar_dir, os.environ, sections=sections)
            wanted = wanted_analyzers(config)
        except ConfigError as error:
            told.append(f"settings of analyzers: {error}")
        found = analyzers(project.root, config.section, wanted, variables=environ)
        told += [str(failure) for failure in found.failures]
        return cls(project.root, home, environ, found.offers, told)

    def references(
        self, job: Job, observation: Observation, ended_at_ns: int
    ) -> tuple[TrackerReference, ...]:
        """Every tracker run that the job logged, each once; adds to `failures`."""
        written = {file.path for file in observation.outputs} | observation.claimed_outputs
        read = {file.path for file in observation.inputs} | observation.claimed_inputs
        run = ObservedRun(
            project=self._project,
            cwd=Path(job.cwd),
            packages=job.packages.python,
            environ=self._environ,
            started_at_ns=job.started_at_ns,
            ended_at_ns=ended_at_ns,
        )
        matching = {path for path in written | read if self.claims(path)}
        found: dict[tuple[Any, ...], TrackerReference] = {}
        for offer in self._offers:
            # Most runs have nothing of any tool: nine matchers would cost them a millisecond.
            match = self._matcher((offer,)) if matching else _nothing
            of_tool = {path for path in matching if match(path)}
            seen = attrs.evolve(run, read=_paths(of_tool & read), written=_paths(of_tool & written))
            try:
                references = call_object(
                    offer.ref, "naming tracker runs", _references, offer.value, seen
                )
            except PluginError as error:
                self.failures.append(str(error))
                continue
            for reference in references:
                found.setdefault((reference.tracker, reference.run_id, reference.host), reference)
        return tuple(found.values())

    def _matcher(self, offers: Iterable[Offer]) -> Matcher:
        """What says whether any of these analyzers claims a path."""
        patterns = [pattern for offer in offers for pattern in offer.value.patterns]
        return compile_patterns(patterns, os.fspath(self._project), self._home) or _nothing


def _paths(paths: Iterable[str]) -> frozenset[PurePath]:
    return frozenset(map(PurePath, paths))


def _references(analyzer: Analyzer, run: ObservedRun) -> list[TrackerReference]:
    found = list(analyzer.references(run))
    for reference in found:
        if not isinstance(reference, TrackerReference):
            raise TypeError(f"{reference!r} is no TrackerReference")
        if not all(value is None or isinstance(value, str) for value in attrs.astuple(reference)):
            raise TypeError("a TrackerReference holds what is no text")
    return [attrs.evolve(reference, title=analyzer.title) for reference in found]


def _nothing(path: str) -> bool:
    return False
