"""From a finished journal to a recorded job: judge, hash, name, store.

Used by the run itself and by recovery, so that a job completed after a crash is what it would have
been.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import attrs

from roar_core.config.layers import Config
from roar_core.environment.cache import user_cache_dir
from roar_core.environment.machine import environment
from roar_core.environment.packages import packages_used
from roar_core.hashing.progress import HashProgress
from roar_core.journal import Kind, Record
from roar_core.model.coverage import Coverage, CoverageReason
from roar_core.model.environment import Environment
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.job import Job, JobState
from roar_core.model.observation import Observation
from roar_core.observe.disk import list_files, look
from roar_core.observe.judge import judge
from roar_core.run.begun import BegunJob
from roar_core.run.beside import Beside
from roar_core.run.datasets import DatasetMaker
from roar_core.run.edges import Edges, Hasher, digests_read, make_edges
from roar_core.run.extensions import Extensions
from roar_core.run.policy import all_paths_in, filters_for, paths_in
from roar_core.run.relay import Ended
from roar_core.store.composites import Datasets

if TYPE_CHECKING:
    from roar_core.run.subtrees import Subtree


class Finished(NamedTuple):
    """All that is known of a command that has ended.

    `records` are let go of when they have been judged. `ended` is None when nobody reaped it;
    `early` gives digests taken while it ran, by the version read. `clock_ns` added to a record's
    time gives the wall clock's.
    """

    records: list[Record]
    ended: Ended | None
    duration_s: float | None
    early: Callable[[Fingerprint], Mapping[str, str] | None]
    clock_ns: int = 0
    lost: int = 0
    unreadable_bytes: int = 0
    reasons: tuple[CoverageReason, ...] = ()
    beside: Beside = Beside()


class Recorded(NamedTuple):
    """The job as stored, and the observation behind it (for `-v`)."""

    job: Job
    observation: Observation


def record_job(begun: BegunJob, finished: Finished, extensions: Extensions) -> Recorded:
    """Judge the journal, hash what it names, and complete the job in one transaction."""
    records, config = finished.records, begun.config
    tracked = begun.code.holds(paths_in(records, begun.project))
    is_traffic = finished.beside.claims(all_paths_in(records))

    def claims(path: str) -> bool:
        return extensions.analysis.claims(path) or is_traffic(path)

    filters = filters_for(begun.project, config, begun.job, tracked, claims)
    observation = judge(
        records,
        look,
        filters,
        list_files=list_files,
        clock=finished.clock_ns,
        lost=finished.lost,
        unreadable=finished.unreadable_bytes,
    )
    subtrees = finished.beside.subtrees
    tasks = [
        (each, judge(each.records, look, filters, clock=finished.clock_ns, lost=finished.lost))
        for each in (subtrees.split(records) if subtrees else ())
    ]
    programs = {os.fsdecode(r.strings[0]) for r in records if r.kind == Kind.START}
    ended_at_ns = _ended_at_ns(begun.job, finished)
    # 60 MB of 100,000 opens, which nobody needs any more.
    records.clear()
    with HashProgress() as progress:
        hasher = Hasher(
            cache=begun.store,
            algorithms=begun.algorithms,
            early=finished.early,
            workers=config.get("hash.workers"),
            progress=progress,
        )
        edges = make_edges(observation, hasher, _datasets(begun, observation, hasher, extensions))
        sources = digests_read(observation.sources, hasher)
    job = attrs.evolve(
        begun.job,
        state=_state(finished.ended),
        exit_code=finished.ended.exit_code if finished.ended else None,
        signal=finished.ended.signal if finished.ended else None,
        duration_s=finished.duration_s,
        inputs=(*edges.inputs, *finished.beside.inputs),
        outputs=(*edges.outputs, *finished.beside.outputs),
        sources={begun.project.relative(path) or path: sources[path] for path in sources},
        packages=packages_used(
            observation.packages | observation.code,
            observation.system & observation.code,
            user_cache_dir(os.environ),
        ),
        environment=surroundings(programs, config),
    )
    trackers = extensions.analysis.references(job, observation, ended_at_ns)
    known = (*observation.coverage.reasons, *finished.reasons, *edges.reasons)
    known += (*_merge_tasks(finished, tasks, edges, job.tracer), *finished.beside.reasons())
    job = attrs.evolve(job, trackers=trackers, coverage=Coverage((*known, *extensions.reasons())))
    datasets = Datasets(edges.datasets, config.get("composites.components_max"))
    return Recorded(begun.store.complete(job, datasets), observation)


def _merge_tasks(
    finished: Finished,
    tasks: Sequence[tuple[Subtree, Observation]],
    edges: Edges,
    tracer: str | None,
) -> Sequence[CoverageReason]:
    """Make child jobs of the processes that are tasks; return what is known to be missing."""
    subtrees, merge = finished.beside.subtrees, finished.beside.merge
    if subtrees is None or merge is None:
        return ()
    from roar_core.run.subtrees import digests_of, fragment_of

    digests = digests_of(edges.outputs, finished.early)
    clock_ns = finished.clock_ns
    merge(subtrees.name, (fragment_of(*each, digests, clock_ns, tracer) for each in tasks))
    return subtrees.missing([each for each, _ in tasks])


def _datasets(
    begun: BegunJob, observation: Observation, hasher: Hasher, extensions: Extensions
) -> DatasetMaker | None:
    if extensions.layouts is None:
        return None
    paths = [file.path for file in observation.inputs]
    paths += [file.path for file in observation.outputs]
    return DatasetMaker(
        extensions.layouts.grouping(paths),
        begun.store,
        hasher.hash,
        untouched_max=begun.config.get("composites.untouched_max"),
        started_at_ns=begun.job.started_at_ns,
    )


def surroundings(programs: Iterable[str], config: Config) -> Environment:
    """The machine, and the variables that settings name or give; of given secrets the names."""
    named, given = config.get("environment.variables"), config.get("environment.set")
    found = environment(programs, (*named, *given))
    if not given:
        return found
    from roar_core.environment.variables import masked

    hidden = masked({name: v for name, v in found.variables.items() if name not in named})
    return attrs.evolve(found, variables={**found.variables, **hidden})


def _ended_at_ns(job: Job, finished: Finished) -> int:
    """When the command ended. A job starts a moment before its command, whose time is measured."""
    known = job.started_at_ns + round((finished.duration_s or 0) * 1e9)
    # The journal's own EXIT, or what came after it.
    return max((known, *(r.time_ns + finished.clock_ns for r in finished.records[-1:])))


def _state(ended: Ended | None) -> JobState:
    if ended is None:
        return "interrupted"
    return "succeeded" if ended.exit_code == 0 else "failed"
