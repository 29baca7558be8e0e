"""Which files two commits of a checkout do not share, and what a file was at a commit."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from roar_core.environment.checkout import Checkout, find_checkout, git_command
from roar_core.environment.output_of import output_of, program

_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TIMEOUT_S = 20.0
_MOST_BYTES = 8 << 20
_NAMES = (
    *("diff", "--name-status", "-z", "--no-renames", "--no-ext-diff", "--no-textconv"),
    *("--no-relative", "--ignore-submodules=dirty"),
)


class ChangedFiles(NamedTuple):
    """(git's letter, path from the top level) of each file; `problem` says why they are unknown."""

    files: tuple[tuple[str, str], ...] = ()
    problem: str | None = None


def changed_files(cwd: str, before: str, after: str) -> ChangedFiles:
    """What `git diff --name-status` says of two commits, by their full hashes."""
    checkout = find_checkout(cwd)
    if checkout is None:
        return ChangedFiles(problem="this is no git checkout any more")
    for commit in (before, after):
        known = _HASH.fullmatch(commit) and _ask(checkout, "cat-file", "-t", commit)
        if known != b"commit\n":
            return ChangedFiles(problem=f"commit {commit[:12]} is not in this checkout")
    out = _ask(checkout, *_NAMES, before, after, "--")
    if out is None:
        return ChangedFiles(problem="git cannot compare the commits")
    words = os.fsdecode(out).split("\0")[:-1]
    return ChangedFiles(tuple(zip(words[::2], words[1::2], strict=False)))


def content_at(path: str, commit: str, max_bytes: int) -> bytes | None:
    """A file's bytes at a commit, None when it is not there, too large, or git cannot say.

    Whether they are the bytes a job read only their digest tells: a checkout may convert them.
    """
    checkout = find_checkout(os.path.dirname(path))  # noqa: PTH120 - any bytes
    if checkout is None or not path.startswith(f"{checkout.root}/"):
        return None
    if not _HASH.fullmatch(commit):
        return None
    name = path[len(checkout.root) + 1 :]
    return _ask(checkout, "cat-file", "blob", f"{commit}:{name}", max_bytes=max_bytes)


def _ask(checkout: Checkout, *arguments: str, max_bytes: int = _MOST_BYTES) -> bytes | None:
    git = program("git")
    if git is None:
        return None
    try:
        argv, extra = git_command(git, checkout)
        output = output_of([*argv, *arguments], _TIMEOUT_S, extra, max_bytes)
    except (OSError, ValueError):
        return None
    return output.out if output.ok else None
