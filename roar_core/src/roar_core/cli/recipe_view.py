"""A recipe, and an artifact, told to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from roar_core.cli import output, wording
from roar_core.cli.edge_view import EDGE_LIMIT, edge_lines
from roar_core.cli.job_view import facts, how_it_ended, print_edges

if TYPE_CHECKING:
    from roar_core.lineage.recipe import Recipe, Use
    from roar_core.lineage.session import JobRow
    from roar_core.project import Project
    from roar_core.store.found import ArtifactInfo

_NOW = {
    "unchanged": ("as recorded", "green"),
    "changed": ("changed since it was recorded", "yellow"),
    "missing": ("no longer there", "yellow"),
    "unchecked": ("not compared with the record", "dim"),
}


def print_recipe(
    recipe: Recipe, project: Project, jobs: Mapping[str, JobRow], *, everything: bool
) -> None:
    """Print how the file stands, then the job that made its bytes; `jobs` are all that it names."""
    name = output.printable(project.relative(recipe.path) or recipe.path)
    output.line(
        f"{output.style(name, 'bold')}  {wording.size(recipe.size)}"
        f"  {wording.short_hash(recipe.hash)}  {_standing(recipe, project)}"
    )
    producer = recipe.producer
    if producer is None:
        output.line("  no recorded job made these bytes")
    else:
        title = output.printable(wording.title(producer.name, producer.command))
        made_by = f"{producer.step or wording.short_uid(producer.uid)}  {title}"
        output.line(
            f"  {_label('made by')} {output.style(made_by, 'bold')}, {how_it_ended(producer)}"
        )
        origin = jobs[producer.uid].origin
        for label, value in facts(producer, project, origin, everything=everything):
            output.line(f"  {_label(label)} {output.printable(value)}")
        steps = {uid: job.reference for uid, job in jobs.items()}
        limit = None if everything else EDGE_LIMIT
        print_edges(
            "inputs", producer.inputs, edge_lines(producer.inputs, project, steps, limit=limit)
        )
    made = producer.uid if producer else None
    others = [use for use in recipe.producers if (use.uid, use.hash) != (made, recipe.hash)]
    also = "also made by" if producer else "same bytes later, by"
    _print_uses(also, others, recipe, project, jobs, everything=everything)
    _print_uses("read by", recipe.consumers, recipe, project, jobs, everything=everything)


def print_artifact(
    artifact: ArtifactInfo, project: Project, jobs: Mapping[str, JobRow], *, everything: bool
) -> None:
    """Print an artifact's digests and every job that wrote or read it."""
    output.line(f"{output.style(artifact.hash, 'bold')}  {wording.size(artifact.size)}")
    for algorithm, value in artifact.digests.items():
        if f"{algorithm}:{value}" != artifact.hash:
            output.line(f"  {_label(algorithm)} {output.printable(value)}")
    if artifact.composite:
        words = f"{artifact.composite.layout}, {artifact.composite.members:,} members"
        output.line(
            f"  {_label('dataset')} {words}{': --components' * artifact.composite.is_listed}"
        )
    output.line(f"  {_label('since')} {wording.local_time(artifact.first_seen_ns)}")
    from roar_core.lineage.recipe import uses_of

    made, read = uses_of(artifact, written=True), uses_of(artifact, written=False)
    if not made:
        output.line("  no recorded job made these bytes")
    _print_uses("made by", made, artifact, project, jobs, everything=everything)
    _print_uses("read by", read, artifact, project, jobs, everything=everything)


def _standing(recipe: Recipe, project: Project) -> str:
    if recipe.recorded is None:
        twin = next(use.path for use in (*recipe.producers, *recipe.consumers))
        name = output.printable(project.relative(twin) or twin)
        return output.style(f"not recorded itself; the same bytes as {name}", "yellow")
    words, colour = _NOW[recipe.now]
    if recipe.now == "changed" and recipe.hash == recipe.recorded.hash:
        words += "; this is the record"
    elif recipe.now == "changed":
        words += "; these are the bytes it holds now"
    elif recipe.now == "unchecked" and recipe.hash is not None:
        words += ": --verify"
    return output.style(words, colour)


def _print_uses(
    label: str,
    uses: Sequence[Use],
    about: Recipe | ArtifactInfo,
    project: Project,
    jobs: Mapping[str, JobRow],
    *,
    everything: bool,
) -> None:
    """A line for each job: which, when, at which path, and which bytes when they were others."""
    if not uses:
        return
    shown = uses if everything or len(uses) <= EDGE_LIMIT + 1 else uses[:EDGE_LIMIT]
    output.line(f"  {output.style(label, 'dim')}  {len(uses):,}")
    terminal = wording.columns()
    room = None if terminal is None else max(16, terminal - 44)
    path = getattr(about, "path", None)
    for use in shown:
        job = jobs[use.uid]
        words = [f"{job.reference:<8}", wording.local_time(job.started_at_ns)]
        words.append(wording.fit(wording.title(job.name, job.command), room))
        if use.path != path:
            words.append(output.printable(project.relative(use.path) or use.path))
        if registry := wording.registry_in(job.origin):
            words.append(f"at {registry}")
        if use.hash != about.hash:
            words.append(f"other bytes, {wording.short_hash(use.hash)}")
        output.line(f"    {'  '.join(words)}")
    if len(shown) < len(uses):
        output.line(f"    {output.symbol('…', '...')} and {len(uses) - len(shown):,} more: --all")


def _label(text: str) -> str:
    return output.style(f"{text:<9}", "dim")
