"""Keep what is not committed, so that a run in a dirty checkout can be reproduced.

A snapshot is one object, named by the BLAKE3 of its bytes: a tar file (see `archive`) of

    patch.diff        what `git diff --binary HEAD` says of the tracked files, those of submodules
                      under their place in the tree; absent when nothing tracked has changed
    files/<path>      each untracked source file, at its path from the top level

It applies on the recorded commit with `git apply patch.diff` and a copy of `files/`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from typing import NamedTuple

from roar_core.environment.archive import Member, tar_of
from roar_core.environment.checkout import git_command
from roar_core.environment.git import GitStatus
from roar_core.environment.objects import store_object
from roar_core.environment.output_of import output_of, program
from roar_core.environment.sources import (
    Untracked,
    holds_secret,
    is_roars_own,
    is_source,
    sort_untracked,
)
from roar_core.errors import RefusedError

MIB = 1 << 20
_DIFF_TIMEOUT_S = 60.0
_DIFF = (
    *("diff", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv"),
    *("--no-renames", "--no-relative", "--ignore-submodules=dirty", "--submodule=short"),
    # Whatever the user's configuration prefers, equal changes must give equal bytes.
    *("--unified=3", "--inter-hunk-context=0", "--diff-algorithm=myers", "--no-indent-heuristic"),
)
# The tree without entries, which every repository knows: gitglossary(7), "empty tree".
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_EMPTY_TREE_SHA256 = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"


class Snapshot(NamedTuple):
    """What was kept of a dirty checkout. Paths are absolute, sorted.

    `name` is `blake3:<hex>`, None when there was nothing to keep or it was `too_large`, which says
    so in a sentence with the ways out. `covers` are all paths whose content it holds: `files`, the
    untracked ones, and changed tracked ones. `left_out` look like secrets, `unreadable` could not
    be read, `outputs` were written by earlier runs.
    """

    name: str | None = None
    files: tuple[str, ...] = ()
    covers: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    too_large: str | None = None


def is_dirty(
    status: GitStatus, *, known_output: Callable[[str], bool], source_suffixes: Iterable[str]
) -> bool:
    """Whether the code differs from the commit: tracked changes, or untracked source files.

    Outputs of earlier runs, data and files such as `.env` do not count. `known_output` is asked
    only about source files, up to the first that is none.
    """
    suffixes = tuple(source_suffixes)
    return bool(status.changes) or any(
        is_source(path, suffixes) and not is_roars_own(path, status.root) and not known_output(path)
        for path in status.untracked
    )


def take_snapshot(
    status: GitStatus,
    *,
    project: str,
    objects_dir: str,
    known_output: Callable[[str], bool],
    source_suffixes: Iterable[str],
    max_bytes: int = 10 * MIB,
) -> Snapshot:
    """Store what differs from the commit below `objects_dir`; nothing is stored above `max_bytes`.

    `project` is the directory that sentences name paths from. Raises `RefusedError` when the
    changes cannot be read from git or the object cannot be written.
    """
    untracked = sort_untracked(status.untracked, status.root, known_output, source_suffixes)
    room = max_bytes - sum(map(_size, untracked.sources))
    patch = _patch(status, max_bytes) if room >= 0 else None
    if patch is None or len(patch) > room:
        return Snapshot(
            left_out=untracked.secrets,
            outputs=untracked.outputs,
            too_large=_too_large(status, untracked, project, max_bytes),
        )
    members = [Member(b"patch.diff", patch)] if patch else []
    files, secrets, unreadable = [], list(untracked.secrets), []
    for path in untracked.sources:
        member = _member(path, status.root)
        if member is None:
            unreadable.append(path)
        elif not member.is_symlink and holds_secret(member.content):
            secrets.append(path)
        else:
            members.append(member)
            files.append(path)
    return Snapshot(
        name=store_object(objects_dir, tar_of(members)) if members else None,
        files=tuple(files),
        covers=frozenset(files).union(change.path for change in status.changes),
        left_out=tuple(sorted(secrets)),
        unreadable=tuple(unreadable),
        outputs=untracked.outputs,
    )


def _patch(status: GitStatus, max_bytes: int) -> bytes | None:
    """The changes to tracked files, or None when they exceed `max_bytes`."""
    patch = b""
    for each in status.each():
        inner = {change for submodule in each.submodules for change in submodule.changes}
        if inner.issuperset(each.changes):
            continue
        part = _own_patch(each, status.root, max_bytes)
        if part is None or len(patch) + len(part) > max_bytes:
            return None
        patch += part
    return patch


def _own_patch(status: GitStatus, top: str, max_bytes: int) -> bytes | None:
    below = status.root[len(top) + 1 :]
    prefix = f"{below}/" if below else ""
    empty = _EMPTY_TREE_SHA256 if status.checkout.uses_sha256 else _EMPTY_TREE
    try:
        git = program("git")
        if git is None:
            raise ValueError("git is not installed")
        argv, extra = git_command(git, status.checkout)
        settings = ("-c", "diff.suppressBlankEmpty=false")
        places = (f"--src-prefix=a/{prefix}", f"--dst-prefix=b/{prefix}", status.commit or empty)
        output = output_of(
            [*argv, *settings, *_DIFF, *places, "--"], _DIFF_TIMEOUT_S, extra, max_bytes
        )
        if output.cut:
            return None
        if not output.ok:
            raise ValueError(f"git diff failed: {output.complaint.removeprefix('fatal: ')}")
    except (OSError, ValueError) as error:
        raise RefusedError(
            f"the uncommitted changes in {status.root} cannot be kept: {error};"
            " commit them, or run with --dirty allow"
        ) from error
    return output.out


def _member(path: str, top: str) -> Member | None:
    """The untracked file as it goes into the snapshot, or None when it cannot be read."""
    name = b"files/" + os.fsencode(path[len(top) + 1 :])
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            return Member(name, os.fsencode(os.readlink(path)), is_symlink=True)  # noqa: PTH115 - bytes survive
        if not stat.S_ISREG(found.st_mode):
            return None
        with open(path, "rb") as file:  # noqa: PTH123 - names of any bytes
            return Member(name, file.read(), is_executable=bool(found.st_mode & 0o100))
    except OSError:
        return None


def _too_large(status: GitStatus, untracked: Untracked, project: str, max_bytes: int) -> str:
    changed = [change.path for change in status.changes]
    sizes = {path: _size(path) for path in (*changed, *untracked.sources)}
    largest = max(sizes, key=lambda path: sizes[path])
    shown = largest.removeprefix(f"{project}/")
    return (
        f"uncommitted changes come to more than {max_bytes / MIB:g} MiB (git.snapshot_max), the"
        f" largest being {shown!r} with {sizes[largest] / MIB:.1f} MiB;"
        " commit them, add them to .gitignore, or run with --dirty allow"
    )


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0
