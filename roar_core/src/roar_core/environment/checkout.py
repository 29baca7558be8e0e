"""Find the git checkout around a directory, and the arguments with which git may safely look at it.

A repository is other people's data until proven otherwise: its configuration can name programs
(fsmonitor, hooks, content filters, diff drivers, transports of a partial clone). Nothing that roar
asks of git may start one of them, so every call goes through `git_command`.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from roar_core.environment.git_config import Settings, local_filters, read_settings

# gitsubmodules(7); far below what would make `git status` of each of them the cost of a run.
_MOST_SUBMODULES = 64

QUIET_ENVIRONMENT = {
    # No writing of a refreshed index behind the user's back: git(1), GIT_OPTIONAL_LOCKS.
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    # A partial clone must not fetch, by whatever transport its configuration names.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}


class Checkout(NamedTuple):
    """A working tree under git. Paths are absolute and resolved.

    `root` is its top level, `folder` where `.git` was found (they differ with core.worktree),
    `git_dir` its own administrative directory and `settings` what the repository configures.
    """

    root: str
    folder: str
    git_dir: str
    settings: Settings

    @property
    def uses_sha256(self) -> bool:
        return dict(self.settings).get("extensions.objectformat", "").lower() == "sha256"


def find_checkout(cwd: str) -> Checkout | None:
    """The innermost checkout that holds `cwd`, or None; a bare repository is none."""
    folder = os.path.realpath(cwd)
    while True:
        if (found := checkout_at(folder)) is not None:
            return found
        above = os.path.dirname(folder)  # noqa: PTH120 - run start-up: pathlib costs 8 ms
        if above == folder:
            return None
        folder = above


def checkout_at(folder: str) -> Checkout | None:
    """The checkout whose `.git`, a directory or a file that points to one, lies in `folder`."""
    git_dir = _git_dir(folder)
    if git_dir is None:
        return None
    common = _first_line(f"{git_dir}/commondir")
    common_dir = os.path.realpath(os.path.join(git_dir, common)) if common else git_dir  # noqa: PTH118 - bytes survive
    settings = read_settings(f"{common_dir}/config") + read_settings(f"{git_dir}/config.worktree")
    root = folder
    worktree = dict(settings).get("core.worktree")
    if worktree and common_dir == git_dir:
        root = os.path.realpath(os.path.join(git_dir, worktree))  # noqa: PTH118 - bytes survive
    return Checkout(root, folder, git_dir, settings)


def submodules_of(checkout: Checkout) -> list[Checkout]:
    """The submodules of `.gitmodules` that are checked out, inside the tree, in order of path."""
    paths = {
        value
        for name, value in read_settings(f"{checkout.root}/.gitmodules")
        if name.startswith("submodule.") and name.endswith(".path")
    }
    found = []
    for path in sorted(paths)[:_MOST_SUBMODULES]:
        folder = os.path.realpath(f"{checkout.root}/{path}")
        if folder.startswith(f"{checkout.root}/") and (inner := checkout_at(folder)) is not None:
            found.append(inner)
    return found


def git_command(git: str, checkout: Checkout) -> tuple[list[str], dict[str, str]]:
    """The beginning of a git command line on `checkout`, and variables to add to its environment.

    Content filters that the repository itself defines are switched off, those of the user's own
    configuration (git-lfs) work. Raises ValueError, with a sentence, for a filter that cannot be.
    """
    settings = [
        *("core.quotepath=off", "core.fsmonitor=false", "core.hooksPath=/dev/null"),
        # What a repository says about trusting times must not hide a changed file.
        *("core.trustctime=true", "core.checkStat=default"),
        # Read even by a status: an endless file would hold up the run.
        "diff.orderFile=/dev/null",
    ]
    for name in local_filters(checkout.settings):
        if "=" in name:
            raise ValueError(f"its configuration defines a filter with the odd name {name!r}")
        settings += (f"filter.{name}.{key}" for key in ("clean=", "process=", "required=false"))
    argv = [git, "-C", checkout.folder, "--no-pager"]
    for setting in settings:
        argv += ("-c", setting)
    ceiling = os.path.dirname(checkout.folder)  # noqa: PTH120 - run start-up
    return argv, {**QUIET_ENVIRONMENT, "GIT_CEILING_DIRECTORIES": ceiling}


def _git_dir(folder: str) -> str | None:
    dot_git = f"{folder}/.git"
    pointer = _first_line(dot_git)
    if pointer is not None:
        target = pointer.removeprefix("gitdir:").strip()
        dot_git = os.path.join(folder, target)  # noqa: PTH118 - bytes survive
    return os.path.realpath(dot_git) if os.path.lexists(f"{dot_git}/HEAD") else None


def _first_line(path: str) -> str | None:
    """The first line of a small file, or None when there is no such regular file."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - run start-up, and names of any bytes
            return os.fsdecode(file.read(1 << 16).rstrip(b"\r\n"))
    except OSError:
        return None
