"""What differs between two jobs that answer to each other: causes, and what came of them.

An input that differs is a cause only where its bytes came from outside: what a recorded step wrote
differs because of that step. Of a pair that differs in nothing but its results that is said too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import attrs

from roar_core.config.schema import SOURCE_SUFFIXES
from roar_core.identity import relative_to_project
from roar_core.lineage import parameters
from roar_core.lineage.pairing import Matched, match_edges, place_of, roles
from roar_core.model.environment import Environment
from roar_core.model.job import Edge, Job

Category = Literal["data", "parameters", "code", "environment", "structure", "results"]
Effect = Literal["yes", "no", "unknown"]
Counterpart = Callable[[str | None], str | None]

# How likely a difference of this kind explains different results, before anything else is known.
WEIGHTS: Mapping[str, float] = {
    "input_changed": 1.0,
    "input_added": 0.9,
    "input_removed": 0.9,
    "input_unknown": 0.5,
    "input_moved": 0.05,
    "parameter_changed": 0.95,
    "parameter_added": 0.9,
    "parameter_removed": 0.9,
    "parameter_names_file": 0.05,
    "program_changed": 1.0,
    "directory_changed": 0.2,
    "code_changed": 0.9,
    "code_unknown": 0.6,
    "commit_changed": 0.05,
    "step_added": 0.7,
    "step_removed": 0.7,
    "rewired": 0.8,
    "package_changed": 0.5,
    "package_added": 0.4,
    "package_removed": 0.4,
    "system_package_changed": 0.25,
    "interpreter_changed": 0.5,
    "variable_changed": 0.4,
    "hardware_changed": 0.3,
    "machine_changed": 0.2,
    "unexplained": 0.6,
}
_HARDWARE = ("cpu", "memory_bytes", "gpus", "cuda")


@attrs.frozen
class Change:
    """A difference that may explain others.

    `subject` is what differs: a path, an option, a package. `steps` are the pairs of jobs that have
    it, by id, None on the side that has no such job. `level` is how far from where the data began
    the nearest of them stands. `effect` says whether the results of these jobs differ at all.
    """

    category: Category
    code: str
    subject: str
    before: str | None = None
    after: str | None = None
    steps: tuple[tuple[int | None, int | None], ...] = ()
    level: int = 0
    effect: Effect = "unknown"
    files: tuple[str, ...] = ()
    edges: tuple[Edge | None, Edge | None] | None = None


class Outcome(NamedTuple):
    """The results of a pair: outputs that answer to each other, whatever their digests."""

    outputs: tuple[Matched, ...]
    effect: Effect


def outcome_of(old: Job, new: Job) -> Outcome:
    """Match the outputs of two jobs and say whether the jobs came to the same end."""
    outputs = tuple(match_edges(old, new, old.outputs, new.outputs))
    ended = [(job.state, job.exit_code, job.signal) for job in (old, new)]
    if ended[0] != ended[1]:
        return Outcome(outputs, "yes")
    hashes = [(m.before and m.before.hash, m.after and m.after.hash) for m in outputs]
    if any(before != after for before, after in hashes):
        return Outcome(outputs, "yes")
    is_known = outputs and all(before is not None for before, _ in hashes)
    return Outcome(outputs, "no" if is_known else "unknown")


def causes(old: Job, new: Job, counterpart: Counterpart, outcome: Outcome) -> Iterator[Change]:
    """The differences of a pair. `counterpart` gives the uid on the second side that answers to one
    of the first."""
    inputs = match_edges(old, new, old.inputs, new.inputs)
    found = [
        *_of_inputs(old, new, inputs, counterpart),
        *_of_command(old, new, inputs, outcome),
        *_of_code(old, new),
        *_of_environment(old, new),
    ]
    yield from found
    is_same_input = all(m.before and m.after and m.before.hash == m.after.hash for m in inputs)
    if outcome.effect == "yes" and is_same_input and not any(WEIGHTS[c.code] > 0.1 for c in found):
        yield Change("results", "unexplained", "results")


def _of_inputs(
    old: Job, new: Job, inputs: list[Matched], counterpart: Counterpart
) -> Iterator[Change]:
    for match in inputs:
        before, after = match.before, match.after
        edges = (before, after)
        if before is None or after is None:
            edge = before or after
            assert edge is not None
            job, is_added = (old, False) if after is None else (new, True)
            if edge.producer is not None:
                yield Change(
                    "structure",
                    "rewired",
                    place_of(job, edge),
                    None if is_added else edge.producer,
                    edge.producer if is_added else None,
                    edges=edges,
                )
            else:
                code = "input_added" if is_added else "input_removed"
                yield Change("data", code, place_of(job, edge), edges=edges)
            continue
        subject = match.role or place_of(old, before)
        places = (place_of(old, before), place_of(new, after))
        if before.hash is None or after.hash is None:
            yield Change("data", "input_unknown", subject, *places, edges=edges)
        elif before.hash == after.hash:
            if places[0] != places[1]:
                yield Change("data", "input_moved", subject, *places, edges=edges)
        elif before.producer is None and after.producer is None:
            # Without git, and in a checkout run with `--dirty allow`, scripts are inputs.
            is_code = after.path.endswith(SOURCE_SUFFIXES)
            category: Category = "code" if is_code else "data"
            yield Change(category, "input_changed", subject, *places, edges=edges)
        elif after.producer not in (before.producer, counterpart(before.producer)):
            yield Change(
                "structure", "rewired", subject, before.producer, after.producer, edges=edges
            )


def _of_command(old: Job, new: Job, inputs: list[Matched], outcome: Outcome) -> Iterator[Change]:
    programs = [parameters.program_of(job.command) for job in (old, new)]
    if programs[0] != programs[1]:
        yield Change(
            "structure", "program_changed", "program", " ".join(programs[0]), " ".join(programs[1])
        )
        return  # what its words mean the one program does not tell of the other
    places = [relative_to_project(job.cwd, job.project) or job.cwd for job in (old, new)]
    if places[0] != places[1]:
        yield Change("parameters", "directory_changed", "working directory", places[0], places[1])
    # An option that names a file says nothing beyond what is said of the file.
    files = {
        (job.project, edge.path)
        for match in (*inputs, *outcome.outputs)
        for job, edge in ((old, match.before), (new, match.after))
        if edge is not None
    }
    naming = {
        name
        for job in (old, new)
        for path, name in roles(job).items()
        if (job.project, path) in files
    }
    for change in parameters.changes(old.command, new.command):
        code = "parameter_changed"
        if change.before is None or change.after is None:
            code = "parameter_added" if change.before is None else "parameter_removed"
        if change.name in naming:
            code = "parameter_names_file"
        yield Change("parameters", code, change.name, change.before, change.after)


def _of_code(old: Job, new: Job) -> Iterator[Change]:
    before, after = ((job.git.commit, job.git.snapshot) for job in (old, new))
    if old.sources is not None and new.sources is not None:
        names = sorted(old.sources.keys() | new.sources.keys())
        if parameters.program_of(old.command) != parameters.program_of(new.command):
            # Another program is another script: only what both read can have changed.
            names = sorted(old.sources.keys() & new.sources.keys())
        files = tuple(n for n in names if old.sources.get(n) != new.sources.get(n))
        if files:
            yield Change("code", "code_changed", "code", *_versions(old, new), files=files)
        elif before != after:
            yield Change("code", "commit_changed", "commit", *_versions(old, new))
    elif before != after:
        yield Change("code", "code_unknown", "commit", *_versions(old, new))


def _versions(old: Job, new: Job) -> tuple[str | None, str | None]:
    """Both commits, with a mark where uncommitted changes were added."""

    def version(job: Job) -> str | None:
        if job.git.commit is None:
            return None
        return job.git.commit + (" and uncommitted changes" if job.git.dirty else "")

    return version(old), version(new)


def _of_environment(old: Job, new: Job) -> Iterator[Change]:
    for name, before, after in _entries(old.packages.python, new.packages.python):
        code = "package_changed"
        if before is None or after is None:
            code = "package_added" if before is None else "package_removed"
        yield Change("environment", code, name, before, after)
    for name, before, after in _entries(old.packages.system, new.packages.system):
        yield Change("environment", "system_package_changed", name, before, after)
    if old.environment is None or new.environment is None:
        return
    fields = [_fields(job.environment) for job in (old, new) if job.environment]
    for name, before, after in _entries(*fields):
        code = "hardware_changed" if name in _HARDWARE else "machine_changed"
        code = "interpreter_changed" if name == "interpreter" else code
        yield Change("environment", code, name, before, after)
    for name, before, after in _entries(old.environment.variables, new.environment.variables):
        yield Change("environment", "variable_changed", name, before, after)


def _fields(environment: Environment) -> dict[str, str]:
    fields: dict[str, Any] = attrs.asdict(environment, recurse=False)
    del fields["variables"]
    fields["gpus"] = ", ".join(
        f"{gpu.name} (driver {gpu.driver})" if gpu.driver else gpu.name for gpu in environment.gpus
    )
    return {name: str(value) for name, value in fields.items() if value not in (None, "")}


def _entries(
    before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[tuple[str, str | None, str | None]]:
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield name, before.get(name), after.get(name)
