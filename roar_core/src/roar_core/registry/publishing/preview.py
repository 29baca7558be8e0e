"""Exactly what will leave the machine: counts, paths, and what was masked by which rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from roar_core.registry.publishing.checkout import Git
from roar_core.registry.publishing.plan import Plan
from roar_core.registry.publishing.work import Work

Document = dict[str, Any]


@attrs.frozen
class Masked:
    """A place where a secret stood: in what, in which part of it; the rule, and its name."""

    place: str
    where: str
    argument: int | None
    rule: str
    what: str


@attrs.frozen
class Preview:
    """What is sent of the jobs that are new; `members` is the number of files in its datasets."""

    jobs: int
    artifacts: int
    datasets: int
    members: int
    labels: int
    paths: tuple[str, ...]
    masked: tuple[Masked, ...]
    git: Git


def preview_of(plan: Plan) -> Preview:
    """What carrying out a plan sends."""
    if not plan.new:
        return Preview(0, 0, 0, 0, 0, (), (), Git("", "", ""))
    work = plan.work
    artifacts = work.artifacts_of(plan.new)
    datasets = [artifact for artifact in artifacts if artifact["composite"] is not None]
    return Preview(
        jobs=len(plan.new),
        artifacts=len(artifacts) - len(datasets),
        datasets=len(datasets),
        members=sum(dataset["composite"]["members"] for dataset in datasets),
        labels=len(work.labels_of(plan.new, "")),
        paths=tuple(sorted(_paths(work, plan.new))),
        masked=tuple(_masked(work, plan.new)),
        git=work.git_of(plan.new),
    )


def _paths(work: Work, uids: Iterable[str]) -> set[str]:
    return {
        edge["path"]
        for uid in uids
        for side in ("inputs", "outputs")
        for edge in work.jobs[uid].told[side]
    }


def _masked(work: Work, uids: Iterable[str]) -> Iterable[Masked]:
    for uid in uids:
        yield from _notes(work.jobs[uid].place, work.jobs[uid].told)
    for artifact in work.artifacts_of(uids):
        yield from _notes(artifact["hash"], artifact)


def _notes(place: str, document: Mapping[str, Any]) -> Iterable[Masked]:
    for note in document.get("masked", ()):
        yield Masked(place, note["where"], note["argument"], note["rule"], note["what"])
