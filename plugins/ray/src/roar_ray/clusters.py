"""The clusters of one run: each that a program of it has made, and all that were there before.

Ray numbers jobs and tasks in each cluster from the beginning, so that the first task of every
program that makes a cluster for itself has the same id. What is told of such a cluster lies in a
folder of its own, and here its tasks' ids get that folder's name: `c8ef…01000000@2`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from roar_core.model.coverage import CoverageReason, TaskCoverage
from roar_core.model.fragment import TaskFragment
from roar_ray.driver.places import CLUSTERS


def made_in(folder: Path) -> list[str]:
    """The names of those that the run's programs have made, in that order."""
    above = folder / CLUSTERS
    return sorted((each.name for each in above.glob("*/")), key=lambda name: (len(name), name))


def folder_of(folder: Path, name: str) -> Path:
    """Where the report of one lies; those that were there before have the empty name."""
    return folder / CLUSTERS / name if name else folder


def told_apart(fragment: TaskFragment, name: str) -> TaskFragment:
    """A fragment with ids that no other cluster's tasks have."""
    if not name:
        return fragment
    return attrs.evolve(
        fragment, task=_id_in(fragment.task, name), needs=_ids_in(fragment.needs, name)
    )


def together(found: Iterable[tuple[str, TaskCoverage]]) -> TaskCoverage:
    """The coverage of a run, by that of its clusters."""
    known, is_final, needs = 0, True, list[str]()
    missing = Counter[tuple[str, str]]()
    for name, coverage in found:
        known += coverage.known or 0
        is_final &= coverage.is_final
        needs += _ids_in(coverage.needs, name)
        for reason in coverage.reasons:
            missing[reason.code, reason.detail] += reason.count
    reasons = [CoverageReason(code, count, detail) for (code, detail), count in missing.items()]
    return TaskCoverage(known, is_final, tuple(reasons), tuple(needs))


def _ids_in(tasks: Sequence[str], name: str) -> tuple[str, ...]:
    return tuple(_id_in(task, name) for task in tasks) if name else tuple(tasks)


def _id_in(task: str, name: str) -> str:
    return f"{task}@{name}"
