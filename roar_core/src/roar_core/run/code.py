"""Which code a run starts from: the commit, and a snapshot of what is not committed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from roar_core.config.layers import Config
from roar_core.environment.git import GitProbe, GitStatus
from roar_core.errors import UncommittedError
from roar_core.model.environment import GitState
from roar_core.model.job import Job
from roar_core.project import Project
from roar_core.store.writer import Store

if TYPE_CHECKING:
    from roar_core.environment.snapshot import Snapshot

_WAYS_OUT = "commit them, ignore them (.gitignore), or run with --dirty allow"

Tell = Callable[[str], None]


class Code(NamedTuple):
    """The git state to record; `holds` picks the files that commit and snapshot hold exactly."""

    git: GitState
    holds: Callable[[Iterable[str]], frozenset[str]]


def code_of(probe: GitProbe, project: Project, config: Config, store: Store, warn: Tell) -> Code:
    """Wait for git and, when the checkout is dirty, do as `git.dirty` says.

    Raises `UncommittedError` when it says refuse, or when the snapshot would be too large. `warn`
    is told of a checkout that git cannot read, and of files that are left out of the snapshot.
    """
    status = probe.result()
    if probe.problem:
        warn(probe.problem)
    if status is None:
        return Code(GitState(), lambda paths: frozenset())
    if not (status.changes or status.untracked):
        return _code(probe, status.state(dirty=False), frozenset())
    return _code_of_changed(probe, status, project, config, store, warn)


def _code_of_changed(
    probe: GitProbe,
    status: GitStatus,
    project: Project,
    config: Config,
    store: Store,
    warn: Tell,
) -> Code:
    from roar_core.environment.snapshot import is_dirty, take_snapshot

    suffixes = config.get("filters.source_suffixes")
    root = os.fspath(project.root)
    mode = config.get("git.dirty")
    if not is_dirty(status, known_output=store.is_output, source_suffixes=suffixes):
        return _code(probe, status.state(dirty=False), frozenset())
    if mode == "refuse":
        raise UncommittedError(
            f"{_uncommitted(status, project, store, suffixes)} not committed; {_WAYS_OUT}"
        )
    if mode == "allow":
        return _code(probe, status.state(dirty=True), frozenset())
    snapshot = take_snapshot(
        status,
        project=root,
        objects_dir=os.fspath(project.objects),
        known_output=store.is_output,
        source_suffixes=suffixes,
        max_bytes=config.get("git.snapshot_max"),
    )
    if snapshot.too_large:
        raise UncommittedError(snapshot.too_large)
    _tell_left_out(snapshot, project, warn)
    return _code(probe, status.state(dirty=True, snapshot=snapshot.name), snapshot.covers)


def code_of_recovered(job: Job) -> Code:
    """The code of a job whose roar died: what its commit still holds unmodified today.

    Where that cannot be told any more (another commit is checked out) nothing is held, and sources
    are recorded as inputs.
    """
    probe = GitProbe.start(job.cwd)
    status = probe.result()
    if status is None or status.commit != job.git.commit:
        return Code(job.git, lambda paths: frozenset())
    return _code(probe, job.git, frozenset())


def _code(probe: GitProbe, git: GitState, covered: frozenset[str]) -> Code:
    def holds(paths: Iterable[str]) -> frozenset[str]:
        wanted = frozenset(paths)
        return frozenset(probe.tracked_unmodified(wanted)) | (wanted & covered)

    return Code(git, holds)


def _tell_left_out(snapshot: Snapshot, project: Project, warn: Tell) -> None:
    if snapshot.left_out:
        names = ", ".join(project.relative(path) or path for path in snapshot.left_out)
        warn(f"left out of the snapshot because it looks like a secret: {names}")
    if snapshot.unreadable:
        names = ", ".join(project.relative(path) or path for path in snapshot.unreadable)
        warn(f"left out of the snapshot because it cannot be read: {names}")


def _uncommitted(status: GitStatus, project: Project, store: Store, suffixes: Iterable[str]) -> str:
    from roar_core.environment.sources import sort_untracked

    untracked = sort_untracked(status.untracked, status.root, store.is_output, suffixes)
    paths = [change.path for change in status.changes]
    paths += untracked.sources
    first = project.relative(paths[0]) or paths[0]
    return f"{first} and {len(paths) - 1} more files are" if len(paths) > 1 else f"{first} is"
