"""One job, told to a person."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from roar_core.cli import output, wording
from roar_core.cli.edge_view import EDGE_LIMIT, edge_lines
from roar_core.cli.task_view import family_facts, print_tasks
from roar_core.store.label_documents import flattened

if TYPE_CHECKING:
    from roar_core.lineage.tasks import Family
    from roar_core.model.job import Edge, Job
    from roar_core.model.tracker import TrackerReference
    from roar_core.project import Project

_PACKAGE_LIMIT = 6


def print_job(
    job: Job,
    project: Project,
    steps: Mapping[str, str],
    family: Family,
    origin: str | None,
    *,
    everything: bool,
    expanded: bool = False,
) -> None:
    """Print a job. `steps` names its driver and the producers of its inputs: uid -> `@3`.

    `origin` is where it is known from, as in its `JobRow`. Long lists are cut, unless `everything`
    is to be told; `expanded` lists each attempt at a task.
    """
    place = f"{job.step}  " if job.step else ""
    terminal = wording.columns()
    room = None if terminal is None else max(16, terminal - 48)
    title = wording.fit(wording.title(job.name, job.command), room)
    output.line(
        f"{wording.mark(job.state)} {output.style(f'{place}{title}', 'bold')}  {how_it_ended(job)}"
    )
    limit = None if everything else EDGE_LIMIT
    for label, value in facts(job, project, origin, everything=everything):
        print_fact(label, value)
    for label, value in family_facts(family, steps):
        print_fact(label, value)
    declared = family.task is not None and family.task.is_declared
    for label, edges in (("inputs", job.inputs), ("outputs", job.outputs)):
        lines = edge_lines(edges, project, steps, limit=limit, declared=declared)
        print_edges(label, edges, lines)
    if family.groups:
        print_tasks(family, limit, expanded=expanded or everything)


def print_fact(label: str, value: str) -> None:
    """A label, and what is known."""
    output.line(f"  {output.style(f'{label:<9}', 'dim')} {output.printable(value)}")


def how_it_ended(job: Job) -> str:
    """`succeeded in 3.20 s`."""
    words = wording.ending(job.state, job.exit_code, job.signal)
    return words if job.duration_s is None else f"{words} in {wording.duration(job.duration_s)}"


def facts(
    job: Job, project: Project, origin: str | None = None, *, everything: bool
) -> Iterator[tuple[str, str]]:
    """Label and sentence for each thing known of a job, in the order a reader asks for them."""
    yield "command", wording.command_line(job.command)
    if job.cwd != str(project.root):
        yield "in", project.relative(job.cwd) or job.cwd
    if wording.registry_in(origin):
        yield "told by", origin or ""
    elif job.is_imported:
        yield "imported", f"recorded in another project; here it is of session:{job.session}"
    yield "when", wording.local_time(job.started_at_ns)
    attempt = f", attempt {job.step.attempt}" if job.step and job.step.attempt > 1 else ""
    yield "job", f"{wording.short_uid(job.uid)}  {_hash_if_any(job.hash)}{attempt}".rstrip()
    if job.git.commit:
        yield "commit", _commit(job)
    yield from _surroundings(job, everything=everything)
    if job.tracer:
        yield "seen by", job.tracer
    for reason in wording.coverage_reasons(job.coverage):
        yield "not seen", reason
    for key, value in flattened(job.labels):
        yield "label", f"{key}={value if isinstance(value, str) else json.dumps(value)}"
    for reference in job.trackers:
        yield "tracker", _reference(reference)


def print_edges(label: str, edges: Sequence[Edge], lines: Sequence[str]) -> None:
    """A heading with the number of edges, and their lines below it."""
    output.line(f"  {output.style(label, 'dim')}  {len(edges):,}" if edges else f"  no {label}")
    for line in lines:
        output.line(f"    {line}")


def _surroundings(job: Job, *, everything: bool) -> Iterator[tuple[str, str]]:
    limit = None if everything else _PACKAGE_LIMIT
    environment = job.environment
    if environment is not None:
        machine = [environment.interpreter, f"{environment.os} {environment.arch}", environment.cpu]
        machine += [gpu.name for gpu in environment.gpus]
        if environment.cuda:
            machine.append(f"CUDA {environment.cuda}")
        if environment.container:
            machine.append(environment.container)
        yield "machine", ", ".join(part for part in machine if part)
    if job.packages.python:
        yield "packages", wording.versions(job.packages.python, limit)
    if job.packages.system and everything:
        yield "libraries", wording.versions(job.packages.system, limit)
    if environment is not None:
        for name, value in environment.variables.items():
            yield "variable", f"{name}={value}"


def _reference(reference: TrackerReference) -> str:
    """`View in W&B: URL`; where no address is known, what is."""
    title = reference.title or reference.tracker
    if reference.url:
        return f"View in {title}: {reference.url}"
    place = "/".join(filter(None, (reference.entity, reference.project)))
    parts = [f"run {reference.run_id}"] if reference.run_id else []
    parts += [f"called {reference.name}"] if reference.name else []
    parts += [f"in {place}"] if place else []
    parts += [f"at {reference.host}"] if reference.host else []
    return f"{title}: {' '.join(parts)}"


def _commit(job: Job) -> str:
    git = job.git
    words = (git.commit or "")[:12] + (f" ({git.branch})" if git.branch else "")
    if git.dirty:
        kept = f" kept as {wording.short_hash(git.snapshot)}" if git.snapshot else ", not kept"
        words += f" with uncommitted changes{kept}"
    return words


def _hash_if_any(name: str | None) -> str:
    return wording.short_hash(name) if name else ""
