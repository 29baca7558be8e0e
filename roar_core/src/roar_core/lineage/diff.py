"""Two lineages compared: what differs, ranked by what most likely explains it.

A difference ranks by its kind (`changes.WEIGHTS`), by whether the results of its step differ at all
(a change without effect explains nothing), and by how near to where the data began it stands: what
comes first passes on to all that follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import attrs

from roar_core.lineage.changes import WEIGHTS, Change, Effect, Outcome, causes, outcome_of
from roar_core.lineage.pairing import Matched, Pairs, pair_jobs
from roar_core.lineage.sides import Side
from roar_core.model.job import Job

_EFFECTS: Mapping[Effect, float] = {"yes": 1.0, "unknown": 0.5, "no": 0.1}
# What a change at the end of the longest way keeps of its weight.
_FARTHEST = 0.5


class Compared(NamedTuple):
    """A pair of jobs and its results; `is_equal` when nothing at all differs but times."""

    before: int
    after: int
    outcome: Outcome
    is_equal: bool


class Diff(NamedTuple):
    """All differences, the likeliest cause first, with the steps on one side only."""

    changes: list[tuple[Change, float]]
    pairs: list[Compared]
    removed: list[int]
    added: list[int]

    @property
    def is_identical(self) -> bool:
        """Whether both sides are the same, jobs that were run again with the same result too."""
        alike = all(pair.is_equal for pair in self.pairs)
        return alike and not (self.changes or self.removed or self.added)


def compare(before: Side, after: Side) -> Diff:
    """Compare two sides."""
    pairs = pair_jobs(before, after)
    uids = {before.jobs[old].uid: after.jobs[new].uid for old, new in pairs.pairs}

    def counterpart(uid: str | None) -> str | None:
        # A job that both sides share is its own.
        return uid if uid is None else uids.get(uid, uid)

    changes: list[Change] = []
    compared: list[Compared] = []
    for old, new in pairs.pairs:
        jobs = before.jobs[old], after.jobs[new]
        outcome = outcome_of(*jobs)
        found = list(causes(*jobs, counterpart, outcome))
        level = min(before.levels[old], after.levels[new])
        changes += [
            attrs.evolve(change, steps=((old, new),), level=level, effect=outcome.effect)
            for change in found
        ]
        compared.append(Compared(old, new, outcome, not found and outcome.effect != "yes"))
    changes += _one_sided(before, after, pairs)
    if not before.roots and not after.roots and before.target.hash != after.target.hash:
        names = before.target.name, after.target.name
        changes.append(Change("data", "input_changed", names[1], *names, effect="yes"))
    return Diff(_ranked(_merged(changes)), compared, pairs.removed, pairs.added)


def _one_sided(before: Side, after: Side, pairs: Pairs) -> Iterable[Change]:
    for side, jobs, code in (
        (before, pairs.removed, "step_removed"),
        (after, pairs.added, "step_added"),
    ):
        for job in jobs:
            steps = (None, job) if code == "step_added" else (job, None)
            yield Change(
                "structure", code, _call(side.jobs[job]), steps=(steps,), level=side.levels[job]
            )


def _call(job: Job) -> str:
    return job.name or " ".join(job.command)


def _merged(changes: Iterable[Change]) -> list[Change]:
    """One change for what several steps have in common, such as an upgraded package."""
    merged: dict[object, Change] = {}
    for change in changes:
        key: object = (
            change.category,
            change.code,
            change.subject,
            change.before,
            change.after,
            change.files,
            change.edges and tuple(edge and edge.hash for edge in change.edges),
        )
        if change.code in ("unexplained", "step_added", "step_removed"):
            key = (key, change.steps)
        known = merged.get(key)
        if known is None:
            merged[key] = change
            continue
        merged[key] = attrs.evolve(
            known,
            steps=known.steps + change.steps,
            level=min(known.level, change.level),
            effect=max(known.effect, change.effect, key=lambda effect: _EFFECTS[effect]),
        )
    return list(merged.values())


def _ranked(changes: list[Change]) -> list[tuple[Change, float]]:
    farthest = max((change.level for change in changes), default=0) or 1
    rated = [
        (
            change,
            WEIGHTS[change.code]
            * _EFFECTS[change.effect]
            * (1 - (1 - _FARTHEST) * change.level / farthest),
        )
        for change in changes
    ]
    return sorted(rated, key=lambda rate: (-rate[1], rate[0].level, rate[0].subject))


def results(diff: Diff) -> list[tuple[Compared, Matched]]:
    """Every output that differs, of the jobs nearest to where the data began first."""
    return [
        (pair, match)
        for pair in diff.pairs
        for match in pair.outcome.outputs
        if (match.before and match.before.hash) != (match.after and match.after.hash)
    ]
