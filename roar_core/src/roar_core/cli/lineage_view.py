"""Answers about lineage, told to a person and as documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from roar_core.cli import output, wording
from roar_core.cli.documents import Document, document, path_fields, summary_document, text

if TYPE_CHECKING:
    from roar_core.lineage.closure import Closure
    from roar_core.lineage.edges import Used
    from roar_core.lineage.session import JobRow
    from roar_core.lineage.target import Target
    from roar_core.project import Project

NAMES_LIMIT = 3
_TITLE_WIDTH = 60
# So many tasks of one name share a line.
_TOGETHER = 4


def tree(
    starts: Iterable[int],
    closure: Closure,
    jobs: Mapping[int, JobRow],
    *,
    upstream: bool,
    limit: int | None,
    remarks: Mapping[int, str] | None = None,
    platform: Container[int] = (),
) -> list[str]:
    """A line for each job, below the job by which it was reached first.

    Of the `platform`'s own only those that the walk began with, or of which there is a remark; what
    was reached by another stands where that would, and the last line counts them. Many tasks of one
    name that were reached together share a line. Without a `limit` every job has its own.
    """
    below: dict[int, list[int]] = {}
    for consumer, producer, *_ in closure.passings:
        here, there = (consumer, producer) if upstream else (producer, consumer)
        if closure.distances[there] == closure.distances[here] + 1:
            below.setdefault(here, []).append(there)
    remarks = remarks or {}
    hidden = {
        job
        for job, distance in closure.distances.items()
        if distance and job in platform and job not in remarks
    }
    together = _TOGETHER if limit is not None else len(jobs)
    lines: list[str] = []
    seen: set[int] = set()
    stack = [(group, 1) for group in _grouped(starts, jobs, remarks, together)[::-1]]
    while stack:
        group, depth = stack.pop()
        group = [job for job in group if job not in seen]
        if not group:
            continue
        seen.update(group)
        lines.append(f"{'  ' * depth}{_line(group, jobs, remarks)}")
        reached = _visible((other for job in group for other in below.get(job, ())), below, hidden)
        stack += [(each, depth + 1) for each in _grouped(reached, jobs, remarks, together)]
    dots = output.symbol("…", "...")
    if limit is not None and len(lines) > limit + 1:
        left = len(lines) - limit
        lines[limit:] = [f"  {dots} and {left:,} more lines: --all"]
    if hidden:
        words = f"  {dots} and {wording.count(len(hidden), 'task')} of the platform itself: --all"
        lines.append(output.style(words, "dim"))
    return lines


def _visible(
    reached: Iterable[int], below: Mapping[int, Sequence[int]], hidden: Container[int]
) -> list[int]:
    """The jobs that are shown of those reached, in order; in a hidden one's place what it leads to.

    A platform's actor has a thousand calls, each of which comes of the one before.
    """
    found: set[int] = set()
    passed: set[int] = set()
    stack = list(reached)
    while stack:
        job = stack.pop()
        if job not in hidden:
            found.add(job)
        elif job not in passed:
            passed.add(job)
            stack += below.get(job, ())
    return sorted(found)


def _grouped(
    reached: Iterable[int], jobs: Mapping[int, JobRow], remarks: Container[int], together: int
) -> list[list[int]]:
    """The jobs, each alone but for tasks of one name that are at least so many."""
    named: dict[object, list[int]] = {}
    for job in dict.fromkeys(reached):
        row = jobs[job]
        is_alone = row.kind != "task" or job in remarks
        named.setdefault(job if is_alone else (row.name, tuple(row.command)), []).append(job)
    return sorted(
        part
        for group in named.values()
        for part in ([group] if len(group) >= together else [[job] for job in group])
    )


def _line(group: Sequence[int], jobs: Mapping[int, JobRow], remarks: Mapping[int, str]) -> str:
    """`job_line` of one job, or `✗ 9 tasks  work  1 failed, 8 succeeded` of several."""
    first = jobs[group[0]]
    if len(group) == 1:
        return "  ".join(filter(None, (job_line(first), remarks.get(group[0]))))
    states = Counter(jobs[job].state for job in group)
    worst = next((state for state in ("failed", "interrupted") if state in states), first.state)
    title = wording.fit(wording.title(first.name, first.command), _TITLE_WIDTH)
    number = output.style(wording.count(len(group), "task"), "bold")
    told = ", ".join(f"{count:,} {state}" for state, count in sorted(states.items()))
    return f"{wording.mark(worst)} {number}  {title}  {told}"


def job_line(job: JobRow) -> str:
    """`✓ @2 8ad13d4e  train.py`."""
    title = wording.fit(wording.title(job.name, job.command), _TITLE_WIDTH)
    uid = output.style(wording.short_uid(job.uid), "dim")
    label = output.style(job.label or job.kind, "bold")
    registry = wording.registry_in(job.origin)
    where = output.style(f"  at {registry}", "dim") if registry else ""
    return f"{wording.mark(job.state)} {label} {uid}  {title}{where}"


def names(outputs: Sequence[Used], project: Project) -> str:
    """`→ model.pkl, log.txt and 3 more`."""
    shown = [name(used, project) for used in outputs[:NAMES_LIMIT]]
    more = len(outputs) - len(shown)
    words = ", ".join(shown) + (f" and {more:,} more" if more else "")
    return f"{output.symbol('→', '->')} {words}"


def name(used: Used, project: Project) -> str:
    """A path as a reader of this project knows it."""
    name = project.relative(used.path) or used.path
    return output.printable(name + ("/" if used.kind == "composite" else ""))


def print_target(target: Target) -> None:
    """What was asked about."""
    hash_ = f"  {wording.short_hash(target.hash)}" if target.hash else ""
    output.line(f"{output.style(output.printable(target.name), 'bold')}{hash_}")


def target_fields(target: Target) -> Document:
    """The field `target` of several documents."""
    return {"target": {"kind": target.kind, "name": text(target.name), "hash": target.hash}}


def walk_document(
    type_: str,
    target: Target,
    closure: Closure,
    jobs: Mapping[int, JobRow],
    fields: Document,
) -> Document:
    """The document of a walk: jobs with their distance, and what passed between them."""
    counts: dict[tuple[int, int], int] = {}
    results: set[tuple[int, int]] = set()
    for consumer, producer, artifact, is_result in closure.passings:
        counts[producer, consumer] = counts.get((producer, consumer), 0) + (artifact is not None)
        if is_result:
            results.add((producer, consumer))
    return document(
        type_,
        **target_fields(target),
        jobs=[
            summary_document(jobs[job]) | {"distance": distance}
            for job, distance in closure.distances.items()
        ],
        links=[
            {
                "from": jobs[producer].uid,
                "to": jobs[consumer].uid,
                "artifacts": number,
                "result": (producer, consumer) in results,
            }
            for (producer, consumer), number in counts.items()
        ],
        **fields,
    )


def used_document(used: Used, project: Project, jobs: Mapping[int, JobRow]) -> Document:
    """Some bytes at a place, and the jobs that used them there."""
    return path_fields(used.path, project) | {
        "hash": used.hash,
        "size": used.size,
        "kind": used.kind,
        "hash_state": used.hash_state,
        "jobs": [jobs[job].uid for job in used.jobs if job in jobs],
    }
