"""Plan a reproduction: read the records, look for what they need, touch nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from roar_core.errors import UnreproducibleError
from roar_core.model.job import Edge, Job
from roar_core.reproduce.checkout import is_on_network
from roar_core.reproduce.finding import Finder
from roar_core.reproduce.gets import problem_of_get, words_of
from roar_core.reproduce.hard_coded import files_naming
from roar_core.reproduce.history import History
from roar_core.reproduce.interpreters import plan_environments
from roar_core.reproduce.needed import family, needed_jobs
from roar_core.reproduce.needs import Needs
from roar_core.reproduce.obstacles import notes, problems_of, refusal_of, unlike_here
from roar_core.reproduce.places import inside, rewrite_command, variables_for
from roar_core.reproduce.plan import (
    Code,
    Member,
    Plan,
    PlannedOutput,
    PlannedStep,
    Source,
)
from roar_core.store.writer import Store


class Asked(NamedTuple):
    """What is to be reproduced: outputs of jobs by their hash, or all of them (None).

    The hash may be that of a member of a dataset: then the dataset is asked for.
    """

    uids: tuple[str, ...]
    hash: str | None = None


class Where(NamedTuple):
    """The project's root, its `.roar/objects`, and the directory to reproduce in."""

    project: str
    objects: str
    target: str
    in_place: bool = False


class Told(NamedTuple):
    """What a registry told of a recipe: who it is by, in sentences, and URLs of bytes by hash."""

    by: tuple[str, ...] = ()
    sources: Mapping[str, str] = {}


def make_plan(
    store: Store,
    ref: str,
    asked: Asked,
    where: Where,
    environ: Mapping[str, str],
    told: Told | None = None,
) -> Plan:
    """Plan how the bytes that were asked for come about again.

    `told` is what a registry said of them; a recipe of that kind gets its code over the network.

    Raises `UnreproducibleError` when they are no replayable job's.
    """
    with store.snapshot() as db:
        needed = needed_jobs(db, asked.uids)
        groups = [[store.job(uid), *map(store.job, family(db, uid))] for uid in needed.order]
    asked_steps = {needed.replayed_by[uid] for uid in asked.uids if uid in needed.replayed_by}
    finder = Finder(store, where.project, where.target)
    groups, replayed_by = _without_needless_gets(
        store, groups, needed.replayed_by, asked_steps, where, finder
    )
    if not groups:
        kinds = " and ".join(sorted({store.job(uid).kind for uid in asked.uids}))
        raise UnreproducibleError(
            f"{ref} was recorded by a {kinds}, which is never run again; reproduce what it put"
        )
    jobs = [group[0] for group in groups]
    history = History.around(where.project)
    source, problems = _source(jobs, history, where, is_told=told is not None)
    offset = source.offset if source and not where.in_place else ""
    new_root = f"{where.target}/{offset}" if offset else where.target
    environments, environment_of = ([], {}) if where.in_place else plan_environments(jobs, environ)
    sources = told.sources if told else {}
    needs = Needs(store, finder, history, where, replayed_by, offset, sources)
    steps = []
    for group in groups:
        job = group[0]
        step = _step(
            *(group, needs, where, new_root, environment_of.get(job.uid), asked, asked_steps),
            finder,
            is_told=told is not None,
        )
        steps.append(step)
        needs.add_outputs(step)
    problems += problems_of(steps, environments, where)
    if not where.in_place:
        roots = {job.project for job in jobs}
        problems += (
            f"{name!r} names {root}, so it would write there and not in the target;"
            " --keep-going runs it all the same"
            for root in sorted(roots)
            for name in files_naming(steps, root, history, where.objects)
        )
    if asked.hash and not any(o.is_asked for step in steps for o in step.outputs):
        problems.append(f"no step of the plan is recorded to write {asked.hash}")
    return Plan(
        ref=ref,
        project=where.project,
        target=where.target,
        source=source,
        steps=tuple(steps),
        environments=tuple(environments),
        problems=tuple(dict.fromkeys(problems)),
        notes=tuple(dict.fromkeys(notes(steps, environments))),
        in_place=where.in_place,
        told_by=told.by if told else (),
    )


def _without_needless_gets(
    store: Store,
    groups: list[list[Job]],
    replayed_by: Mapping[str, str],
    asked_steps: set[str],
    where: Where,
    finder: Finder,
) -> tuple[list[list[Job]], dict[str, str]]:
    """Leave out what was fetched and is still here: its bytes are copied, and no store is asked."""

    def is_here(edge: Edge, job: Job) -> bool:
        relative = inside(edge.path, job.project)
        place = edge.path if relative is None else f"{where.project}/{relative}"
        if edge.kind != "composite":
            return edge.hash is not None and finder.digest(place, edge.size) == edge.hash
        return all(
            finder.digest(f"{place}/{member.path}", member.size) == f"blake3:{member.digest}"
            for member in store.components(edge.hash or "")
        )

    needless = {
        job.uid
        for job, *_ in groups
        if job.kind == "get"
        and job.uid not in asked_steps
        and all(is_here(edge, job) for edge in job.outputs)
    }
    kept = [group for group in groups if group[0].uid not in needless]
    return kept, {uid: by for uid, by in replayed_by.items() if by not in needless}


def label_of(job: Job) -> str:
    """`@3`, and the attempt where there were more; a job without a step by its uid."""
    if job.step is None:
        return job.uid[:8]
    return f"{job.step}" if job.step.attempt == 1 else f"{job.step}.{job.step.attempt}"


def _source(
    jobs: Iterable[Job], history: History | None, where: Where, *, is_told: bool
) -> tuple[Source | None, list[str]]:
    commits = {job.git.commit for job in jobs if job.git.commit}
    if where.in_place:
        return None, unlike_here(commits, where)
    if not any(job.git.commit or job.git.snapshot for job in jobs):
        return None, []
    offset = ""
    if history is not None and where.project != history.root:
        offset = where.project.removeprefix(f"{history.root}/")
    if history is not None and all(map(history.has, commits)):
        return Source(history.root, None, offset), []
    remotes = {job.git.remote for job in jobs if job.git.remote}
    lacking = ", ".join(sorted(c[:12] for c in commits if history is None or not history.has(c)))
    if len(remotes) != 1:
        known = "several remotes are recorded" if remotes else "no remote is recorded"
        return None, [
            f"commit {lacking} is not in {where.project} and {known}; fetch it into this repository"
        ]
    remote = remotes.pop()
    if is_told and not is_on_network(remote):
        return None, [
            f"commit {lacking} is of {remote!r}, which is no address on the network that git clones"
            " from safely; clone it yourself and ask from inside"
        ]
    return Source(None, remote, offset), []


def _step(
    group: list[Job],
    needs: Needs,
    where: Where,
    new_root: str,
    environment: str | None,
    asked: Asked,
    asked_steps: set[str],
    finder: Finder,
    *,
    is_told: bool,
) -> PlannedStep:
    job = group[0]
    old_root = job.project
    command = rewrite_command(
        job.command, old_root, new_root, has_environment=environment is not None
    )
    recorded = job.environment.variables if job.environment else {}
    variables, left = variables_for(recorded, old_root, new_root)
    changes = list(command.changes)
    words = command.command
    cwd = inside(job.cwd, job.project)
    refusal = None
    if job.kind == "get":
        words, refusal = _fetching(words, cwd or ".", new_root, where, changes, is_told=is_told)
    if left:
        changes.append(f"not taken over from the record: {', '.join(left)}")
    outputs = tuple(
        _output(edge, job, where, needs, finder, asked if job.uid in asked_steps else None)
        for edge in _merged(edge for member in group for edge in member.outputs)
    )
    return PlannedStep(
        job=job,
        label=label_of(job),
        command=words,
        cwd="." if cwd is None else cwd,
        code=Code(
            job.git.commit, job.git.snapshot, is_kept=not job.git.dirty or bool(job.git.snapshot)
        ),
        variables=variables,
        inputs=needs.of(group),
        outputs=outputs,
        environment=environment,
        rewritten=tuple(changes),
        refusal=refusal_of(job, cwd, outputs, where) or refusal,
    )


def _fetching(
    command: tuple[str, ...],
    cwd: str,
    root: str,
    where: Where,
    changes: list[str],
    *,
    is_told: bool,
) -> tuple[tuple[str, ...], str | None]:
    """The words of a get, which replaces nothing and leaves the target only where this was its."""
    words = words_of(command)
    is_bound = is_told or not where.in_place
    if words is None or is_bound:
        refusal = problem_of_get(command, cwd, root)
        if words is None or refusal is not None:
            return command, refusal
        if words.is_forced:
            changes.append("without --force: it replaces nothing")
    return (words.command if is_bound else command), None


def _output(
    edge: Edge, job: Job, where: Where, needs: Needs, finder: Finder, asked: Asked | None
) -> PlannedOutput:
    relative = inside(edge.path, job.project) if edge.kind != "object" else None
    members: tuple[Member, ...] = ()
    original = None
    if edge.kind == "composite":
        members = tuple(
            Member(component.path, f"blake3:{component.digest}")
            for component in needs.components(edge)
        )
    elif relative is not None and edge.hash is not None:
        place = f"{where.project}/{relative}"
        original = place if finder.digest(place, edge.size) == edge.hash else None
    return PlannedOutput(
        path=edge.path,
        relative=relative,
        hash=edge.hash,
        size=edge.size,
        kind=edge.kind,
        is_asked=asked is not None
        and (asked.hash in (None, edge.hash) or any(m.hash == asked.hash for m in members)),
        original=original,
        members=members,
    )


def _merged(edges: Iterable[Edge]) -> list[Edge]:
    """One edge for each path: the last one written there."""
    return list({edge.path: edge for edge in edges}.values())
