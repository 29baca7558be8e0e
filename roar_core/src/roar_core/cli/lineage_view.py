"""Answers about lineage, told to a person and as documents."""

from __future__ import annotations

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

    Of the `platform`'s own only those that lead on, or of which there is a remark.
    """
    below: dict[int, list[int]] = {}
    for consumer, producer, *_ in closure.passings:
        here, there = (consumer, producer) if upstream else (producer, consumer)
        if closure.distances[there] == closure.distances[here] + 1:
            below.setdefault(here, []).append(there)
    lines: list[str] = []
    seen: set[int] = set()
    stack = [(job, 1) for job in reversed(list(starts))]
    while stack:
        job, depth = stack.pop()
        if job in seen:
            continue
        seen.add(job)
        remark = (remarks or {}).get(job, "")
        if job in platform and not remark and job not in below:
            continue
        lines.append(f"{'  ' * depth}{job_line(jobs[job])}{remark and f'  {remark}'}")
        stack += [(other, depth + 1) for other in sorted(set(below.get(job, ())))]
    if limit is not None and len(lines) > limit + 1:
        left = len(lines) - limit
        lines[limit:] = [f"  {output.symbol('…', '...')} and {left:,} more jobs: --all"]
    return lines


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
