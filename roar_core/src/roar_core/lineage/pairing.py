"""Which job of one side answers to which of the other, and which input to which.

Never by the base name of a file: `a/data.csv` and `b/data.csv` are two files. An input answers to
the one at the same place of the project, with the same bytes, or in the same role: named by the
same option or at the same place of the command.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from roar_core.identity import relative_to_project
from roar_core.lineage.parameters import parameters, program_of
from roar_core.lineage.sides import Side
from roar_core.model.job import Edge, Job

Key = Callable[[Edge], str | None]


class Matched(NamedTuple):
    """Two edges that answer to each other; one is None where the other has no counterpart.

    `role` is the option or the place in the command that names both, None when it is their path or
    their bytes that they share.
    """

    before: Edge | None
    after: Edge | None
    role: str | None = None


class Pairs(NamedTuple):
    """Jobs by their ids on both sides: pairs, and those that are on one side only."""

    pairs: list[tuple[int, int]]
    removed: list[int]
    added: list[int]


def pair_jobs(before: Side, after: Side) -> Pairs:
    """Pair the jobs of two sides: what was asked about first, then along what they read."""
    return _Pairing(before, after).pair()


def match_edges(old: Job, new: Job, before: Sequence[Edge], after: Sequence[Edge]) -> list[Matched]:
    """Match inputs with inputs, or outputs with outputs, of two jobs."""
    matched: list[Matched] = []
    left, right = dict(enumerate(before)), dict(enumerate(after))
    old_roles, new_roles = roles(old), roles(new)

    def take(old_key: Key, new_key: Key, *, is_role: bool = False) -> None:
        offers: dict[str, list[int]] = defaultdict(list)
        for number, edge in reversed(right.items()):
            if (key := new_key(edge)) is not None:
                offers[key].append(number)
        for number, edge in list(left.items()):
            key = old_key(edge)
            if key is not None and offers[key]:
                other = right.pop(offers[key].pop())
                del left[number]
                matched.append(Matched(edge, other, key if is_role else None))

    take(partial(place_of, old), partial(place_of, new))
    take(lambda edge: edge.hash, lambda edge: edge.hash)
    take(lambda e: old_roles.get(e.path), lambda e: new_roles.get(e.path), is_role=True)
    matched += [Matched(edge, None, old_roles.get(edge.path)) for edge in left.values()]
    matched += [Matched(None, edge, new_roles.get(edge.path)) for edge in right.values()]
    return matched


def place_of(job: Job, edge: Edge) -> str:
    """An edge's path from the root of the job's project, absolute outside of it."""
    inside = relative_to_project(edge.path, job.project)
    return edge.path if inside is None else inside


def roles(job: Job) -> Mapping[str, str]:
    """What the command calls the files that it names: absolute path to option or place."""
    return {
        os.path.normpath(os.path.join(job.cwd, value)): name  # noqa: PTH118 - any bytes
        for name, value in reversed(parameters(job.command))
        if value
    }


class _Pairing:
    def __init__(self, before: Side, after: Side) -> None:
        self._before, self._after = before, after
        shared = before.jobs.keys() & after.jobs.keys()
        asked = len(before.roots) == len(after.roots) == 1
        self._left = {j: job for j, job in before.jobs.items() if asked or j not in shared}
        self._right = {j: job for j, job in after.jobs.items() if asked or j not in shared}
        self._ids = {job.uid: j for side in (before, after) for j, job in side.jobs.items()}
        self._pairs: list[tuple[int, int]] = []

    def pair(self) -> Pairs:
        if len(self._before.roots) == len(self._after.roots) == 1:
            self._take(self._before.roots[0], self._after.roots[0])
            shared = self._left.keys() & self._right.keys()
            for job in shared:
                del self._left[job], self._right[job]
            # What was asked about may lie in the other's lineage, which then is no difference.
            for job in (*self._before.roots, *self._after.roots):
                self._left.pop(job, None)
                self._right.pop(job, None)
        self._follow(0)
        for key in (_what_was_done, _what_was_run, _what_it_made, _script):
            self._by(key)
        return Pairs(
            sorted(self._pairs, key=lambda pair: self._before.levels[pair[0]]),
            sorted(self._left),
            sorted(self._right),
        )

    def _take(self, old: int, new: int) -> None:
        self._pairs.append((old, new))
        self._left.pop(old, None)
        self._right.pop(new, None)

    def _by(self, key: Callable[[Job], Hashable]) -> None:
        """Pair what has the same key, in the order of starting, and what these read from."""
        offers: dict[Hashable, list[int]] = defaultdict(list)
        for job in sorted(self._right):
            offers[key(self._right[job])].append(job)
        for job in sorted(self._left):
            if job not in self._left:
                continue
            waiting = [other for other in offers[key(self._left[job])] if other in self._right]
            if waiting:
                start = len(self._pairs)
                self._take(job, waiting[0])
                self._follow(start)

    def _follow(self, start: int) -> None:
        """Pair the jobs that wrote inputs which answer to each other, from pair `start` on."""
        at = start
        while at < len(self._pairs):
            old, new = (
                side.jobs[j]
                for side, j in zip((self._before, self._after), self._pairs[at], strict=True)
            )
            at += 1
            for before, after, _ in match_edges(old, new, old.inputs, new.inputs):
                if before is None or after is None:
                    continue
                left = self._ids.get(before.producer or "")
                right = self._ids.get(after.producer or "")
                if left in self._left and right in self._right:
                    assert left is not None
                    assert right is not None
                    self._take(left, right)


def _what_was_done(job: Job) -> Hashable:
    return job.kind, job.command, relative_to_project(job.cwd, job.project)


def _what_was_run(job: Job) -> Hashable:
    return job.kind, program_of(job.command), tuple(sorted(place_of(job, e) for e in job.outputs))


def _what_it_made(job: Job) -> Hashable:
    outputs = tuple(sorted(place_of(job, edge) for edge in job.outputs))
    return outputs or object()


def _script(job: Job) -> Hashable:
    """A script is run for one purpose; `cp` and the like are not."""
    program = program_of(job.command)
    return (job.kind, program) if len(program) > 1 or not job.outputs else object()
