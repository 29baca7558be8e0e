"""From what backends report of tasks to child jobs: filter, hash, merge.

What a task touched is judged like what the driver touched: the same filters, the same digests. A
file whose digest the task did not send is hashed here, if it still is the version the task saw.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from roar_core.errors import PluginError
from roar_core.garbage import collection_paused
from roar_core.hashing.digests import Digested
from roar_core.hashing.pool import hash_files
from roar_core.identity import without_node
from roar_core.model.coverage import Coverage, CoverageReason
from roar_core.model.job import Edge, EdgeKind, HashState, Job
from roar_core.observe.filters import Filters, Role
from roar_core.run.begun import BegunJob
from roar_core.run.objects import object_edges
from roar_core.run.policy import filters_for
from roar_core.store.needs import add_driver_needs, unmet_needs
from roar_core.store.tasks import PartKey, TaskPart, count_tasks, merge_parts, merged_parts
from roar_core.store.writer import Store

if TYPE_CHECKING:
    from roar_core.model.fragment import TaskFile, TaskFragment

# Tasks, and their files, merged in one transaction: few enough that another roar need not wait long
# for its turn to write, many enough that ten thousand tasks take no ten thousand commits.
_BATCH, _BATCH_FILES = 2500, 25_000

Claims = Callable[[Iterable[str]], Callable[[str], bool]]


class TaskMerger:
    """Merges the tasks of one run. `claims` says which paths are a platform's own traffic."""

    def __init__(self, begun: BegunJob, store: Store, claims: Claims) -> None:
        self._begun = begun
        self._store = store
        self._claims = claims
        self._merged = merged_parts(store, begun.job.uid)

    def merge(self, backend: str, fragments: Iterable[TaskFragment]) -> None:
        """Merge what is not merged yet. When `fragments` raises, what it gave before is kept."""
        # Paused once for all: each time it starts again, the collector looks through a whole batch.
        with collection_paused():
            self._merge(backend, fragments)

    def _merge(self, backend: str, fragments: Iterable[TaskFragment]) -> None:
        batch: dict[PartKey, TaskFragment] = {}
        files = 0
        try:
            for fragment in fragments:
                key = PartKey(backend, fragment.task, fragment.attempt, fragment.part)
                if key not in self._merged:
                    batch[key] = fragment
                    files += len(fragment.read) + len(fragment.written)
                if len(batch) == _BATCH or files >= _BATCH_FILES:
                    self._write(batch)
                    batch, files = {}, 0
        except PluginError:
            self._write(batch)
            raise
        self._write(batch)

    def note_needs(self, backend: str, tasks: Sequence[str]) -> None:
        """Note the tasks whose results the run's own command got."""
        if tasks:
            add_driver_needs(self._store, self._begun.job.uid, backend, tasks)

    def count(self, backend: str) -> int:
        """How many tasks of a backend are merged by now, however many attempts each took."""
        return count_tasks(self._store, self._begun.job.uid, backend)

    def count_unmet(self, backend: str) -> int:
        """How many tasks are not merged, although something in this run got their results."""
        return unmet_needs(self._store, self._begun.job.uid, backend)

    def _write(self, batch: Mapping[PartKey, TaskFragment]) -> None:
        if not batch:
            return
        touched = {f.path for each in batch.values() for f in (*each.read, *each.written)}
        claims, held = self._claims(touched), self._begun.code.holds(touched)
        filters = {
            command: filters_for(self._begun.project, self._begun.config, task, held, claims)
            for command, task in self._commands(batch.values()).items()
        }
        kept = {
            key: (
                _recorded(filters[each.command, each.cwd], each.read, "input"),
                _recorded(filters[each.command, each.cwd], each.written, "output"),
            )
            for key, each in batch.items()
        }
        edge = self._hasher(file for both in kept.values() for side in both for file in side)
        parts = [
            TaskPart(
                key,
                _child(
                    self._begun.job,
                    batch[key],
                    [edge(file) for file in read],
                    [edge(file) for file in written],
                ),
                batch[key].where,
                batch[key].needs,
                batch[key].role,
                batch[key].group,
                batch[key].declared,
            )
            for key, (read, written) in kept.items()
        ]
        # Ids follow the order of starting, as far as it is known.
        parts.sort(key=lambda part: part.job.started_at_ns)
        merge_parts(self._store, self._begun.job.uid, parts)
        self._merged.update(batch)

    def _commands(
        self, fragments: Iterable[TaskFragment]
    ) -> dict[tuple[tuple[str, ...], str | None], Job]:
        """A job for each distinct command, for what its words name is always recorded."""
        driver = self._begun.job
        return {
            (words, cwd): attrs.evolve(
                driver, command=words or driver.command, cwd=cwd or driver.cwd
            )
            for words, cwd in {(each.command, each.cwd) for each in fragments}
        }

    def _hasher(self, files: Iterable[TaskFile]) -> Callable[[TaskFile], Edge]:
        """The edges of files, by the digests a task sent, else by those of the file as it is."""
        wanted = [
            f
            for f in files
            if "blake3" not in f.digests and f.fingerprint is not None and not f.node
        ]
        found = hash_files(
            [(file.path, file.fingerprint) for file in wanted],
            cache=self._store,
            algorithms=self._begun.algorithms,
            workers=self._begun.config.get("hash.workers"),
        )

        def edge_of(file: TaskFile) -> Edge:
            digests, wanted = file.digests, file.fingerprint
            if "blake3" not in digests and wanted is not None and not file.node:
                here = found.get(file.path)
                if isinstance(here, Digested) and here.fingerprint.same_content(wanted):
                    digests = here.digests
            # The same path here, or on another node, is another file.
            path = f"file://{file.node}{file.path}" if file.node else file.path
            kind: EdgeKind = "object" if file.node else "file"
            if "blake3" not in digests:
                return Edge(path, file.size, {}, kind, "unknown")
            state: HashState = "before_change" if file.is_changed else "exact"
            return Edge(path, file.size, digests, kind, state)

        return edge_of


def _recorded(filters: Filters, files: Sequence[TaskFile], role: Role) -> list[TaskFile]:
    """Those of a task's files that are lineage."""
    return [f for f in files if filters.classify(f.path, role=role, is_code=f.is_code) is None]


def _child(driver: Job, fragment: TaskFragment, read: list[Edge], written: list[Edge]) -> Job:
    got, put = object_edges(fragment.objects)
    reasons = list(fragment.coverage)
    edges = (*read, *written)
    # Sentences are told elsewhere too, and nodes are not.
    unknown = [without_node(edge.path) for edge in edges if edge.hash_state == "unknown"]
    if fragment.declared:
        words = "known from its specification alone: nothing was observed"
        reasons.append(CoverageReason("declared", 1, words))
    elif unknown:
        words = f"changed or out of reach before its digest was taken: {unknown[0]}"
        reasons.append(CoverageReason("unknown_hash", len(unknown), words))
    return Job(
        uid=os.urandom(16).hex(),
        kind="task",
        command=fragment.command or (fragment.name,),
        cwd=fragment.cwd or driver.cwd,
        project=driver.project,
        state=fragment.state,
        started_at_ns=fragment.started_at_ns,
        name=fragment.name,
        exit_code=fragment.exit_code,
        signal=fragment.signal,
        duration_s=fragment.duration_s,
        tracer=fragment.tracer,
        parent=driver.uid,
        coverage=Coverage(tuple(reasons)),
        inputs=(*read, *got),
        outputs=(*written, *put),
        git=driver.git,
        packages=fragment.packages,
        environment=fragment.environment,
    )
